"""Flow runs as they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.statuses import CANCELED, FAILED, QUEUED, RUNNING, SUCCESS, WARNING

LOST = "the process that ran it is gone"  # why a run failed that nobody ended
_WORST = (SUCCESS, WARNING, CANCELED, FAILED)


@dataclass(frozen=True)
class DatasetRun:
    """What a run did with one dataset, over all of its partitions. Times are ISO texts in UTC.

    `dataset` is `resources/<connection>` (its catalogue), `<connection>/<table>` (a table whose records it copied),
    `datasets/<name>` or `sinks/<sink>/<dataset>`. `records` were stored or delivered, `size_bytes` is the size of their
    Arrow data. `errors` counts what was refused, quarantined or could not be read, and a failure itself as one;
    `quarantined` are those records of them that wait to be replayed.
    """

    dataset: str
    status: str
    records: int
    size_bytes: int
    errors: int
    quarantined: int
    started_at: str | None
    ended_at: str | None
    partitions: Sequence[str]
    error: str | None = None


@dataclass(frozen=True)
class FlowRun:
    """One flow's part of a run of Dagster: a connection's, and that of all that hangs from it.

    `run_number` is the run's creation in milliseconds since 1970, unique and increasing. `trigger` is manual, schedule,
    sensor, backfill or api (headwater's server); `attempt` counts from 1. `complete` says that every connection's
    extract was. `resources` counts the catalogue's entries. The sums are of `datasets`. `link` is the run's page below
    the address of Dagster's UI.
    """

    id: str
    run_number: int
    flow: str
    status: str
    trigger: str
    attempt: int
    partitions: Sequence[str]
    started_at: str | None
    ended_at: str | None
    complete: bool
    resources: int
    warnings: int
    error: str | None
    datasets: Sequence[DatasetRun]

    @property
    def records(self) -> int:
        return sum(one.records for one in self.datasets)

    @property
    def size_bytes(self) -> int:
        return sum(one.size_bytes for one in self.datasets)

    @property
    def errors(self) -> int:
        return sum(one.errors for one in self.datasets)

    @property
    def quarantined(self) -> int:
        return sum(one.quarantined for one in self.datasets)

    @property
    def link(self) -> str:
        return f"/runs/{self.id}"

    def to_dict(self) -> dict[str, Any]:
        """As `headwater runs --json` prints it."""
        sums = ("records", "size_bytes", "errors", "quarantined", "link")
        datasets = [asdict(one) for one in self.datasets]
        return {**vars(self), **{name: getattr(self, name) for name in sums}, "datasets": datasets}


@dataclass(frozen=True)
class Metric:
    """Sums of one dataset: of one run (`run_number`, `id` and `status` are its) or of one UTC day (`day`). A run
    belongs to the day of its creation; `runs` counts those summed.
    """

    dataset: str
    records: int
    size_bytes: int
    errors: int
    quarantined: int
    runs: int
    day: str
    run_number: int | None = None
    id: str | None = None
    status: str | None = None
    started_at: str | None = None
    ended_at: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As `headwater metrics --json` prints it; what a sum of a day has not is left out."""
        return {name: value for name, value in vars(self).items() if value is not None}


def worst(statuses: Sequence[str]) -> str:
    """The status of a whole from those of its parts."""
    if any(one in (RUNNING, QUEUED) for one in statuses):
        return QUEUED if set(statuses) == {QUEUED} else RUNNING
    return max(statuses, key=_WORST.index, default=SUCCESS)


def iso(milliseconds: float | None) -> str | None:
    """A moment as it is shown."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def of_iso(text: str | None) -> int | None:
    """Milliseconds since 1970 of a moment as text."""
    return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)
