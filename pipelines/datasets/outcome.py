"""What became of datasets and deliveries, and who is told of it while it happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from lineage.store import DATASETS, SINKS, SnapshotHeader

if TYPE_CHECKING:
    import pyarrow as pa

    from connectors.sinks import Delivered, Target
    from pipelines.datasets.declared import Origin

SKIPPED = "SKIPPED"  # nothing to be made of, or nothing to be given


@dataclass(frozen=True)
class DatasetOutcome:
    """What became of one dataset and partition. `invalid` counts the records that are not valid, whatever became of
    them, `quarantined` those kept to be replayed; `rows` those that the dataset has, `made` those that it has of this
    run; `faults` are samples of what is wrong.
    """

    dataset: str
    partition: str
    status: str
    started_at: datetime
    ended_at: datetime
    error: str | None = None
    header: SnapshotHeader | None = None
    rows: int = 0
    made: int = 0
    invalid: int = 0
    quarantined: int = 0
    size_bytes: int = 0
    changes: tuple[str, ...] = ()
    faults: tuple[Mapping[str, str], ...] = ()
    schema: pa.Schema | None = None
    origins: Sequence[Origin] = ()
    personal: Sequence[str] = ()
    preview: Sequence[Mapping[str, Any]] = ()

    @property
    def name(self) -> str:
        return f"{DATASETS}/{self.dataset}"


@dataclass(frozen=True)
class SinkOutcome:
    """What became of one delivery."""

    sink: str
    dataset: str
    partition: str
    status: str
    started_at: datetime
    ended_at: datetime
    error: str | None = None
    delivered: Delivered | None = None
    target: Target | None = None
    schema: pa.Schema | None = None
    rows: int = 0
    size_bytes: int = 0
    preview: Sequence[Mapping[str, Any]] = ()
    personal: Sequence[str] = ()

    @property
    def name(self) -> str:
        return f"{SINKS}/{self.sink}/{self.dataset}"


class DatasetListener(Protocol):
    """Is told how datasets and deliveries of this process go; `name` is `datasets/...` or `sinks/...`."""

    def making(self, name: str, partition: str) -> None:
        """One began."""

    def made(self, outcome: DatasetOutcome | SinkOutcome) -> None:
        """One ended."""


listeners: list[DatasetListener] = []
T = TypeVar("T", DatasetOutcome, SinkOutcome)


def told(name: str, partition: str, work: Callable[[], T]) -> T:
    """Does the work, and tells the listeners."""
    for listener in listeners:
        listener.making(name, partition)
    outcome = work()
    for listener in listeners:
        listener.made(outcome)
    return outcome
