"""Has Dagster read the definitions anew after the overlay has changed, without anybody waiting for it."""

from __future__ import annotations

import logging
import os
import threading

from connectors.errors import HeadwaterError
from pipelines.server.lazy_launcher import URL_VARIABLE, LazyLauncher

LONGEST_WAIT_S = 30.0
log = logging.getLogger("headwater.server")


class Reloader:
    """Reloads in a thread; what is asked for meanwhile is done once, afterwards. Where nothing has been launched yet,
    and Dagster is no other process, there is nothing to reload: what is launched first reads the project as it is then.
    """

    def __init__(self, launching: LazyLauncher) -> None:
        self._launching = launching
        self._lock = threading.Lock()
        self._asked = False
        self._running: threading.Thread | None = None

    def ask(self) -> None:
        """Asks for a reload."""
        if not (self._launching.is_made or os.environ.get(URL_VARIABLE)):
            return
        with self._lock:
            self._asked = True
            if self._running is None:
                self._running = threading.Thread(target=self._run, name="reload", daemon=True)
                self._running.start()

    def wait(self, seconds: float = LONGEST_WAIT_S) -> bool:
        """Waits until what was asked for is done, but no longer than so; whether it is."""
        running = self._running
        if running is None:
            return True
        running.join(seconds)
        return not running.is_alive()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._asked:
                    self._running = None
                    return
                self._asked = False
            try:
                self._launching.get().reload()
            except HeadwaterError as error:
                log.warning("Dagster has not taken up what the API changed: %s", error)
            except Exception:
                log.exception("Dagster has not taken up what the API changed")
