"""What a plugin prints: a log in JSON lines, mixed with whatever else it says.

The SDK logs with structlog: a line of its own is JSON with an `event`. A row that it drops is told there alone.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from connectors.config.secrets import Redactor

_PIECE_BYTES = 1024**2  # of a longer line, the beginning and the end are looked at
_SHOWN = 2000  # characters of a line
_KEPT = 10_000  # dropped rows whose cause is kept; all are counted
_DROPPED = "failed to resolve resource"
_RAISED = "Exception calling application"  # gRPC's server, of a call that raised
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.ERROR,
}
# Told by the log itself, or by headwater's.
_UNSAID = {"event", "level", "timestamp", "client_id"}
_TABLE = re.compile(r'"table": ("(?:[^"\\]|\\.)*")')
_decoder = json.JSONDecoder()


@dataclass(frozen=True)
class Dropped:
    """A row that the plugin's own SDK could not take. `cause` is its exception, redacted, in one line."""

    table: str
    cause: str


class PluginLog:
    """Gives a plugin's output on to the log, redacted and cut, and keeps what it says of dropped rows.

    Of `lines` more than that, the rest is read and left out; more than `output_bytes` sets `overflowed`. What it
    has gathered may be read after `drain`.
    """

    def __init__(
        self, name: str, *, log: logging.Logger, redact: Redactor, lines: int, output_bytes: int
    ) -> None:
        self.overflowed = threading.Event()
        self.dropped: list[Dropped] = []
        self.dropped_rows: Counter[str] = Counter()
        self._name = name
        self._log = log
        self._redact = redact
        self._left_lines = lines
        self._left_bytes = output_bytes
        self._last: deque[str] = deque(maxlen=8)
        self._lock = threading.Lock()
        self._readers: list[threading.Thread] = []
        self._closing = self._aside = False

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last lines, redacted."""
        with self._lock:
            return tuple(self._last)

    def follow(self, stream: IO[bytes] | None, *, trusted: bool) -> None:
        """Reads a stream to its end, in a thread. Only a `trusted` one's events count."""
        if stream is None:
            raise AssertionError("the plugin's output is not a pipe")
        thread = threading.Thread(target=self._read, args=(stream, trusted), daemon=True)
        self._readers.append(thread)
        thread.start()

    def expect_close(self) -> None:
        """From here on the traceback of a plugin that cannot be closed, as most cannot, is no news."""
        self._closing = True

    def drain(self, timeout_s: float) -> None:
        """Waits until all that was printed is read."""
        for reader in self._readers:
            reader.join(timeout_s)

    def _read(self, stream: IO[bytes], trusted: bool) -> None:
        with stream:
            for begin, end in self._lines(stream):
                text = begin.decode("utf-8", "replace").rstrip("\r\n")
                if trusted and end:
                    text = self._without_middle(text, end.decode("utf-8", "replace"))
                events = read_events(text) if trusted else []
                with self._lock:
                    for event in events:
                        self._take(event)
                    if not events:
                        self._show(logging.INFO, text)

    def _lines(self, stream: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Each line's beginning, and its end where it is longer."""
        begin, end = b"", b""
        for piece in iter(lambda: stream.readline(_PIECE_BYTES), b""):
            with self._lock:
                self._left_bytes -= len(piece)
                if self._left_bytes < 0:
                    self.overflowed.set()
            begin, end = (begin, piece) if begin else (piece, b"")
            if piece.endswith(b"\n"):
                yield begin, end
                begin, end = b"", b""
        if begin:
            yield begin, end

    def _without_middle(self, begin: str, end: str) -> str:
        """A line too long to be read, as the SDK could have written it without what makes it long."""
        table = _TABLE.search(begin)
        if table and f'"event": "{_DROPPED}"' in end[-_SHOWN:]:
            return (
                f'{{"table": {table[1]}, "exc_info": "a value too long to be shown", "event": "{_DROPPED}"}}'
            )
        return begin

    def _take(self, event: dict[str, Any]) -> None:
        said = event["event"]
        if said == _DROPPED and isinstance(event.get("table"), str):
            self.dropped_rows[event["table"]] += 1
            if len(self.dropped) < _KEPT:
                cause = " ".join(self._redact(str(event.get("exc_info") or "unknown")).split())
                self.dropped.append(Dropped(event["table"], cause[:_SHOWN]))
        told = " ".join(f"{name}={value}" for name, value in event.items() if name not in _UNSAID)
        self._show(_LEVELS.get(str(event.get("level")), logging.INFO), f"{said} {told}".rstrip())

    def _show(self, level: int, text: str) -> None:
        if self._aside or (self._closing and text.startswith(_RAISED)):
            self._aside = True
            self._log.debug("%s: %s", self._name, self._redact(text)[:_SHOWN])
            return
        # Masked before it is cut: half a secret would not be recognised.
        line = self._redact(text)
        line = line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
        self._last.append(line)
        self._left_lines -= 1
        if self._left_lines >= 0:
            self._log.log(level, "%s: %s", self._name, line)
        elif self._left_lines == -1:
            self._log.warning(
                "%s printed more lines than limits.output_lines; the rest is left out", self._name
            )


def read_events(text: str) -> list[dict[str, Any]]:
    """The SDK's events in a line, also where something else was printed before or after them on the same line."""
    found: list[dict[str, Any]] = []
    if '"event"' not in text:
        return found
    at, tries = text.find("{"), 0
    while at >= 0 and tries < 16:
        tries += 1
        try:
            value, end = _decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            if isinstance(value.get("event"), str):
                found.append(value)
        at = text.find("{", end)
    return found
