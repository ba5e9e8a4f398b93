"""Where what a connector gives goes in a run: declarations to the snapshot, records to their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors import Dataset, DeclaredLineage, RefusedRow, Resource, Statement
from lineage.store import RecordsWriter, SnapshotWriter

if TYPE_CHECKING:
    import pyarrow as pa


class RunIngest:
    """Hands on to the writers of one run."""

    def __init__(self, snapshot: SnapshotWriter, records: RecordsWriter) -> None:
        self.resource = snapshot.resource
        self.declaration = snapshot.declaration
        self.statement = snapshot.statement
        self.dataset = records.dataset
        self.records = records.records
        self.refused = records.refused


class Nowhere:
    """Keeps nothing: for a connector that is asked something and not run."""

    def resource(self, resource: Resource) -> None: ...
    def declaration(self, declaration: DeclaredLineage) -> None: ...
    def statement(self, statement: Statement) -> None: ...
    def dataset(self, dataset: Dataset, schema: pa.Schema) -> None: ...
    def records(self, table: str, batch: pa.RecordBatch) -> None: ...
    def refused(self, row: RefusedRow) -> None: ...
