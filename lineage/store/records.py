"""The records of connections' tables: a Delta table for each table and schema.

A run writes each table's rows as a *part*, tagged with the run. A part counts once a snapshot's header names it, so
rows, cursors and resources become true in one commit, and a run that was killed leaves nothing that is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import duckdb
import orjson
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import TableNotFoundError

from connectors.errors import StoreError
from connectors.model.naming import quoted
from lineage.store.datasets import Part, StoredDataset, table_folder
from lineage.store.engine import cursor
from lineage.store.part_stream import PartStream
from lineage.store.records_writer import PLACE, ROW, SYNC, RecordsWriter, new_sync, tagged
from lineage.store.tables import retried

# Columns that tell of a sync, and not of the row: CloudQuery's.
_OF_A_SYNC = frozenset({"_cq_sync_time", "_cq_source_name", "_cq_sync_group_id"})
# Groups of rows as large as the files: small ones double the time that writing takes.
_WRITING = WriterProperties(compression="ZSTD", compression_level=1)
_CONFIGURATION: dict[str, str | None] = {
    "delta.logRetentionDuration": "interval 7 days",
    "delta.deletedFileRetentionDuration": "interval 1 days",
}
FOLD_PARTS = 24  # of more, reading would open and order too many
_FOLD_ROWS = 500_000  # written at a time


class WholeFile(NamedTuple):
    """A Parquet file of so many rows; `statistics` as Delta's log has them, in JSON."""

    path: str
    size_bytes: int
    rows: int
    statistics: str


class Records:
    """The Delta tables of records below a store."""

    def __init__(self, uri: str, options: Mapping[str, str] | None) -> None:
        self.uri = uri
        self._options = dict(options or {})

    def writer(self, connection: str) -> RecordsWriter:
        """A writer for one run of a connection."""
        return RecordsWriter(self, connection)

    def stream(self, connection: str, name: str, schema: pa.Schema) -> PartStream:
        """A writer for one part of a table, in one commit."""
        return PartStream(self, connection, name, schema)

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
                writer_properties=_WRITING,
                storage_options=self._options or None,
                configuration=_CONFIGURATION,
            ),
        )

    def make(self, folder: str, schema: pa.Schema) -> None:
        """Makes a table where there is none, for several writers to append to at once."""
        DeltaTable.create(
            f"{self.uri}/{folder}",
            schema=schema,
            mode="ignore",
            partition_by=[SYNC],
            storage_options=self._options or None,
            configuration=_CONFIGURATION,
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
        # A derived dataset's quarantine lies a folder deeper, under the dataset's name.
        logs = (*root.glob("records/*/*/*/_delta_log"), *root.glob("records/*/*/*/*/_delta_log"))
        return {str(log.parent.relative_to(root)) for log in logs}

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

    def files(self, stored: StoredDataset) -> list[str] | None:
        """The Parquet files that hold a table's records; None where they lie in an object store."""
        if "://" in self.uri:
            return None
        return [file for part in (*stored.settled, *stored.unsettled) for file in self._files(part)]

    def whole_files(self, stored: StoredDataset) -> list[WholeFile]:
        """The files of this machine that hold a table's records and nothing else, if there are such files."""
        parts = stored.settled
        if "://" in self.uri or stored.unsettled or _counts(stored, ()):
            return []
        tables = {part.folder: self._table(part) for part in parts}
        names = [{field.name for field in table.schema().fields} for table in tables.values()]
        if any(ROW in one or one != names[0] for one in names):
            return []
        try:
            return [one for part in parts for one in self._whole_files(part, tables[part.folder])]
        except (
            OverflowError,
            ValueError,
        ):  # statistics of days that Python has none for, after the year 9999
            return []

    def _whole_files(self, part: Part, table: DeltaTable) -> Iterator[WholeFile]:
        for action in pa.table(table.get_add_actions()).to_pylist():
            if action["partition"][SYNC] == part.sync:
                path = f"{self.uri}/{part.folder}/{unquote(action['path'])}"
                yield WholeFile(path, action["size_bytes"], action["num_records"], _statistics(action))

    def make_view(
        self,
        engine: duckdb.DuckDBPyConnection,
        name: str,
        stored: StoredDataset,
        *,
        with_sync: bool = False,
        ordered: bool = False,
    ) -> None:
        """Makes the view `name` of the records as they stand in an engine, which may read the `files`; without columns'
        names and rows only where there never were any. Raises StoreError when they are gone.
        """
        parts = [*stored.settled, *stored.unsettled]
        every, columns = self._source(engine, name, parts)
        tag = f", {SYNC}" if with_sync else ""
        shown = ", ".join(quoted(column) for column in columns)
        engine.execute(
            f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS SELECT {shown}{tag} "
            f"FROM ({every}) {_counts(stored, columns)}" + (f" ORDER BY {PLACE}, {ROW}" if ordered else "")
        )

    @contextmanager
    def _selected(self, stored: StoredDataset, *, with_sync: bool) -> Iterator[Any]:
        """DuckDB's relation of the records as they stand, in their order."""
        with cursor() as engine:
            try:
                self.make_view(engine, "records", stored, with_sync=with_sync, ordered=True)
                yield engine.sql("FROM records")
            except duckdb.Error as error:
                folder = (*stored.settled, *stored.unsettled)[-1].folder
                raise StoreError(f"{self.uri}/{folder}: its records cannot be read: {error}") from error

    def _source(self, engine: Any, name: str, parts: Sequence[Part]) -> tuple[str, list[str]]:
        """A query of the parts' rows, with their parts' places; and the names of the columns."""
        tables = {part.folder: self._table(part) for part in parts}
        types: dict[str, set[pa.DataType]] = {}
        schemas = {folder: pa.schema(table.schema().to_arrow()) for folder, table in tables.items()}
        for schema in schemas.values():
            for field in schema:
                types.setdefault(field.name, set()).add(field.type)
        # Of types that differ, only whole numbers have one that holds them all.
        texts = {
            name
            for name, kinds in types.items()
            if len(kinds) > 1 and not all(map(pa.types.is_signed_integer, kinds))
        }
        sources = []
        for place, part in enumerate(parts):
            names = set(schemas[part.folder].names)
            changed = [f"CAST({one} AS VARCHAR) AS {one}" for one in map(quoted, texts & names)]
            as_text = f" REPLACE ({', '.join(changed)})" if changed else ""
            rows = self._rows_of(engine, f"{name}_{place}", part, tables[part.folder])
            number = "" if ROW in names else f", 0::BIGINT AS {ROW}"  # what came in one stream is in no order
            sources.append(f"SELECT *{as_text}, {place} AS {PLACE}{number} FROM {rows}")
        columns = [name for name in types if name not in (SYNC, ROW)]
        return " UNION ALL BY NAME ".join(sources), columns

    def _rows_of(self, engine: Any, name: str, part: Part, table: DeltaTable) -> str:
        """In SQL: a part's rows. Files of this machine DuckDB reads itself, several times as fast."""
        if "://" not in self.uri:
            files = ", ".join("'" + file.replace("'", "''") + "'" for file in self._files(part, table))
            return (
                f"(SELECT *, '{part.sync}' AS {SYNC} FROM read_parquet([{files}], hive_partitioning = false))"
            )
        wanted = f"{SYNC} = '{part.sync}'"
        rows = table.to_pyarrow_dataset(file_pruning_predicate=wanted).filter(ds.field(SYNC) == part.sync)
        engine.register(name, rows)
        return quoted(name)

    def _files(self, part: Part, table: DeltaTable | None = None) -> list[str]:
        actions = pa.table((table or self._table(part)).get_add_actions(flatten=True))
        there = zip(actions["path"].to_pylist(), actions[f"partition.{SYNC}"].to_pylist(), strict=True)
        found = [f"{self.uri}/{part.folder}/{unquote(path)}" for path, sync in there if sync == part.sync]
        if not found:
            raise self._gone(part)
        return found

    def _table(self, part: Part) -> DeltaTable:
        table = self.open(part.folder)
        if table is None:
            raise self._gone(part)
        return table

    def _gone(self, part: Part) -> StoreError:
        return StoreError(f"{self.uri}/{part.folder} is gone", hint="sync the connection again with --full")


def _statistics(action: Mapping[str, Any]) -> str:
    """Of a file, for readers that skip by it: numbers, texts and days; for other types the log has its own forms."""

    def told(name: str) -> dict[str, Any]:
        given = {key: one for key, one in (action[name] or {}).items() if key != SYNC}
        days = {key: one.isoformat() for key, one in given.items() if type(one) is date}
        return {key: one for key, one in given.items() if type(one) in (int, float, str)} | days

    counts = {key: one for key, one in (action["null_count"] or {}).items() if isinstance(one, int)}
    statistics = {"numRecords": action["num_records"], "minValues": told("min"), "maxValues": told("max")}
    return orjson.dumps({**statistics, "nullCount": counts}).decode()


def _counts(stored: StoredDataset, columns: Sequence[str]) -> str:
    """Which of the rows count: of one key the last; of an unsettled part without a key those that no row equals."""
    if stored.distinct and len(stored.settled) + len(stored.unsettled) == 1:
        return ""
    if not stored.keys:
        told = ", ".join(quoted(column) for column in columns if column not in _OF_A_SYNC)
        first = f"row_number() OVER (PARTITION BY {told or SYNC} ORDER BY {PLACE}) = 1"
        return f"QUALIFY {PLACE} < {len(stored.settled)} OR {first}" if stored.unsettled else ""
    keys = [quoted(key) for key in stored.keys]
    unknown = " OR ".join(f"{key} IS NULL" for key in keys)
    last = f"row_number() OVER (PARTITION BY {', '.join(keys)} ORDER BY {PLACE} DESC, {ROW} DESC) = 1"
    return f"QUALIFY {unknown} OR {last}"
