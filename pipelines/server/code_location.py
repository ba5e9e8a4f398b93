"""The project's code location in Dagster's workspace: found, asked, read anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import dagster as dg

from connectors.config.secrets import Redactor, secrets_of
from connectors.errors import RunError
from pipelines.jobs import PREVIEW_JOB, PROJECT_TAG
from pipelines.loading import build_definitions
from pipelines.project import Project, read_project
from pipelines.project.filling import Filling
from pipelines.server import dagster_graphql as graphql
from pipelines.server.dagster_graphql import Place, Transport


class CodeLocation:
    """Where Dagster has the definitions of a project. `transport` opens the way there, or gives the open one."""

    def __init__(self, project: Project, transport: Callable[[], Transport]) -> None:
        self.project = project
        self._transport = transport
        self._place: Place | None = None
        self._finding, self._reloading = Lock(), Lock()

    def place(self) -> Place:
        """Raises RunError when the definitions are nowhere, do not load, or are in several places."""
        with self._finding:
            if self._place is None:
                self._place = self._find()
            return self._place

    def do(
        self,
        query: str,
        variables: Mapping[str, Any],
        wanted: str,
        why: str,
        *,
        launches: bool = False,
        hint: str = "if the project changed, reload its definitions",
    ) -> Mapping[str, Any]:
        """The outcome of a query or mutation. Raises RunError, which begins with `why`, for one of another type than is
        wanted.
        """
        outcome: Mapping[str, Any] = self._transport().ask(query, variables, launches=launches)["outcome"]
        if outcome["__typename"] != wanted:
            said = _redactor(self.project)(graphql.refusal(outcome))
            raise RunError(f"{why}: {said}", hint=hint)
        return outcome

    def reload(self) -> None:
        """Reads the definitions anew. Raises RunError where they do not load; those that were loaded go on."""
        with self._reloading:
            # Tried here first: a code server that cannot load them would have lost those that it has.
            project = self._read()
            why = f"Dagster does not read the definitions of {project.name} anew"
            asked = {"location": self._reloadable()}
            loaded = self.do(graphql.RELOAD, asked, "WorkspaceLocationEntry", why)["locationOrLoadError"]
            if loaded["__typename"] != "RepositoryLocation":
                raise self._does_not_load(loaded.get("message", ""))
            self.project, self._place = project, None

    def _find(self) -> Place:
        name = self.project.name
        found = graphql.read_workspace(self._transport(), PREVIEW_JOB)
        places = list(found.places)
        if len(places) > 1:
            places = [place for place in places if found.places[place].get(PROJECT_TAG) == name]
        if len(places) == 1:
            return places[0]
        if not places and found.broken:
            self._read()  # says what is wrong in the words of the project, where it is wrong here, too
            raise self._does_not_load("; ".join(found.broken.values()))
        number = "no" if not places else "more than one"
        raise RunError(
            f"Dagster has {number} code location that serves the project {name}",
            hint="let one load pipelines.definitions with HEADWATER_PROJECT set to its folder",
        )

    def _reloadable(self) -> str:
        """The location to load anew: where the project is, or the only one that does not load."""
        if self._place is not None:
            return self._place.location
        found = graphql.read_workspace(self._transport(), PREVIEW_JOB)
        if not found.places and len(found.broken) == 1:
            return next(iter(found.broken))
        return self.place().location

    def _read(self) -> Project:
        try:
            project = read_project(self.project.folder)
            dg.Definitions.validate_loadable(build_definitions(project, executor="in_process"))
        except Exception as error:  # noqa: BLE001 - whatever a project's code raises, its definitions do not load
            raise self._does_not_load(str(error)) from None
        return project

    def _does_not_load(self, said: str) -> RunError:
        return RunError(
            f"the definitions of {self.project.name} do not load: {_redactor(self.project)(said.strip())}",
            hint="mend the project, then reload it",
        )


def _redactor(project: Project) -> Redactor:
    """Masks what may be secret in the project's file."""
    model, fill = project.model, Filling([])
    given = fill([one.model_dump(mode="json") for one in model.connections.values()])
    credentials = [*fill(model.credentials).values(), *(one["credential"] for one in given)]
    secrets = [secret for one in credentials if isinstance(one, Mapping) for secret in secrets_of(one)]
    return Redactor([*fill.secrets, *secrets, *project.storage_options.values()])
