"""The API's answers about runs, metrics and started work as types, as `answers` has the others."""

from __future__ import annotations

from typing import Any, NotRequired

from typing_extensions import TypedDict


class DatasetRun(TypedDict):
    """What a run did with one dataset, over all of its partitions."""

    dataset: str
    status: str
    records: int
    size_bytes: int
    errors: int
    quarantined: int
    started_at: str | None
    ended_at: str | None
    partitions: list[str]
    error: str | None


class FlowRun(TypedDict):
    """A connection's part of a run of Dagster, and that of all that hangs from it; the sums are of `datasets`.
    `link` is the run's page below the address of Dagster's UI.
    """

    id: str
    run_number: int
    flow: str
    status: str
    trigger: str
    attempt: int
    partitions: list[str]
    started_at: str | None
    ended_at: str | None
    complete: bool
    resources: int
    warnings: int
    error: str | None
    records: int
    size_bytes: int
    errors: int
    quarantined: int
    link: str
    datasets: list[DatasetRun]


class FlowRunPage(TypedDict):
    """Some of the flow runs."""

    items: list[FlowRun]
    next_cursor: str | None


class Run(TypedDict):
    """A run of Dagster. What is not recorded yet is null."""

    id: str
    run_number: int | None
    status: str | None
    trigger: str | None
    error: str | None
    link: str
    flows: list[FlowRun]


class LogEntry(TypedDict):
    """A line of a run's log."""

    at: str
    level: str
    message: str
    step: str | None
    event: str | None


class LogPage(TypedDict):
    """Some of a run's log."""

    items: list[LogEntry]
    next_cursor: str | None


class WorkResult(TypedDict):
    """What a preview or a check found. Of a check `ok` and `checks`; of a preview the rest."""

    connection: str | None
    error: str | None
    ok: NotRequired[bool]
    checks: NotRequired[list[dict[str, Any]]]
    counts: NotRequired[dict[str, int]]
    samples: NotRequired[dict[str, list[dict[str, Any]]]]
    tables: NotRequired[dict[str, Any]]


class UnderWay(TypedDict):
    """That a run has not ended."""

    status: str | None


class ExternalRun(TypedDict):
    """A run of another system, and the connection that told of it."""

    connection: str
    id: str
    job: str
    status: str
    started_at: str
    ended_at: NotRequired[str | None]
    inputs: NotRequired[list[str]]
    outputs: NotRequired[list[str]]
    error: NotRequired[str | None]
    parent: NotRequired[str | None]


class ExternalRuns(TypedDict):
    """The newest runs of other systems."""

    items: list[ExternalRun]


class Metric(TypedDict):
    """Sums of one dataset: of a run, or of a UTC day, then without what is a run's own."""

    dataset: str
    records: int
    size_bytes: int
    errors: int
    quarantined: int
    runs: int
    day: str
    run_number: NotRequired[int]
    id: NotRequired[str]
    status: NotRequired[str]
    started_at: NotRequired[str]
    ended_at: NotRequired[str]


class MetricPage(TypedDict):
    """Some of the sums."""

    items: list[Metric]
    next_cursor: str | None


class Launched(TypedDict):
    """The run that was started or is to end. `run_number` is null until it is recorded."""

    run_id: str
    run_number: int | None
    link: str


class ScheduleState(TypedDict):
    """A connection's schedule, and whether it is on."""

    connection: str
    schedule: str | None
    on: bool
