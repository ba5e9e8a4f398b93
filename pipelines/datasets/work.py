"""The work on one dataset and partition, as far as it is the same whatever the work is."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from connectors.datasets.engine import GIB, is_of_a_value, one_line
from connectors.errors import HeadwaterError
from lineage.store import SnapshotHeader
from pipelines.datasets.changes import ColumnChanges
from pipelines.datasets.declared import Origin
from pipelines.datasets.outcome import SKIPPED, DatasetOutcome
from pipelines.datasets.stored import NotThere
from pipelines.extract import describe
from pipelines.statuses import FAILED, SUCCESS, WARNING

MEMORY_BYTES = GIB // 2
SECONDS = 3600.0  # that one dataset may take
OF_A_VALUE = (
    "a record's value does not fit: a conversion, a division or a number out of range "
    "(use try_cast where a value may not fit; give both sides of unique and reference rules one type)"
)
SAMPLES = 10  # records, and faults, that are shown


class DatasetWork(ABC):
    """Counts what it does while it does it."""

    def __init__(self) -> None:
        self.changes = ColumnChanges()
        self.schema: pa.Schema | None = None
        self.origins: Sequence[Origin] = ()
        self.personal: Sequence[str] = ()
        self.forget_counts()

    @abstractmethod
    def run(self) -> SnapshotHeader:
        """Does it, and gives what is stored then. Raises NotThere where there is nothing to do it with, and whatever
        keeps it from being done: nothing is stored then.
        """

    def forget_counts(self) -> None:
        """Begins to count anew."""
        self.rows = self.made = self.invalid = self.quarantined = self.size_bytes = 0
        self.faults: list[Mapping[str, str]] = []
        self.preview: list[dict[str, Any]] = []

    def count(self, batch: pa.RecordBatch) -> None:
        """Counts records of the dataset, and keeps the first to be shown."""
        self.rows += batch.num_rows
        self.made += batch.num_rows
        if len(self.preview) < SAMPLES:
            self.preview += shown_rows(batch.slice(0, SAMPLES - len(self.preview)))

    def count_invalid(self, rows: pa.RecordBatch, *, quarantined: bool) -> None:
        """Counts invalid records, and keeps what is wrong with the first."""
        self.invalid += rows.num_rows
        self.quarantined += rows.num_rows if quarantined else 0
        if len(self.faults) < SAMPLES:
            told = rows.select(["message", "pointer", "keyword"]).slice(0, SAMPLES - len(self.faults))
            self.faults += told.to_pylist()


def told_error(fault: Exception) -> str:
    """What a dataset or a delivery failed with, in one line without a record's value."""
    if isinstance(fault, HeadwaterError):
        return describe(fault)
    if is_of_a_value(fault):  # what DuckDB says of a value holds it
        return OF_A_VALUE
    return one_line(fault) if isinstance(fault, duckdb.Error) else describe(fault)


def shown_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Records to be shown; days and moments that Python has none for (after the year 9999) as texts."""
    columns = []
    for column in batch.columns:
        try:
            columns.append(column.to_pylist())
        except (OverflowError, ValueError):
            columns.append(_texts(column))
    return [dict(zip(batch.schema.names, values, strict=True)) for values in zip(*columns, strict=True)]


def _texts(column: pa.Array) -> list[Any]:
    try:
        return list(pc.cast(column, pa.string()).to_pylist())
    except pa.ArrowNotImplementedError:
        return ["not shown"] * len(column)


def outcome_of(work: DatasetWork, name: str, partition: str, log: logging.Logger) -> DatasetOutcome:
    """Does a work; whatever goes wrong is in the outcome."""
    started_at = datetime.now(UTC)
    status, error, header = FAILED, None, None
    try:
        header = work.run()
        status = WARNING if work.invalid or work.changes else SUCCESS
    except NotThere as absent:
        status, error = SKIPPED, str(absent)
    except Exception as fault:  # noqa: BLE001 - whatever a dataset fails with is its own, and stops no other
        error = told_error(fault)
        log.error("dataset %s failed: %s", name, error)
    return DatasetOutcome(
        name,
        partition,
        status,
        started_at,
        datetime.now(UTC),
        error,
        header,
        rows=work.rows,
        made=work.made,
        invalid=work.invalid,
        quarantined=work.quarantined,
        size_bytes=work.size_bytes,
        changes=work.changes.told,
        faults=tuple(work.faults),
        schema=work.schema,
        origins=work.origins,
        personal=work.personal,
        preview=work.preview,
    )
