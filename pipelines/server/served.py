"""What the routes of one server share."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request

from connectors.errors import HeadwaterError
from lineage.store import Store
from pipelines.project import FILE, Project, read_project
from pipelines.server.access import KnownTokens, too_small
from pipelines.server.graphs import Graphs
from pipelines.server.problems import ApiProblem
from pipelines.server.tokens import Scope, Token

log = logging.getLogger("headwater.server")


class CurrentProject:
    """The project as its file says it; while that is broken, as it said it last."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._state = self._stamp()

    def look(self) -> None:
        """Reads the file again when it was written to. Never raises for what stands in it."""
        state = self._stamp()
        if state == self._state:
            return
        self._state = state
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
    """A project, its store, its graphs and the tokens that are known."""

    current: CurrentProject
    store: Store
    graphs: Graphs
    tokens: KnownTokens

    @property
    def project(self) -> Project:
        return self.current.project


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
