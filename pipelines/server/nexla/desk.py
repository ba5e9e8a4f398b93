"""What the routes of the Nexla-compatible API share."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any, Literal, NamedTuple, TypeVar

from pipelines.flow_runs import FlowRuns, Metric
from pipelines.flow_runs.model import iso
from pipelines.overlay import OverlayEditor
from pipelines.project import Project
from pipelines.server.nexla.estate import SETS, SINKS, SOURCES, Estate
from pipelines.server.nexla.sessions import Sessions
from pipelines.server.nexla.shapes import Shapes
from pipelines.server.nexla.stored_tables import StoredTables
from pipelines.server.problems import ApiProblem
from pipelines.server.served import Served
from pipelines.statuses import FAILED, QUEUED, RUNNING

RUNS_SHOWN = 1000  # of a source that is asked for; lists show fewer
RUNS_LISTED = 20
T = TypeVar("T")


class Desk:
    """Over what the server has. `tables` are to be looked at again and again."""

    def __init__(self, served: Served, tables: StoredTables) -> None:
        self.served = served
        self.tables = tables
        self.sessions = Sessions(served.tokens)
        self.probes: dict[str, str] = {}  # runs that try a connection and have not ended yet
        self.probing = Lock()  # held while one of them is looked up or launched
        self._estate: tuple[Project, object, Estate] | None = None

    @property
    def runs(self) -> FlowRuns:
        return self.served.runs

    @property
    def estate(self) -> Estate:
        """What there is now."""
        project, columns = self.served.project, self.tables.columns
        known = self._estate
        if known is None or known[0] is not project or known[1] is not columns:
            known = self._estate = (project, columns, Estate(project, columns))
        return known[2]

    def shapes(self, runs: int = RUNS_LISTED) -> Shapes:
        """How objects are shown, each source with at most so many runs."""
        return Shapes(self.estate, self.is_active, lambda name: self._run_ids(name, runs), self._is_verified)

    @property
    def editor(self) -> OverlayEditor:
        """What the API creates is changed through it."""
        return OverlayEditor(self.served.project.folder)

    def changed(self) -> None:
        """Takes up at once what was changed in the overlay; Dagster follows."""
        self.served.current.look()
        self.served.reloader.ask()

    def is_active(self, connection: str) -> bool:
        """Whether a connection's schedule is on; of one that has none, whether nobody has paused it."""
        if self.served.project.connections[connection].schedule is not None:
            return self.served.schedules_on.get(connection, False)
        body = self.served.project.overlay.get(("connection", connection))
        return body is None or body["active"] is not False

    def switch(self, connection: str, on: bool) -> None:
        """Turns a connection's schedule on or off; of one that the API made it is kept without a schedule, too.

        Raises ApiProblem 409 for one of the file that has none.
        """
        project = self.served.project
        scheduled, is_ours = (
            project.connections[connection].schedule,
            ("connection", connection) in project.overlay,
        )
        if scheduled is None and not is_ours:
            raise ApiProblem(409, f"{connection} has no schedule", hint="give it one in headwater.yaml")
        if scheduled is not None:
            self.served.launcher.switch_schedule(connection, on)
            self.served.projected.look_again()
        if is_ours:
            self.editor.set_active("connection", connection, on)
            self.served.current.look()

    def unschedule(self, connection: str) -> None:
        """Turns a schedule off that is about to go: Dagster would remember that it was on, and one that later has its
        name would run without anybody having turned it on.
        """
        if self.served.schedules_on.get(connection):
            self.served.launcher.switch_schedule(connection, False)
            self.served.projected.look_again()

    def _run_ids(self, connection: str, limit: int) -> list[dict[str, Any]]:
        if limit <= RUNS_LISTED:
            return [{"id": n, "created_at": iso(n)} for n in self.runs.numbers(connection, limit)]
        runs = self.runs.find(flow=connection, limit=limit)
        return [
            {"id": one.run_number, "created_at": iso(one.run_number), "status": one.status} for one in runs
        ]

    def _is_verified(self, connection: str) -> bool | None:
        """Whether its last run that has ended could read; None where there was none."""
        for one in self.runs.metrics("run", dataset=f"resources/{connection}", limit=10):
            if one.status not in (QUEUED, RUNNING):
                return one.status != FAILED
        return None


def known(things: Mapping[int, T], number: int, kind: str) -> T:
    """The thing of an id. Raises ApiProblem 404 where there is none."""
    if number not in things:
        raise ApiProblem(404, f"no {kind} has the id {number}")
    return things[number]


class Measured(NamedTuple):
    """How flow runs call what is measured of a resource: whose runs those are, or of which dataset."""

    whose: str | None = None
    dataset: str | None = None

    def by(self, runs: FlowRuns, by: Literal["run", "day"], **which: Any) -> list[Metric]:
        """Its sums; `which` as `FlowRuns.metrics` has them."""
        return runs.metrics(by, whose=self.whose, dataset=self.dataset, together=True, **which)


def measured(estate: Estate, kind: str, number: int) -> Measured:
    """What is measured of a resource: of a source all that its connection's own runs gave. Raises ApiProblem 404."""
    if kind == SOURCES:
        return Measured(whose=known(estate.sources, number, "source"))
    if kind == SETS:
        return Measured(dataset=known(estate.sets, number, "data set").key)
    return Measured(dataset=f"sinks/{known(estate.sinks, number, 'destination').key}")


def origin_of(estate: Estate, kind: str, number: int) -> str:
    """The connection in whose flow a resource is. Raises ApiProblem 404 where there is none."""
    if kind == SOURCES:
        return known(estate.sources, number, "source")
    key: str | None
    if kind == SINKS:
        key = known(estate.sinks, number, "destination").data_set
        if key is None:
            raise ApiProblem(404, f"destination {number} is given nothing, and is in no flow")
    else:
        key = known(estate.sets, number, "data set").key
    return estate.origins(key)[0]
