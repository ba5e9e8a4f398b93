"""How often requests are sent."""

from __future__ import annotations

import threading
import time


class Pace:
    """Spaces requests of many threads so that there are at most `rate_per_s` in a second; None does not."""

    def __init__(self, rate_per_s: float | None) -> None:
        self._gap_s = 1.0 / rate_per_s if rate_per_s else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Returns when the caller's turn has come."""
        if not self._gap_s:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._gap_s
        time.sleep(max(0.0, turn - now))
