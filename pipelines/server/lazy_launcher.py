"""The server's launcher, made when something is to be launched for the first time: that loads Dagster."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from connectors.errors import RunError
from pipelines.project import Project

if TYPE_CHECKING:
    from pipelines.server.launcher import Launcher

URL_VARIABLE = "HEADWATER_DAGSTER_URL"


class LazyLauncher:
    """Launches through the Dagster at HEADWATER_DAGSTER_URL, without it through Dagster in this process."""

    def __init__(self, project: Callable[[], Project]) -> None:
        self._project = project
        self._lock = Lock()
        self._made: Launcher | None = None
        self._closed = False

    @property
    def is_made(self) -> bool:
        """Whether anything was launched yet."""
        return self._made is not None

    def get(self) -> Launcher:
        """Raises ConfigError where the variable is no address, RunError when the server ends."""
        with self._lock:
            if self._closed:
                raise RunError("the server is ending", hint="try again when it is back")
            if self._made is None:
                from pipelines.server.launcher import DagsterLauncher

                self._made = DagsterLauncher(self._project(), os.environ.get(URL_VARIABLE) or None)
            return self._made

    def close(self) -> None:
        """Ends what was started; runs that are under way go on."""
        with self._lock:
            self._closed = True
            made, self._made = self._made, None
        if made is not None:
            made.close()
