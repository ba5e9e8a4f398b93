"""Foreign Python in a child process: its own environment, limits, its output in the log, and a sure end."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from pydantic import BaseModel, ConfigDict, Field

import connectors
from connectors.config.secrets import Redactor
from connectors.errors import ScriptFailed
from connectors.hosts.channel import TooLong, pack, unpack

_SANDBOX = Path(__file__).with_name("sandbox.py")
_ROOT = Path(connectors.__file__).resolve().parent
_LINE_BYTES = 65536
_SHOWN = 2000  # characters of a line
_LOG_LINES = 10_000
_GRACE_S = 5.0
# What a program may need from the environment; everything else stays out.
_PASSED_ON = ("LD_LIBRARY_PATH", "TZ")
# Where others leave what every user can read: temporary files, sockets, mounted secrets.
_SHARED = ("/tmp", "/var/tmp", "/dev/shm", "/run", tempfile.gettempdir())  # noqa: S108


class Limits(BaseModel):
    """What a script may use. Seconds of wall time and of CPU, bytes, counts.

    CPU, memory and files hold for each process, `processes` for all together.
    """

    model_config = ConfigDict(extra="forbid")

    wall_s: float = Field(default=3600, gt=0)
    cpu_s: int = Field(default=1800, ge=1)
    memory_bytes: int = Field(default=2 * 1024**3, ge=256 * 1024**2)
    file_bytes: int = Field(default=512 * 1024**2, ge=1024**2)
    processes: int = Field(default=64, ge=4)
    messages: int = Field(default=50_000_000, ge=1)
    message_bytes: int = Field(default=64 * 1024**2, ge=1024)
    output_bytes: int = Field(default=64 * 1024**2, ge=1024)


class HostedProcess:
    """A Python program that runs shut in, and talks to us by messages.

    `program` is its file and arguments; two more follow: the number of its socket, and JSON of what is not
    enforced. It gets `secret` as the first message on standard input. `code` is the folder whose Python files
    it may read, `hide` are folders that it may not see. Used as a context: at the end nothing is left of it.
    """

    def __init__(
        self,
        name: str,
        program: Sequence[str],
        *,
        secret: dict[str, Any],
        code: Path,
        hide: Sequence[Path],
        limits: Limits,
        log: logging.Logger,
        redact: Redactor,
    ) -> None:
        self.name = name
        self._limits = limits
        self._log = log
        self._redact = redact
        self._last: deque[str] = deque(maxlen=8)
        self._output = 0
        self._overflow = threading.Event()
        self._writing = threading.Lock()
        self._deadline = time.monotonic() + limits.wall_s
        self.workdir = Path(tempfile.mkdtemp(prefix="headwater-"))
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._poll = select.poll()
        self._poll.register(ours, select.POLLIN)
        try:
            self._process = self._start(program, theirs.fileno(), code, hide)
        except BaseException:
            ours.close()
            shutil.rmtree(self.workdir, ignore_errors=True)
            raise
        finally:
            theirs.close()
        self._pumps = [self._pump(stream) for stream in (self._process.stdout, self._process.stderr)]
        self._give(secret)

    def messages(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        """What the program says, until it closes its end. Raises `ScriptFailed` beyond its limits."""
        count = 0
        try:
            for message in unpack(self._read, self._limits.message_bytes):
                count += 1
                if count > self._limits.messages:
                    raise self._failed(f"said more than {self._limits.messages} things", "limits.messages")
                yield message
        except TooLong as error:
            raise self._failed(f"sent {error}", "limits.message_bytes") from None
        except (ValueError, RecursionError):
            raise self._failed("broke the protocol between it and headwater") from None

    def send(self, message: dict[str, Any], body: bytes = b"") -> None:
        """Answers the program; if it is gone already, nothing happens."""
        with self._writing:
            try:
                self._socket.sendall(pack(message, body))
            except OSError:
                self._log.debug("%s was gone before it could be answered", self.name)

    def early_end(self) -> ScriptFailed:
        """Why the program ended without having said that it is done."""
        try:
            code = self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            return self._failed("closed its connection to headwater and went on")
        self._join_pumps()
        if self._overflow.is_set():
            return self._flooded()
        if code == 128 + signal.SIGXCPU:
            return self._failed(f"used its {self._limits.cpu_s} s of CPU time", "limits.cpu_s")
        if code == 128 + signal.SIGKILL:
            return self._failed("was killed; the system may have run out of memory")
        if code > 128 and code - 128 in set(signal.Signals):
            return self._failed(f"crashed with {signal.Signals(code - 128).name}")
        return self._failed(f"ended with exit code {code} before it was done")

    @property
    def last_lines(self) -> tuple[str, ...]:
        """The last lines of its output, redacted."""
        return tuple(self._last)

    def close(self) -> None:
        """Ends everything that the program started, and removes its working folder."""
        # Asked, the sandbox also ends what left its group; where nothing is left, it ended by itself.
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            self._process.terminate()
            self._process.wait(_GRACE_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._socket.close()
        self._join_pumps()
        shutil.rmtree(self.workdir, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- start

    def _start(
        self, program: Sequence[str], fd: int, code: Path, hide: Sequence[Path]
    ) -> subprocess.Popen[bytes]:
        settings = {
            "parent": os.getpid(),
            "workdir": str(self.workdir),
            "code": str(code.resolve()),
            "program": list(program),
            "limits": self._limits.model_dump(),
            "hide": [str(folder.resolve()) for folder in (*map(Path, _SHARED), *hide) if folder.is_dir()],
            "needed": _needed_folders(),
        }
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_SANDBOX), json.dumps(settings), str(fd)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[fd],
            env=self._environment(),
            cwd="/",
            start_new_session=True,
        )

    def _environment(self) -> dict[str, str]:
        own = {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "HOME": str(self.workdir / "work"),
            "TMPDIR": str(self.workdir / "tmp"),
        }
        return own | {name: os.environ[name] for name in _PASSED_ON if name in os.environ}

    def _give(self, secret: dict[str, Any]) -> None:
        stdin = self._process.stdin
        if stdin is None:
            raise AssertionError("the child has no standard input")
        try:
            stdin.write(pack(secret))
            stdin.close()
        except BrokenPipeError:
            self._log.debug("%s ended before it read its credentials", self.name)

    # -- reading

    def _read(self, size: int) -> bytes:
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise self._failed(f"was still running after {self._limits.wall_s:g} s", "limits.wall_s")
            if self._overflow.is_set():
                raise self._flooded()
            if self._poll.poll(min(left, 0.5) * 1000):
                try:
                    return self._socket.recv(min(size, 1 << 20))
                except ConnectionResetError:
                    return b""

    def _pump(self, stream: IO[bytes] | None) -> threading.Thread:
        thread = threading.Thread(target=self._log_lines, args=(stream,), daemon=True)
        thread.start()
        return thread

    def _log_lines(self, stream: IO[bytes]) -> None:
        lines, whole = 0, True
        for raw in iter(lambda: stream.readline(_LINE_BYTES), b""):
            self._output += len(raw)
            if self._output > self._limits.output_bytes:
                self._overflow.set()
            # Masked before it is cut: half a secret would not be recognised. What follows a cut is left out.
            begins, whole = whole, raw.endswith(b"\n")
            if not begins or self._overflow.is_set():
                continue
            line = self._redact(raw.decode("utf-8", "replace").rstrip("\r\n"))
            line = line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
            lines += 1
            self._last.append(line)
            if lines <= _LOG_LINES:
                self._log.info("%s: %s", self.name, line)
            elif lines == _LOG_LINES + 1:
                self._log.warning(
                    "%s printed more than %d lines; the rest is left out", self.name, _LOG_LINES
                )
        stream.close()

    def _join_pumps(self) -> None:
        for pump in self._pumps:
            pump.join(_GRACE_S)

    def _flooded(self) -> ScriptFailed:
        return self._failed(f"printed more than {self._limits.output_bytes} bytes", "limits.output_bytes")

    def _failed(self, what: str, limit: str | None = None) -> ScriptFailed:
        hint = f"raise {limit} if it needs more" if limit else (self._last[-1] if self._last else None)
        return ScriptFailed(f"{self.name} {what}", hint=hint, last_lines=self.last_lines)


def _needed_folders() -> list[str]:
    """Where Python and its packages lie, as they are named and as they are."""
    named = [
        sys.prefix,
        sys.base_prefix,
        sysconfig.get_path("purelib"),
        sysconfig.get_path("platlib"),
        str(_ROOT),
    ]
    named.append(str(Path(sys.executable).parent))
    both = {
        *named,
        *(os.path.realpath(path) for path in named),
        os.path.dirname(os.path.realpath(sys.executable)),
    }
    return sorted(path for path in both if os.path.isdir(path))
