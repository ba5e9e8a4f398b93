"""Work that is told of when it begins and when it has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from connectors import Window
from connectors.config.secrets import Redactor
from lineage import LineageGraph
from lineage.store import GraphHeader
from pipelines.extract import Outcome, describe
from pipelines.openlineage.emitter import emitter_of
from pipelines.project import Project
from pipelines.statuses import FAILED

GRAPH_JOB = "lineage_graph"


@dataclass(frozen=True)
class DagsterRun:
    """Dagster's run that the work belongs to."""

    run_id: str
    job: str


@dataclass(frozen=True)
class Task:
    """One run of one job: of a connection (its flow) or of the graph, for one partition."""

    parent: DagsterRun
    job: str
    window: Window

    @property
    def run_id(self) -> UUID:
        """The same for the same run of Dagster, job and partition, whoever asks."""
        return uuid5(_uuid(self.parent.run_id), f"{self.job}/{self.window.key}")

    @property
    def parent_id(self) -> UUID:
        return _uuid(self.parent.run_id)


@dataclass(frozen=True)
class Note:
    """What is to be told of a task: that it began, or how it ended."""

    task: Task
    state: Literal["START", "COMPLETE", "FAIL", "ABORT"]
    at: datetime
    result: Outcome | GraphHeader | None = None
    error: str | None = None


def told_extract(
    project: Project, parent: DagsterRun, name: str, window: Window, extract: Callable[[], Outcome]
) -> Outcome:
    """Runs the extract of a connection, and tells of it."""
    emitter = emitter_of(project)
    if emitter is None:
        return extract()
    task = Task(parent, name, window)
    emitter.put(Note(task, "START", datetime.now(UTC)))
    try:
        outcome = extract()
    except BaseException:  # it was interrupted: trouble of the source is in the outcome
        emitter.put(Note(task, "ABORT", datetime.now(UTC)))
        raise
    state: Literal["FAIL", "COMPLETE"] = "FAIL" if outcome.status == FAILED else "COMPLETE"
    emitter.put(Note(task, state, outcome.ended_at, outcome, outcome.error))
    return outcome


def told_graph(
    project: Project, parent: DagsterRun, window: Window, build: Callable[[], LineageGraph]
) -> LineageGraph:
    """Builds the graph, and tells of it."""
    emitter = emitter_of(project)
    if emitter is None:
        return build()
    task = Task(parent, GRAPH_JOB, window)
    emitter.put(Note(task, "START", datetime.now(UTC)))
    try:
        graph = build()
    except BaseException as error:
        failed = isinstance(error, Exception)
        told = _redacted(project, error) if failed else None
        emitter.put(Note(task, "FAIL" if failed else "ABORT", datetime.now(UTC), error=told))
        raise
    emitter.put(Note(task, "COMPLETE", datetime.now(UTC), graph.header))
    return graph


def _uuid(run_id: str) -> UUID:
    """Dagster's run ids are UUIDs, but for those that somebody gave a run by hand."""
    try:
        return UUID(run_id)
    except ValueError:
        return uuid5(NAMESPACE_URL, run_id)


def _redacted(project: Project, error: BaseException) -> str:
    """The error in one line. A graph's build reads no source: what is secret there is how the store is reached."""
    return Redactor(project.storage_options.values())(describe(error))
