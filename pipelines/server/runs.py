"""The project's flow runs in the server: Dagster's records, projected in a thread and read by the routes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING

from connectors.errors import StoreError
from pipelines.flow_runs import FlowRuns, Ledger, ledger_of
from pipelines.flow_runs.ledger import RunRow
from pipelines.flow_runs.storage_state import storage_state
from pipelines.home import dagster_home, open_instance
from pipelines.project import Project
from pipelines.statuses import QUEUED

if TYPE_CHECKING:
    import dagster as dg

    from pipelines.flow_runs.projection import Projection

EVERY_S = 0.5
REST = 4  # times what a look took, at least, until the next one; but no longer than this
LONGEST_REST_S = 30.0
# Deleted runs are looked for every 10 s only: what has not changed for so long is known whole.
QUIET_S = 20.0
_TOLD_EVERY = 5000  # runs, of a first projection
_ON = ("RUNNING", "DECLARED_RUNNING")
_UUID_LENGTH = 36
log = logging.getLogger("headwater.server")


class ProjectedRuns:
    """Follows Dagster's records. `look` is to be called again and again from one thread, in which Dagster is loaded;
    all else from any. Until a first long projection is done, what it has read so far is known.

    `trouble` says why the records cannot be read, None while they can.
    """

    def __init__(self, project: Callable[[], Project]) -> None:
        self._project = project
        self._looking = Lock()
        self._closed = Event()
        self._rest_until = 0.0
        self._failing = False
        self._told = 0
        self._state: tuple[str | None, float] = (None, 0.0)
        self._home = Path()
        self._instance: dg.DagsterInstance | None = None
        self._projection: Projection | None = None
        self._ledger: Ledger | None = None
        self._flow_runs: tuple[Project, FlowRuns] | None = None
        self._on: frozenset[str] = frozenset()
        self.trouble: str | None = "Dagster's records have not been read yet"

    # -- what is known

    @property
    def is_open(self) -> bool:
        """Whether anything is known."""
        return self._ledger is not None

    @property
    def ledger(self) -> Ledger:
        """Raises StoreError while Dagster's records have never been read."""
        if self._ledger is None:
            raise StoreError(str(self.trouble), hint="try again in a moment", retryable=True)
        return self._ledger

    @property
    def instance(self) -> dg.DagsterInstance:
        """Raises StoreError while Dagster's records have never been read, and when the server ends."""
        if self._instance is None or self._ledger is None:
            raise StoreError(self.trouble or "the server is ending", hint="try again", retryable=True)
        return self._instance

    @property
    def flow_runs(self) -> FlowRuns:
        """Those of the project as it is now. Raises StoreError while Dagster's records have never been read."""
        project, ledger = self._project(), self.ledger
        if self._flow_runs is None or self._flow_runs[0] is not project:
            self._flow_runs = project, FlowRuns(project, ledger)
        return self._flow_runs[1]

    @property
    def schedules_on(self) -> Mapping[str, bool]:
        """Of each connection with a schedule, whether that is on."""
        connections = self._project().connections
        return {name: f"{name}_schedule" in self._on for name, one in connections.items() if one.schedule}

    @property
    def has_waiting(self) -> bool:
        """Whether something that a server launched was in the queue at the last look."""
        waiting = "NOT settled AND status = ? AND trigger = 'api' LIMIT 1"
        return self.is_open and bool(self.ledger.runs(waiting, [QUEUED]))

    def row_of(self, run_id: str) -> RunRow | None:
        """A run by its whole id, None until it is projected."""
        return self.ledger.runs_by_id([run_id]).get(run_id)

    def find(self, text: str) -> tuple[str, RunRow | None]:
        """Dagster's id of a run, by its number, its id, or an id's unique beginning or ending; and what is known of it,
        None until it is projected.

        Raises RunError where there is no such run, or there are several.
        """
        row = self.row_of(text)
        # One that was launched a moment ago is not projected yet.
        if row is None and not (len(text) == _UUID_LENGTH and self.instance.has_run(text)):
            row = self.flow_runs.run(text)
        return (row.id if row else text), row

    def id_of(self, text: str) -> str:
        """Dagster's id of a run, as `find`."""
        return self.find(text)[0]

    # -- what is new

    def look(self) -> None:
        """Takes up what is new. Never raises: `trouble` tells of it. Does nothing while it ought to rest."""
        with self._looking:
            begun = time.monotonic()
            if self._closed.is_set() or begun < self._rest_until:
                return
            is_first = not self.is_open
            try:
                self._take_up()
            except _ClosedMeanwhile:
                return
            except Exception as error:
                if not self._failing:
                    log.exception("Dagster's records cannot be read; what is known of them is served on")
                self._failing = True
                self.trouble = f"Dagster's records cannot be read ({type(error).__name__})"
            else:
                self._failing, self.trouble = False, None
            ended = time.monotonic()
            # What the first look takes, Dagster's import and a whole history, says nothing of the next ones.
            took = 0.0 if is_first else ended - begun
            self._rest_until = ended + min(REST * took, LONGEST_REST_S)

    def look_again(self) -> None:
        """Takes up at once what has just been changed."""
        self._rest_until = 0.0
        self.look()

    def close(self) -> None:
        """Ends a projection that is under way soon, and lets Dagster's storage go."""
        self._closed.set()
        if self._looking.acquire(timeout=2.0):
            instance, self._instance = self._instance, None
            if instance is not None:
                instance.dispose()
            self._looking.release()

    def _take_up(self) -> None:
        instance, projection = self._opened()
        states = instance.all_instigator_state()
        self._on = frozenset(one.instigator_name for one in states if one.status.value in _ON)
        state, now = storage_state(self._home), time.monotonic()
        if state != self._state[0]:
            self._state = state, now
        if state is not None and now - self._state[1] > QUIET_S and self.ledger.is_settled_at(state):
            return
        self._told = 0
        projection.refresh(self._progress)
        self.ledger.note_state(state)

    def _opened(self) -> tuple[dg.DagsterInstance, Projection]:
        from pipelines.flow_runs.projection import Projection
        from pipelines.keys import AssetKeys

        if self._instance is None:
            self._home = dagster_home(self._project())
            self._instance = open_instance()
        if self._projection is None:
            ledger = ledger_of(self._project())
            self._projection = Projection(self._instance, ledger, AssetKeys())
            self._ledger = ledger
        return self._instance, self._projection

    def _progress(self, what: str, done: int, of: int) -> None:
        if self._closed.is_set():
            raise _ClosedMeanwhile
        if what == "runs" and done - self._told >= _TOLD_EVERY:
            self._told = done
            log.warning("reading Dagster's records for the first time: %s of %s runs", f"{done:,}", f"{of:,}")


class _ClosedMeanwhile(Exception):
    """The server ends: what is projected stays, the rest is for the next one."""
