"""The contract of a sink, and what goes in and comes out of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

from pydantic import Field, model_validator

from connectors.connector import ConnectorConfig
from connectors.errors import DatasetError
from connectors.model import CheckResult

if TYPE_CHECKING:
    import pyarrow as pa

Mode = Literal["replace", "append", "upsert", "delete_stale"]
KEYED: frozenset[str] = frozenset({"upsert", "delete_stale"})


class SinkConfig(ConnectorConfig):
    """What every sink is told. A sink's own `Config` adds where its target is."""

    mode: Mode = Field(
        "replace",
        description="replace what is there, append what is new, upsert by key, or that and delete what is stale",
    )
    key: list[str] = Field(
        [], description="The columns that name a record; upsert and delete_stale need them"
    )

    @model_validator(mode="after")
    def _keyed(self) -> Self:
        if self.mode in KEYED and not self.key:
            raise ValueError(f"mode {self.mode} needs `key`: the columns that name a record")
        if len(set(self.key)) < len(self.key):
            raise ValueError("`key` names a column twice")
        return self


class RecordsFile(Protocol):
    """A Parquet file of this machine: its rows, and their statistics as Delta's log has them, in JSON."""

    @property
    def path(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def rows(self) -> int: ...
    @property
    def statistics(self) -> str: ...


@dataclass(frozen=True)
class Delivery:
    """What is to be written of one dataset and partition.

    `number` names the delivery, a later one has a larger: int64, microseconds. `records` gives all records, for
    append the new ones alone; each call reads the same ones anew. `stale` gives the key columns of records that an
    earlier delivery gave and this one has not; delete_stale needs it. `files`, where there are any, hold exactly what
    `records` gives: a sink may copy them instead.
    `after` is what `delivered` told when it was found out which records are new or stale.
    """

    dataset: str
    partition: str
    number: int
    schema: pa.Schema
    records: Callable[[], pa.RecordBatchReader]
    stale: Callable[[], pa.RecordBatchReader] | None = None
    files: Sequence[RecordsFile] = ()
    after: Mapping[str, int] | None = None

    def refuse_others(self, held: Mapping[str, int]) -> None:
        """Raises DatasetError where the target holds other deliveries than those that this one was made after."""
        if self.after is not None and dict(held) != dict(self.after):
            raise DatasetError(
                f"{self.dataset}: another delivery was written meanwhile",
                hint="deliver it again",
                retryable=True,
            )


@dataclass(frozen=True)
class Delivered:
    """What a delivery did. `already`: the target had it, or a later one, before, and nothing was written.

    `rows` are the records written; `deleted` those that delete_stale deleted; `uri` holds no secret.
    """

    rows: int
    uri: str
    deleted: int | None = None
    already: bool = False


@dataclass(frozen=True)
class Target:
    """The place of one dataset, named as a connection to it would: `address` like postgres://host:5432/shop."""

    uri: str
    platform: str
    address: str | None = None
    database: str | None = None
    schema: str | None = None
    table: str | None = None


class Sink(ABC):
    """Writes datasets to one kind of target, each dataset to a folder, file or table of its own.

    A delivery is done whole or not at all, whatever happens, and once however often it is given. A failure is a
    `DatasetError`, retryable when another delivery or program was in the way.
    """

    kinds: ClassVar[frozenset[str]] = frozenset()

    class Config(SinkConfig):
        """No settings of its own."""

    def __init__(self, config: SinkConfig, folder: Path) -> None:
        """`folder` is the project's: relative paths of the configuration start there."""
        self.config: Any = config
        self.folder = folder

    @abstractmethod
    def target(self, dataset: str) -> Target:
        """Where a dataset goes. Raises DatasetError for a name that the target cannot have."""

    @abstractmethod
    def delivered(self, dataset: str) -> dict[str, int]:
        """By partition the number of the last delivery that the target holds, from the target's own records.

        Empty where there is none, and where the dataset's target was taken away.
        """

    @abstractmethod
    def put(self, delivery: Delivery) -> Delivered:
        """Does a delivery that `deliver` has looked at."""

    @abstractmethod
    def check(self) -> Iterable[CheckResult]:
        """Tries to reach the target and to write there; leaves nothing behind."""

    def deliver(self, delivery: Delivery) -> Delivered:
        """Writes a delivery. Raises DatasetError, also for records that cannot be read."""
        mode, names = self.config.mode, delivery.schema.names
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise DatasetError(f"{delivery.dataset}: two columns are named {repeated[0]}", hint="rename one")
        if not names:
            raise DatasetError(f"{delivery.dataset}: it has no columns", hint="a target needs at least one")
        if mode in KEYED and (missing := [name for name in self.config.key if name not in names]):
            raise DatasetError(
                f"{delivery.dataset}: it has no column {', '.join(missing)}, which is its sink's key",
                hint=f"its columns are {', '.join(names)}",
            )
        if mode == "delete_stale" and delivery.stale is None:
            raise DatasetError(f"{delivery.dataset}: nothing says which records are stale")
        return self.put(delivery)
