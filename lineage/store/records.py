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

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import TableNotFoundError

from connectors.errors import StoreError
from lineage.store.datasets import Part, StoredDataset, table_folder
from lineage.store.engine import cursor
from lineage.store.records_writer import PLACE, ROW, SYNC, RecordsWriter, new_sync, tagged
from lineage.store.tables import retried

# Columns that tell of a sync, and not of the row: CloudQuery's.
_OF_A_SYNC = frozenset({"_cq_sync_time", "_cq_source_name", "_cq_sync_group_id"})
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
        """A table's records as they stand; an empty table without columns where there never were any.

        Of rows with one key the last counts; rows of unsettled parts without a key count where the settled ones have no
        equal. A column whose type has changed is text, where no type holds both. `with_sync` adds which run gave each,
        in `_headwater_sync`. Raises StoreError when they are gone from the store or cannot be read.
        """
        if not (stored.settled or stored.unsettled):
            return pa.table({})
        with self._selected(stored, with_sync=with_sync) as selected:
            return selected.to_arrow_table()

    def folded(self, connection: str, name: str, stored: StoredDataset, most: int) -> StoredDataset:
        """The same records, with the settled parts as one, and the unsettled ones as one, where they are more than
        `most`. What is stored stays as it is. Raises StoreError when it cannot be read.
        """
        kept: dict[str, tuple[Part, ...]] = {}
        for kind in ("settled", "unsettled"):
            parts = getattr(stored, kind)
            if len(parts) > most:
                alone = replace(stored, settled=(), unsettled=())
                kept[kind] = self._folded(connection, name, replace(alone, **{kind: parts}))
        return replace(stored, **kept)  # type: ignore[arg-type]  # the names are those of its parts

    def _folded(self, connection: str, name: str, stored: StoredDataset) -> tuple[Part, ...]:
        sync, rows = new_sync(), 0
        with self._selected(stored, with_sync=False) as selected:
            reader = selected.to_arrow_reader(_FOLD_ROWS)
            folder = table_folder(connection, name, reader.schema)
            for batch in reader:
                self.append(folder, tagged(pa.Table.from_batches([batch]), sync, rows))
                rows += batch.num_rows
        return (Part(folder, sync, rows),) if rows else ()

    # -- reading

    @contextmanager
    def _selected(self, stored: StoredDataset, *, with_sync: bool) -> Iterator[Any]:
        """DuckDB's relation of the records as they stand."""
        parts = [*stored.settled, *stored.unsettled]
        with cursor() as engine:
            engine.register("places", pa.table({SYNC: [p.sync for p in parts], PLACE: range(len(parts))}))
            every, columns = self._source(engine, parts)
            tag = f", {SYNC}" if with_sync else ""
            try:
                yield engine.sql(
                    f"SELECT * EXCLUDE ({ROW}, {SYNC}, {PLACE}){tag} FROM ({every}) "
                    f"{_counts(stored, columns)} ORDER BY {PLACE}, {ROW}"
                )
            except duckdb.Error as error:
                raise StoreError(
                    f"{self.uri}/{parts[-1].folder}: its records cannot be read: {error}"
                ) from error

    def _source(self, engine: Any, parts: Sequence[Part]) -> tuple[str, list[str]]:
        """A query of the parts' rows, with their parts' places; and the names of the columns."""
        folders: dict[str, list[str]] = {}
        for part in parts:
            folders.setdefault(part.folder, []).append(part.sync)
        found = [self._rows_of(folder, syncs) for folder, syncs in folders.items()]
        types: dict[str, set[pa.DataType]] = {}
        for rows in found:
            for field in rows.schema:
                types.setdefault(field.name, set()).add(field.type)
        # Of types that differ, only whole numbers have one that holds them all.
        texts = {
            name
            for name, kinds in types.items()
            if len(kinds) > 1 and not all(map(pa.types.is_signed_integer, kinds))
        }
        sources = []
        for at, rows in enumerate(found):
            engine.register(f"part_{at}", rows)
            changed = [
                f"CAST({one} AS VARCHAR) AS {one}" for one in map(_name, texts & set(rows.schema.names))
            ]
            as_text = f" REPLACE ({', '.join(changed)})" if changed else ""
            sources.append(f"SELECT *{as_text} FROM part_{at}")
        every = " UNION ALL BY NAME ".join(sources)
        columns = [name for name in types if name not in (SYNC, ROW)]
        return f"SELECT * FROM ({every}) JOIN places USING ({SYNC})", columns

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
        told = ", ".join(_name(column) for column in columns if column not in _OF_A_SYNC)
        first = f"row_number() OVER (PARTITION BY {told or SYNC} ORDER BY {PLACE}) = 1"
        return f"QUALIFY {PLACE} < {len(stored.settled)} OR {first}" if stored.unsettled else ""
    keys = [_name(key) for key in stored.keys]
    unknown = " OR ".join(f"{key} IS NULL" for key in keys)
    last = f"row_number() OVER (PARTITION BY {', '.join(keys)} ORDER BY {PLACE} DESC, {ROW} DESC) = 1"
    return f"QUALIFY {unknown} OR {last}"


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
