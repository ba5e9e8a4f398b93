"""By how much counters have grown since they were last read, and in a window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.model import Window


@dataclass(frozen=True)
class Reading:
    """One reading of all counters: when, by their server's clock, and when that last set them all to zero."""

    read_at: datetime
    reset_at: datetime | None


class Growth:
    """Counts per key: runs and milliseconds, since the last reading or, without one, since nobody knows when.

    A window may be read several times, and the last run's counts replace those before it. So the state holds for
    each key what was read last, and how much of it has been counted for the window already.
    """

    def __init__(self, state: Mapping[str, Any], window: Window, reading: Reading) -> None:
        self._reading = reading
        self._window = window
        self._known: dict[str, list[Any]] = state.get("seen", {})
        self._again = state.get("partition") == window.key
        last, reset = state.get("read_at"), state.get("reset_at")
        self._last = datetime.fromisoformat(last) if last else None
        self._all_reset = reset != (reading.reset_at and reading.reset_at.isoformat())
        self._seen: dict[str, list[Any]] = {}
        self._unknown_start = 0

    def since_last(
        self, key: str, calls: int, milliseconds: float, since: datetime | None
    ) -> tuple[int, float]:
        """Takes a counter as it stands, counting `since` where that is known; gives what counts for the window."""
        begun = since and since.timestamp()
        old_calls, old_ms, counted, counted_ms, old_begun = self._known.get(key, (0, 0.0, 0, 0.0, begun))
        if not self._again:
            counted, counted_ms = 0, 0.0
        if self._all_reset or calls < old_calls or begun != old_begun:
            old_calls, old_ms = 0, 0.0
        if self._last is None:
            start = since or self._reading.reset_at
            self._unknown_start += start is None or start < self._window.start
        runs = int(calls - old_calls + counted)
        spent = max(0.0, milliseconds - old_ms) + counted_ms
        self._seen[key] = [calls, round(milliseconds, 3), runs, round(spent, 3), begun]
        return runs, spent

    @property
    def state(self) -> dict[str, Any]:
        """What the next reading goes on from."""
        reset_at = self._reading.reset_at
        return {
            "partition": self._window.key,
            "read_at": self._reading.read_at.isoformat(),
            "reset_at": reset_at and reset_at.isoformat(),
            "seen": self._seen,
        }

    @property
    def summary(self) -> str:
        """What the counts are of, in a line."""
        if self._last is None:
            return (
                f"first reading of {len(self._seen)} counters: the whole of each counts,"
                f" and {self._unknown_start} began before the window or nobody knows when"
            )
        gone = sum(1 for key in self._known if key not in self._seen and self._again)
        lost = f"; {gone} counted before are gone from the view, and from the window" if gone else ""
        return f"{len(self._seen)} counters, since they were read at {self._last:%Y-%m-%d %H:%M:%S} UTC{lost}"
