"""Ends a call that takes too long: gRPC knows a deadline, and no silence."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_EVERY_S = 0.2


class Watch:
    """Watches over one call, from a thread.

    Whoever takes its messages sets `touched` to when he began to wait for the next, by the monotonic clock, and to
    infinity while he does not wait. `found` is what was beyond a limit, and which.
    """

    def __init__(self, idle_s: float, wall_s: float, deadline: float) -> None:
        self.found: tuple[str, str] | None = None
        self.touched = math.inf
        self._idle_s = idle_s
        self._wall_s = wall_s
        self._deadline = deadline

    @contextmanager
    def over(
        self, cancel: Callable[[], object], excess: Callable[[], tuple[str, str] | None]
    ) -> Iterator[None]:
        """Cancels the call when its time is up, when it is silent too long, or for an `excess`."""
        done = threading.Event()

        def look() -> None:
            while not done.wait(_EVERY_S):
                self.found = self._late() or excess()
                if self.found:
                    cancel()
                    return

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _late(self) -> tuple[str, str] | None:
        now = time.monotonic()
        if now > self._deadline:
            return f"was still running after {self._wall_s:g} s", "wall_s"
        if now - self.touched > self._idle_s:
            return f"said nothing for {self._idle_s:g} s", "idle_s"
        return None
