"""The work on one dataset and partition, as far as it is the same whatever the work is."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa

from connectors.datasets.engine import GIB, is_of_a_value, one_line
from connectors.errors import HeadwaterError
from lineage.store import SnapshotHeader
from pipelines.datasets.changes import ColumnChanges
from pipelines.datasets.declared import Origin
from pipelines.datasets.outcome import SKIPPED, DatasetOutcome
from pipelines.datasets.stored import NotThere
from pipelines.extract import FAILED, SUCCESS, WARNING, describe

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
        self.rows = self.invalid = self.size_bytes = 0
        self.faults: list[Mapping[str, str]] = []
        self.preview: list[dict[str, Any]] = []

    def count(self, batch: pa.RecordBatch) -> None:
        """Counts records of the dataset, and keeps the first to be shown."""
        self.rows += batch.num_rows
        if len(self.preview) < SAMPLES:
            self.preview += batch.slice(0, SAMPLES - len(self.preview)).to_pylist()

    def count_invalid(self, rows: pa.RecordBatch) -> None:
        """Counts invalid records, and keeps what is wrong with the first."""
        self.invalid += rows.num_rows
        if len(self.faults) < SAMPLES:
            told = rows.select(["message", "pointer", "keyword"]).slice(0, SAMPLES - len(self.faults))
            self.faults += told.to_pylist()


def outcome_of(work: DatasetWork, name: str, partition: str, log: logging.Logger) -> DatasetOutcome:
    """Does a work; whatever goes wrong is in the outcome."""
    started_at = datetime.now(UTC)
    status, error, header = FAILED, None, None
    try:
        header = work.run()
        status = WARNING if work.invalid or work.changes else SUCCESS
    except NotThere as absent:
        status, error = SKIPPED, str(absent)
    except (HeadwaterError, duckdb.Error, pa.ArrowException, OSError) as fault:
        if isinstance(fault, HeadwaterError):
            error = describe(fault)
        else:  # what DuckDB says of a value holds it
            error = OF_A_VALUE if is_of_a_value(fault) else one_line(fault)
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
        invalid=work.invalid,
        size_bytes=work.size_bytes,
        changes=work.changes.told,
        faults=tuple(work.faults),
        schema=work.schema,
        origins=work.origins,
        personal=work.personal,
        preview=work.preview,
    )
