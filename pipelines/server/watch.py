"""Looks at something again and again, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

EVERY_S = 1.0
_LONGEST_END_S = 2.0
log = logging.getLogger("headwater.server")


class Watch:
    """Calls `look` now, and every second after it returned, until it is stopped.

    `look` tells of its own trouble; what it raises all the same is logged, and it is called again.
    """

    def __init__(self, name: str, look: Callable[[], None], every_s: float = EVERY_S) -> None:
        self._look = look
        self._every_s = every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Waits for a look that is under way, but not long: it may be reading a store that does not answer."""
        self._ended.set()
        self._thread.join(timeout=_LONGEST_END_S)

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            try:
                self._look()
            except Exception:
                log.exception("%s: will be tried again", self._thread.name)
