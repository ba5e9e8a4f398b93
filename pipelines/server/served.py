"""What the routes of one server share."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any

from deltalake.exceptions import DeltaError
from fastapi import Depends, Request

from connectors.errors import HeadwaterError
from lineage.store import Store
from pipelines.flow_runs import FlowRuns
from pipelines.project import FILE, Project, read_project
from pipelines.project.overlay import objects_of
from pipelines.server.access import KnownTokens, too_small
from pipelines.server.graphs import Graphs
from pipelines.server.lazy_launcher import LazyLauncher
from pipelines.server.problems import ApiProblem
from pipelines.server.reloading import Reloader
from pipelines.server.runs import ProjectedRuns
from pipelines.server.tokens import Scope, Token

if TYPE_CHECKING:
    from pipelines.server.launcher import Launcher

log = logging.getLogger("headwater.server")


class CurrentProject:
    """The project as its file and the overlay say it; while the file is broken or the store is away, as it was."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._state = self._stamp()
        # An overlay is read once more at the first look: it may have changed since the project was read.
        self._overlay: tuple[str, int] | None = None
        self._objects = objects_of(project).version()
        self._looking = Lock()

    def look(self) -> None:
        """Reads the project again when the file was written to, or what the API created changed: when this returns,
        that is taken up, whoever looks beside. Never raises for what stands in them.
        """
        with self._looking:
            self._look()

    def _look(self) -> None:
        try:
            state, overlay = self._stamp(), self._objects.read()
        except (DeltaError, OSError):
            return  # without its store the project would be read without what the API created
        if (state, overlay) == (self._state, self._overlay):
            return
        self._state, self._overlay = state, overlay
        try:
            self.project = read_project(self.project.folder)
        except (HeadwaterError, OSError) as error:
            log.warning("%s is not taken up: %s", FILE, error)

    def _stamp(self) -> tuple[int, int]:
        try:
            status = Path(self.project.folder, FILE).stat()
        except OSError:
            return 0, 0
        return status.st_mtime_ns, status.st_size


@dataclass
class Served:
    """A project, its store, its graphs, the tokens that are known, Dagster's records of its runs, and the way to start
    new ones.
    """

    current: CurrentProject
    store: Store
    graphs: Graphs
    tokens: KnownTokens
    projected: ProjectedRuns
    launching: LazyLauncher
    reloader: Reloader

    @property
    def project(self) -> Project:
        return self.current.project

    @property
    def runs(self) -> FlowRuns:
        """The project's flow runs. Raises StoreError while Dagster's records have never been read."""
        return self.projected.flow_runs

    @property
    def schedules_on(self) -> Mapping[str, bool]:
        """Of each connection with a schedule, whether that is on."""
        return self.projected.schedules_on

    @property
    def launcher(self) -> Launcher:
        """Not to be asked within the event loop: it waits for a reload that is under way, as what is launched may be
        new in the project. Raises as `LazyLauncher.get`.
        """
        self.reloader.wait()
        return self.launching.get()


async def served_by(request: Request) -> Served:
    """What the server that answers a request has."""
    found: Served = request.app.state.served
    return found


async def token_of(request: Request) -> Token | None:
    """The valid token that a request carries."""
    token: Token | None = request.scope["state"]["token"]
    return token


def requires(scope: Scope) -> Any:
    """A dependency of routes that need a larger scope than their method does (`access.needed_scope`)."""

    async def check(token: Annotated[Token | None, Depends(token_of)]) -> None:
        if token is None:
            raise ApiProblem(401, f"this needs a token with the scope {scope}")
        if not token.allows(scope):
            refusal = too_small(token, scope)
            raise ApiProblem(refusal.status, refusal.detail, hint=refusal.hint)

    return Depends(check)


Here = Annotated[Served, Depends(served_by)]
