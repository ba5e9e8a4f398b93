"""Runs a project's assets through Dagster in this process, as `headwater sync` does."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import dagster as dg

from connectors.model import ExtractReport
from lineage.store import GraphHeader, open_store
from pipelines.assets.extract import ACCEPT_DROP_TAG, FULL_TAG, PROCESS_TAG, REPLAY_TAG, process_mark
from pipelines.datasets.outcome import DatasetListener, DatasetOutcome, SinkOutcome
from pipelines.datasets.outcome import listeners as dataset_listeners
from pipelines.extract import Listener, Outcome, listeners
from pipelines.flows import keys_of_flows
from pipelines.home import dagster_home
from pipelines.keys import AssetKeys
from pipelines.loading import build_definitions
from pipelines.openlineage import close_emitters
from pipelines.project import Project
from pipelines.statuses import FAILED

# Dagster's console log would drown the summary; the run's own log has everything.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class SyncReport:
    """What a sync did; `made` are the datasets and deliveries. `error` is trouble outside of all of these: the graph
    could not be built, say.
    """

    run_id: str
    outcomes: list[Outcome] = field(default_factory=list)
    made: list[DatasetOutcome | SinkOutcome] = field(default_factory=list)
    graph: GraphHeader | None = None
    error: str | None = None

    @property
    def ok(self) -> bool:
        return (
            self.error is None
            and self.graph is not None
            and all(outcome.status != FAILED for outcome in (*self.outcomes, *self.made))
        )


class SyncListener(Listener, DatasetListener, Protocol):
    """Is told of everything that a sync does."""


class _Outcomes:
    def __init__(self) -> None:
        self.all: list[Outcome] = []
        self.made_all: list[DatasetOutcome | SinkOutcome] = []

    def started(self, connection: str, partition: str, report: ExtractReport) -> None:
        """Nothing to keep."""

    def finished(self, outcome: Outcome) -> None:
        self.all.append(outcome)

    def making(self, name: str, partition: str) -> None:
        """Nothing to keep."""

    def made(self, outcome: DatasetOutcome | SinkOutcome) -> None:
        self.made_all.append(outcome)


def run_sync(
    project: Project,
    names: Sequence[str],
    partitions: Sequence[str],
    *,
    accept_drop: Sequence[str] = (),
    full: bool = False,
    replay: str | None = None,
    listener: SyncListener | None = None,
) -> SyncReport:
    """Syncs the connections for the partitions (consecutive ones), makes the datasets that hang from them, delivers
    those, then builds the graph; one Dagster run.

    With `replay`, a dataset, it tries that one's refused records again, and makes what hangs from it. `full` starts
    without the state that earlier runs left. What a connection fails with is in its outcome; the others go on.
    """
    dagster_home(project)
    keys = AssetKeys()
    selection = keys_of_flows(project, names, keys, replay)
    tags = {PROCESS_TAG: process_mark(os.getpid())}
    if accept_drop:
        tags[ACCEPT_DROP_TAG] = ",".join(accept_drop)
    if replay:
        tags[REPLAY_TAG] = replay
    if full:
        tags[FULL_TAG] = "true"
    if len(partitions) > 1:
        tags["dagster/asset_partition_range_start"] = partitions[0]
        tags["dagster/asset_partition_range_end"] = partitions[-1]
    outcomes = _Outcomes()
    added: list[Any] = [outcomes, *([listener] if listener else [])]
    listeners.extend(added)
    dataset_listeners.extend(added)
    try:
        with dg.DagsterInstance.get() as instance:
            # Its inputs are read anew: what their columns were before is no reason to refuse.
            job = build_definitions(
                project, executor="in_process", check_columns=False
            ).resolve_implicit_global_asset_job_def()
            result = job.execute_in_process(
                instance=instance,
                partition_key=partitions[0] if len(partitions) == 1 else None,
                asset_selection=[*selection, keys.graph],
                tags=tags,
                run_config=QUIET,
                raise_on_error=False,
            )
            built = _graph_of(instance, result.run_id, keys)
            error = None if built else _first_error(result)
    except dg.DagsterExecutionInterruptedError:
        raise KeyboardInterrupt from None
    finally:
        for one in added:
            listeners.remove(one)
            dataset_listeners.remove(one)
        close_emitters()
    graph = (
        open_store(project.storage, project.storage_options).graphs.newest(partitions[-1]) if built else None
    )
    return SyncReport(result.run_id, outcomes.all, outcomes.made_all, graph, error)


def _graph_of(instance: dg.DagsterInstance, run_id: str, keys: AssetKeys) -> bool:
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records
    events = [record.event_log_entry.dagster_event for record in records]
    return any(event is not None and event.asset_key == keys.graph for event in events)


def _first_error(result: dg.ExecuteInProcessResult) -> str:
    for event in result.all_events:
        if event.event_type_value == "STEP_FAILURE" and "synced" not in (event.step_key or ""):
            error: Any = event.event_specific_data
            cause = error.error.cause or error.error
            return f"{event.step_key}: {' '.join(cause.message.split())}"
    return "the graph was not built; see the run in `headwater ui`"
