"""The records of connections' tables: a Delta table for each table and schema.

A run writes each table's rows as a *part*, tagged with the run. A part counts once a snapshot's header names it, so
rows, cursors and resources become true in one commit, and a run that was killed leaves nothing that is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import TableNotFoundError

from connectors.errors import LineageError, StoreError
from lineage.store.datasets import Part, StoredDataset, table_folder
from lineage.store.engine import cursor
from lineage.store.records_writer import PLACE, ROW, SYNC, RecordsWriter, new_sync, tagged
from lineage.store.tables import retried

FOLD_PARTS = 24  # of more, reading would open and order too many
_FOLD_ROWS = 500_000  # written at a time


class Records:
    """The Delta tables of records below a store."""

    def __init__(self, uri: str, options: Mapping[str, str] | None) -> None:
        self.uri = uri
        self._options = dict(options or {})

    def writer(self, connection: str) -> RecordsWriter:
        """A writer for one run of a connection."""
        return RecordsWriter(self, connection)

    def append(self, folder: str, rows: pa.Table) -> None:
        """Appends tagged rows to a table, made when it is absent. They are not seen until a header names them."""
        uri = f"{self.uri}/{folder}"
        retried(
            uri,
            lambda: write_deltalake(
                uri,
                rows,
                mode="append",
                partition_by=[SYNC],
                storage_options=self._options or None,
                configuration={
                    "delta.logRetentionDuration": "interval 7 days",
                    "delta.deletedFileRetentionDuration": "interval 1 days",
                },
            ),
        )

    def open(self, folder: str) -> DeltaTable | None:
        """The Delta table of a folder, None when there is none."""
        try:
            return DeltaTable(f"{self.uri}/{folder}", storage_options=self._options or None)
        except TableNotFoundError:
            return None

    def delete(self, folder: str, where: str) -> None:
        """Deletes rows of a folder's table, by a condition in SQL; nothing where there is no table."""
        retried(f"{self.uri}/{folder}", lambda: table.delete(where) if (table := self.open(folder)) else None)

    def folders(self) -> set[str]:
        """Folders of tables that lie in a local store, named or not; none where the store is remote."""
        root = Path(self.uri)
        if "://" in self.uri or not (root / "records").is_dir():
            return set()
        return {str(log.parent.relative_to(root)) for log in root.glob("records/*/*/*/_delta_log")}

    def read(self, stored: StoredDataset, *, with_sync: bool = False) -> pa.Table:
        """A table's records as they stand. Of rows with one key the last counts; rows of unsettled parts without a
        key count where the settled ones have no equal. `with_sync` adds which run gave each, in `_headwater_sync`.

        Raises LineageError when it has no records, StoreError when they are gone from the store.
        """
        with self._selected(stored, with_sync=with_sync) as selected:
            return selected.to_arrow_table()

    def folded(self, connection: str, name: str, stored: StoredDataset) -> StoredDataset:
        """The same records, the settled parts written as one. What is stored stays as it is."""
        sync, rows = new_sync(), 0
        with self._selected(replace(stored, unsettled=()), with_sync=False) as selected:
            reader = selected.to_arrow_reader(_FOLD_ROWS)
            folder = table_folder(connection, name, reader.schema)
            for batch in reader:
                self.append(folder, tagged(pa.Table.from_batches([batch]), sync, rows))
                rows += batch.num_rows
        return replace(stored, settled=(Part(folder, sync, rows),) if rows else ())

    # -- reading

    @contextmanager
    def _selected(self, stored: StoredDataset, *, with_sync: bool) -> Iterator[Any]:
        """DuckDB's relation of the records as they stand."""
        parts = [*stored.settled, *stored.unsettled]
        if not parts:
            raise LineageError("the table has no records yet")
        with cursor() as engine:
            engine.register("places", pa.table({SYNC: [p.sync for p in parts], PLACE: range(len(parts))}))
            every, columns = self._source(engine, parts)
            tag = f", {SYNC}" if with_sync else ""
            yield engine.sql(
                f"SELECT * EXCLUDE ({ROW}, {SYNC}, {PLACE}){tag} FROM ({every}) "
                f"{_counts(stored, columns)} ORDER BY {PLACE}, {ROW}"
            )

    def _source(self, engine: Any, parts: Sequence[Part]) -> tuple[str, list[str]]:
        """A query of the parts' rows, with their parts' places; and the names of the columns."""
        folders: dict[str, list[str]] = {}
        for part in parts:
            folders.setdefault(part.folder, []).append(part.sync)
        columns: dict[str, None] = {}
        for at, (folder, syncs) in enumerate(folders.items()):
            rows = self._rows_of(folder, syncs)
            engine.register(f"part_{at}", rows)
            columns |= dict.fromkeys(name for name in rows.schema.names if name not in (SYNC, ROW))
        every = " UNION ALL BY NAME ".join(f"SELECT * FROM part_{at}" for at in range(len(folders)))
        return f"SELECT * FROM ({every}) JOIN places USING ({SYNC})", list(columns)

    def _rows_of(self, folder: str, syncs: Sequence[str]) -> ds.Dataset:
        table = self.open(folder)
        if table is None:
            raise StoreError(f"{self.uri}/{folder} is gone", hint="sync the connection again with --full")
        wanted = " OR ".join(f"{SYNC} = '{sync}'" for sync in syncs)
        return table.to_pyarrow_dataset(file_pruning_predicate=wanted).filter(
            ds.field(SYNC).isin(list(syncs))
        )


def _counts(stored: StoredDataset, columns: Sequence[str]) -> str:
    """Which of the rows count: of one key the last; of an unsettled part without a key those that no row equals."""
    if not stored.keys:
        first = f"row_number() OVER (PARTITION BY {_names(columns)} ORDER BY {PLACE}) = 1"
        return f"QUALIFY {PLACE} < {len(stored.settled)} OR {first}" if stored.unsettled else ""
    unknown = " OR ".join(f"{_names([key])} IS NULL" for key in stored.keys)
    last = f"row_number() OVER (PARTITION BY {_names(stored.keys)} ORDER BY {PLACE} DESC, {ROW} DESC) = 1"
    return f"QUALIFY {unknown} OR {last}"


def _names(columns: Sequence[str]) -> str:
    return ", ".join('"' + column.replace('"', '""') + '"' for column in columns)
