"""Starts work through Dagster, so that its runs are Dagster's own: in its queue, its records and its UI."""

from __future__ import annotations

import atexit
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from threading import RLock
from typing import Any, Protocol

import dagster as dg

from connectors.errors import ConfigError, RunError
from pipelines.assets.extract import ACCEPT_DROP_TAG, FULL_TAG
from pipelines.flow_runs.dagster_records import TRIGGER_TAG
from pipelines.flows import keys_of_flows
from pipelines.home import dagster_home, open_instance
from pipelines.jobs import CHECK_JOB, CHECK_OP, CONNECTION_TAG, PREVIEW_JOB, PREVIEW_OP, PROJECT_TAG, RESULT
from pipelines.keys import AssetKeys
from pipelines.partitions import key_at, keys_between, partitions_definition
from pipelines.project import Project
from pipelines.server import dagster_graphql as graphql
from pipelines.server.code_location import CodeLocation
from pipelines.server.dagster_graphql import DagsterHttp, Transport
from pipelines.sync import QUIET

MAX_SAMPLES = 100  # of each kind in a preview: Dagster's event log keeps them
_ASSET_JOB = "__ASSET_JOB"


class Launcher(Protocol):
    """Starts, watches and ends work on a project's connections. Every method raises RunError when Dagster does not do
    it, and ConfigError for a connection that does not exist.
    """

    def sync(
        self,
        connections: Sequence[str],
        partition: str | None = None,
        *,
        full: bool = False,
        accept_drop: Sequence[str] = (),
    ) -> str:
        """Syncs connections for a partition, by default the one under way, with what hangs from them. Gives the run's
        id. `accept_drop` are connections whose loss of resources is let through; `full` begins from the start.
        """

    def preview(self, connection: str, limit: int = 5) -> str:
        """Extracts a connection and stores nothing but counts and masked samples. Gives the run's id."""

    def check(self, connection: str) -> str:
        """Tries a connection. Gives the run's id."""

    def result(self, run_id: str) -> Mapping[str, Any] | None:
        """What a preview or a check found: `connection`, `error` (None where all was well), and of a preview what
        `headwater preview --json` has, of a check `ok` and `checks`. None while it runs.
        """

    def take_up_waiting(self) -> None:
        """Starts what was launched here and waits for a daemon that has ended since."""

    def cancel(self, run_id: str) -> None:
        """Asks a run to end. It ends soon afterwards."""

    def schedule_is_on(self, connection: str) -> bool | None:
        """Whether a connection's schedule is on; None where it has none."""

    def switch_schedule(self, connection: str, on: bool) -> None:
        """Turns a connection's schedule on or off."""

    def reload(self) -> None:
        """Reads the definitions anew. Where they do not load it raises, and those that were loaded go on."""

    def close(self) -> None:
        """Ends what was started beside this process; runs that are under way go on."""


class DagsterLauncher:
    """Launches through the Dagster at an address, or without one through Dagster in this process.

    Runs that are launched in this process start at once when no daemon serves the queue. Safe to call from several
    threads, not from within an event loop. Dagster's records are those of DAGSTER_HOME, with an address too.
    """

    def __init__(self, project: Project, url: str | None = None) -> None:
        self._location = CodeLocation(project, self._opened)
        self._lock = RLock()
        self._instance: dg.DagsterInstance | None = None
        self._transport: Transport | None = DagsterHttp(url) if url else None
        self._closed = False

    def sync(
        self,
        connections: Sequence[str],
        partition: str | None = None,
        *,
        full: bool = False,
        accept_drop: Sequence[str] = (),
    ) -> str:
        project = self._location.project
        if not connections:
            raise RunError("a sync of no connection does nothing", hint="name one at least")
        self._refuse_unknown(*connections, *accept_drop)
        partitions = project.model.partitions
        key = partition or key_at(partitions, datetime.now(UTC))
        keys_between(partitions_definition(partitions), key, key)
        names, keys = list(dict.fromkeys(connections)), AssetKeys()
        selection = [*keys_of_flows(project, names, keys), keys.graph]
        tags = {"dagster/partition": key}
        if full:
            tags[FULL_TAG] = "true"
        if accept_drop:
            tags[ACCEPT_DROP_TAG] = ",".join(accept_drop)
        return self._launch(_ASSET_JOB, QUIET, tags, [{"path": one.path} for one in selection])

    def preview(self, connection: str, limit: int = 5) -> str:
        if not 1 <= limit <= MAX_SAMPLES:
            raise RunError(f"a preview shows 1 to {MAX_SAMPLES} samples of each kind, not {limit}")
        return self._try(PREVIEW_JOB, PREVIEW_OP, {"connection": connection, "limit": limit})

    def check(self, connection: str) -> str:
        return self._try(CHECK_JOB, CHECK_OP, {"connection": connection})

    def result(self, run_id: str) -> Mapping[str, Any] | None:
        run = self._run(run_id)
        if run.job_name not in (PREVIEW_JOB, CHECK_JOB):
            raise RunError(f"run {run_id} is neither a preview nor a check: it has no result")
        outputs = self._records().get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_OUTPUT).records
        for record in outputs:
            event: Any = record.event_log_entry.dagster_event
            if RESULT in (event.event_specific_data.metadata or {}):
                found: Mapping[str, Any] = event.event_specific_data.metadata[RESULT].value
                return found
        if not run.is_finished:
            return None
        why = f"run {run_id} ended as {run.status.value} before it found anything; its log says why"
        return {"connection": run.tags.get(CONNECTION_TAG), "error": why}

    def take_up_waiting(self) -> None:
        self._opened().launch_waiting(self._own_tags())

    def cancel(self, run_id: str) -> None:
        run = self._run(run_id)
        if run.is_finished:
            raise RunError(f"run {run_id} has ended as {run.status.value}: there is nothing to cancel")
        if run.status == dg.DagsterRunStatus.CANCELING:
            return
        if run.remote_job_origin is None:
            raise RunError(
                f"run {run_id} was not launched by Dagster's run launcher, but by a command",
                hint="interrupt that command where it runs",
            )
        why = f"run {run_id} cannot be canceled now"
        hint = "one that is only starting can be in a moment; else see its log in Dagster"
        self._location.do(graphql.CANCEL, {"run": run_id}, "TerminateRunSuccess", why, hint=hint)

    def schedule_is_on(self, connection: str) -> bool | None:
        self._refuse_unknown(connection)
        if self._location.project.connections[connection].schedule is None:
            return None
        return bool(self._schedule_state(connection)["status"] == "RUNNING")

    def switch_schedule(self, connection: str, on: bool) -> None:
        self._refuse_unknown(connection)
        if self._location.project.connections[connection].schedule is None:
            raise RunError(
                f"{connection} has no schedule", hint="give it one with `schedule:` in the project"
            )
        why = f"the schedule of {connection} cannot be switched"
        if on:
            selector = self._location.place().schedule(f"{connection}_schedule")
            self._location.do(graphql.SWITCH_ON, {"schedule": selector}, "ScheduleStateResult", why)
        else:
            state = self._schedule_state(connection)["id"]
            self._location.do(graphql.SWITCH_OFF, {"id": state}, "ScheduleStateResult", why)

    def reload(self) -> None:
        self._location.reload()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            transport, self._transport = self._transport, None
            instance, self._instance = self._instance, None
        atexit.unregister(self.close)
        if transport is not None:
            transport.close()
        if instance is not None:
            instance.dispose()

    def _try(self, job: str, op: str, config: Mapping[str, Any]) -> str:
        self._refuse_unknown(config["connection"])
        tags = {CONNECTION_TAG: config["connection"]}
        return self._launch(job, {**QUIET, "ops": {op: {"config": config}}}, tags)

    def _launch(
        self,
        job: str,
        config: Mapping[str, Any],
        tags: Mapping[str, str],
        assets: Sequence[Mapping[str, Any]] | None = None,
    ) -> str:
        selector = self._location.place().job(job)
        tags = {**self._own_tags(), **tags}
        params = {
            "selector": selector if assets is None else {**selector, "assetSelection": assets},
            "mode": "default",
            "runConfigData": config,
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        why = "the run could not be launched"
        done = self._location.do(graphql.LAUNCH, {"params": params}, "LaunchRunSuccess", why, launches=True)
        return str(done["run"]["runId"])

    def _own_tags(self) -> dict[str, str]:
        """What tells the runs that servers of this project launch."""
        return {TRIGGER_TAG: "api", PROJECT_TAG: self._location.project.name}

    def _schedule_state(self, connection: str) -> Mapping[str, Any]:
        selector = self._location.place().schedule(f"{connection}_schedule")
        why = f"Dagster does not know the schedule of {connection}"
        found = self._location.do(graphql.SCHEDULE, {"schedule": selector}, "Schedule", why)
        state: Mapping[str, Any] = found["scheduleState"]
        return state

    def _refuse_unknown(self, *names: str) -> None:
        known = self._location.project.connections
        if unknown := sorted(set(names) - set(known)):
            raise ConfigError(
                f"no connection is named {', '.join(unknown)}",
                hint=f"there are {', '.join(known)}",
                unknown=unknown,
            )

    def _run(self, run_id: str) -> dg.DagsterRun:
        run = self._records().get_run_by_id(run_id)
        if run is None:
            raise RunError(f"there is no run {run_id}", hint="see `headwater runs`", unknown=run_id)
        return run

    def _records(self) -> dg.DagsterInstance:
        with self._lock:
            self._refuse_closed()
            if self._instance is None:
                dagster_home(self._location.project)
                self._instance = open_instance()
            return self._instance

    def _opened(self) -> Transport:
        with self._lock:
            self._refuse_closed()
            if self._transport is None:
                # Loads Dagster's GraphQL, which nobody with an address needs.
                from pipelines.server.dagster_workspace import DagsterWorkspace

                self._transport = DagsterWorkspace(self._location.project, self._records())
                atexit.register(self.close)
            return self._transport

    def _refuse_closed(self) -> None:
        if self._closed:
            raise RunError("the launcher is closed: the server is ending")
