"""Where what a connector gives goes in a run: declarations to the snapshot, records to their tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors import Dataset, DeclaredLineage, ExternalRun, RefusedRow, Resource, Statement
from lineage.store import RecordsWriter, SnapshotWriter

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class GivenTable:
    """What a run gave of a table's records so far; its size is that of its Arrow data."""

    schema: pa.Schema
    rows: int = 0
    size_bytes: int = 0


class RunIngest:
    """Hands on to the writers of one run, and counts the records in `given`, by table."""

    def __init__(self, snapshot: SnapshotWriter, records: RecordsWriter) -> None:
        self.resource = snapshot.resource
        self.declaration = snapshot.declaration
        self.statement = snapshot.statement
        self.run = snapshot.run
        self.refused = records.refused
        self.given: dict[str, GivenTable] = {}
        self._records = records

    def dataset(self, dataset: Dataset, schema: pa.Schema) -> None:
        self._records.dataset(dataset, schema)
        self.given[dataset.name] = GivenTable(schema)

    def records(self, table: str, batch: pa.RecordBatch) -> None:
        self._records.records(table, batch)
        given = self.given[table]
        given.rows += batch.num_rows
        given.size_bytes += batch.nbytes


class Nowhere:
    """Keeps nothing: for a connector that is asked something and not run."""

    def resource(self, resource: Resource) -> None: ...
    def declaration(self, declaration: DeclaredLineage) -> None: ...
    def statement(self, statement: Statement) -> None: ...
    def run(self, run: ExternalRun) -> None: ...
    def dataset(self, dataset: Dataset, schema: pa.Schema) -> None: ...
    def records(self, table: str, batch: pa.RecordBatch) -> None: ...
    def refused(self, row: RefusedRow) -> None: ...
