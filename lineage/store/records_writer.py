"""Writes the rows of one run's tables as parts."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from connectors.errors import StoreError
from connectors.model import Dataset, RefusedRow
from lineage.store.datasets import REFUSED, Part, table_folder
from lineage.store.stored_types import stored_batch, stored_schema

if TYPE_CHECKING:
    from lineage.store.records import Records

SYNC, ROW = "_headwater_sync", "_headwater_row"  # which run gave a row, and its number there
PLACE = "_headwater_place"  # of its part among those that are read
# Of one table: what is written first, and at most; every write is a commit and a file.
_FLUSH_BYTES, _LARGEST_FLUSH_BYTES = 8 * 1024 * 1024, 64 * 1024 * 1024
_MOST_BYTES = 192 * 1024 * 1024  # of all tables of a run
_REFUSED_AT_ONCE = 1000
_REFUSED_SCHEMA = pa.schema([(name, pa.string()) for name in RefusedRow.__dataclass_fields__])


def new_sync() -> str:
    """A tag for the rows of one run: when it began, and something that no other has."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def tagged(rows: pa.Table, sync: str, first: int) -> pa.Table:
    """Rows with their tag and their numbers from `first` on."""
    numbers = pa.arange(first, first + rows.num_rows)
    return rows.append_column(ROW, numbers).append_column(SYNC, pa.repeat(pa.scalar(sync), rows.num_rows))


class WrittenTable(NamedTuple):
    """What a run wrote of a table: `part` is None where it had no rows."""

    dataset: Dataset
    schema: pa.Schema
    part: Part | None


class RecordsWriter:
    """Writes the rows of one run's tables, a few megabytes at a time. Bounded in memory over all tables."""

    def __init__(self, records: Records, connection: str) -> None:
        self._records = records
        self._connection = connection
        self.sync = new_sync()
        self._tables: dict[str, _Pending] = {}

    def dataset(self, dataset: Dataset, schema: pa.Schema) -> None:
        """Announces a table. Raises StoreError for one that cannot be stored."""
        if dataset.name == REFUSED:
            raise StoreError(f"a table is named {REFUSED}", hint="that name is headwater's own")
        self._tables[dataset.name] = _Pending(dataset, stored_schema(schema, dataset.name))

    def records(self, table: str, batch: pa.RecordBatch) -> None:
        pending = self._tables[table]
        pending.add(stored_batch(batch, pending.schema, table))
        self._hold_down(pending)

    def _hold_down(self, pending: _Pending) -> None:
        """Writes what is more than memory is to hold."""
        if pending.size >= pending.flush_bytes:
            self._flush(pending)
            pending.flush_bytes = min(pending.flush_bytes * 2, _LARGEST_FLUSH_BYTES)
        while sum(one.size for one in self._tables.values()) > _MOST_BYTES:
            self._flush(max(self._tables.values(), key=lambda one: one.size))

    def refused(self, row: RefusedRow) -> None:
        if REFUSED not in self._tables:
            self._tables[REFUSED] = _Pending(Dataset(REFUSED), stored_schema(_REFUSED_SCHEMA, REFUSED))
        self._tables[REFUSED].refuse(row)
        self._hold_down(self._tables[REFUSED])

    def finish(self) -> dict[str, WrittenTable]:
        """Writes what is left; gives what was written of each table."""
        for pending in self._tables.values():
            self._flush(pending)
        return {
            name: WrittenTable(
                one.dataset, one.schema, Part(self._folder(one), self.sync, one.rows) if one.rows else None
            )
            for name, one in self._tables.items()
        }

    def _folder(self, pending: _Pending) -> str:
        return table_folder(self._connection, pending.dataset.name, pending.schema)

    def _flush(self, pending: _Pending) -> None:
        if rows := pending.take(self.sync):
            self._records.append(self._folder(pending), rows)


class _Pending:
    """A table's rows that are yet to be written."""

    def __init__(self, dataset: Dataset, schema: pa.Schema) -> None:
        self.dataset = dataset
        self.schema = schema
        self.rows = 0
        self.size = 0
        self.flush_bytes = _FLUSH_BYTES
        self._batches: list[pa.RecordBatch] = []
        self._refused: list[RefusedRow] = []

    def add(self, batch: pa.RecordBatch) -> None:
        self._batches.append(batch)
        self.rows += batch.num_rows
        self.size += batch.nbytes

    def refuse(self, row: RefusedRow) -> None:
        self._refused.append(row)
        if len(self._refused) >= _REFUSED_AT_ONCE:
            self._take_refused()

    def _take_refused(self) -> None:
        rows = [{name: _whole(text) for name, text in asdict(row).items()} for row in self._refused]
        self._refused = []
        self.add(pa.RecordBatch.from_pylist(rows, schema=self.schema))

    def take(self, sync: str) -> pa.Table | None:
        if self._refused:
            self._take_refused()
        if not self._batches:
            return None
        table = pa.Table.from_batches(self._batches, self.schema)
        self._batches, self.size = [], 0
        return tagged(table, sync, self.rows - table.num_rows)


def _whole(text: str) -> str:
    """A text with no half characters, which cannot be stored."""
    return text.encode("utf-8", "backslashreplace").decode()
