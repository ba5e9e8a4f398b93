"""One Delta table of content-addressed facts, and the only code that writes Delta.

A table holds three kinds of rows, told apart by the partition column `segment`:

- *headers* (`segment = 'headers'`): one row for each `(scope, key, kind)`, small, naming a content by its hash;
- *what lies beside a header* (`segment = 'beside'`): a row like it, for what is large and seldom asked for;
- *content* (`segment = <hash>`): the rows themselves, immutable, shared by every header that names the hash. A
  content that is little changed lies as its changes over a whole one (`segment = <hash>-<hash of that one>`).

So a state equal to one already stored costs its header alone, one that is little changed its changes, and one commit
replaces a header together with the content it names: readers see the old state or the new one, never a mixture.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, TypeVar

import duckdb
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, QueryBuilder, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError

from connectors.errors import StoreError
from lineage.store.contents import (
    changes,
    differing_keys,
    merged_changes,
    over,
    patched_whole,
    pieces_of,
    scan,
)
from lineage.store.engine import cursor

FORMAT_VERSION = 3
HEADERS, BESIDE = "headers", "beside"
COMMIT_DEADLINE_S = 120.0
_BATCH_ROWS = 20_000
# A group of rows is in memory until it is written, and is passed over as a whole by who reads other kinds.
_WRITING = WriterProperties(compression="ZSTD", max_row_group_size=131_072)

PARTITIONS = [("scope", pa.string()), ("segment", pa.string())]
HEADER_FIELDS = [
    ("kind", pa.string()),
    ("key", pa.string()),
    ("content", pa.string()),
    ("header", pa.string()),
]

T = TypeVar("T")


@dataclass(frozen=True)
class Rows:
    """A content to be written: what queries give in an engine; `kind`, `key` and `digest` are among their columns."""

    engine: duckdb.DuckDBPyConnection
    queries: Sequence[str]

    @classmethod
    def of(cls, table: pa.Table) -> Rows:
        engine = cursor()
        engine.register("given", table)
        return cls(engine, ["SELECT * FROM given ORDER BY kind, key"])


@dataclass(frozen=True)
class Change:
    """What a commit puts: a header of a kind, and the content that it names.

    `rows` gives the content and is called only when it is not stored yet; `clears` are further kinds of header under
    the same key that this one takes the place of; `beside` lies beside the header, and goes when it goes. `patch` is a
    stored content of the scope, and the changes (rows of `<kind>`, or of `-<kind>` where one is gone) that make this
    one of it: when that can be read, `rows` is not called.
    """

    kind: str
    header: str
    content: str
    rows: Callable[[], Rows]
    clears: tuple[str, ...] = ()
    beside: str | None = None
    patch: tuple[str, Rows] | None = None


class ContentTable:
    """A Delta table at `uri`. `fields` are the columns of content rows; `kind` and `key` are among every
    row's. `empty` is the hash of a content without rows, where that has one of its own.
    """

    def __init__(
        self,
        uri: str,
        fields: Iterable[tuple[str, pa.DataType]],
        options: Mapping[str, str] | None,
        empty: str | None = None,
    ) -> None:
        self.uri = uri
        self._empty = empty
        self.schema = pa.schema([*PARTITIONS, *HEADER_FIELDS, *fields])
        self._options = dict(options or {})

    # -- reading

    def headers(self, scopes: Collection[str] | None = None) -> list[dict[str, str]]:
        """Header rows of scopes, or of all: scope, kind, key, content, header (JSON text); by scope, key, kind.

        Empty when nothing is stored yet.
        """
        table = self._open()
        return [] if table is None else _headers(table, scopes)

    def beside(self, scope: str, key: str, kind: str) -> str | None:
        """What lies beside a header; None where nothing does."""
        table = self._open()
        if table is None:
            return None
        where = (
            f"segment = '{BESIDE}' AND scope = {_text(scope)} AND key = {_text(key)} AND kind = {_text(kind)}"
        )
        found = _query(table, f"SELECT header FROM t WHERE {where}")
        return str(found["header"][0]) if found.num_rows else None

    def all_beside(self) -> list[str]:
        """What lies beside every header, of one version of the table."""
        table = self._open()
        if table is None:
            return []
        return [
            str(one) for one in _query(table, f"SELECT header FROM t WHERE segment = '{BESIDE}'")["header"]
        ]

    def rows(self, contents: Collection[tuple[str, str]], *, kind: str | None = None) -> pa.Table:
        """The rows of each `(scope, content hash)`, of one kind or of all, with `scope` and `segment`."""
        table = self._open()
        if table is None or not contents:
            return self.schema.empty_table()
        with cursor() as engine:
            scan(engine, "stored", table, pieces_of(table, self.uri), self._filled(contents), self.schema)
            where = "" if kind is None else f" WHERE kind = {_text(kind)}"
            found = engine.sql(
                f"SELECT * FROM stored{where} ORDER BY scope, segment, kind, key"
            ).to_arrow_table()
        return found.select(self.schema.names).cast(self.schema)

    def scan(
        self,
        engine: duckdb.DuckDBPyConnection,
        name: str,
        contents: Collection[tuple[str, str]],
        only: str | None = None,
    ) -> None:
        """Makes the view `name` of the rows of contents, in no order, with `scope` and `segment` (the hash).

        With `only`, a table (kind, key), it has those rows alone.
        """
        table = self._open()
        scan(engine, name, table, pieces_of(table, self.uri), self._filled(contents), self.schema, only)

    def _filled(self, contents: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of contents of which there must be files."""
        return {one for one in contents if one[1] != self._empty}

    def differing(
        self, engine: duckdb.DuckDBPyConnection, name: str, scope: str, contents: tuple[str, str]
    ) -> bool:
        """Makes the table `name` (kind, key) of the rows in which two contents of a scope may differ.

        False, and no table, where one of them cannot be read.
        """
        table = self._open()
        if table is None or not all(self._holds(table, scope, content) for content in contents):
            return False
        pair = (scope, contents[0]), (scope, contents[1])
        differing_keys(engine, name, table, pieces_of(table, self.uri), pair, self.schema)
        return True

    def delta(self) -> DeltaTable:
        """The table as deltalake sees it, for maintenance; made when it is absent."""
        table = self._open()
        if table is None:
            self._create()
            table = self._open()
        if table is None:
            raise StoreError(f"the table {self.uri} could not be made")
        return table

    # -- writing

    def replace(self, scope: str, key: str, plan: Callable[[list[dict[str, str]]], Change]) -> bool:
        """Puts a header, and its content's rows when no stored header names that content; one commit.

        `plan` is shown the scope's headers that the commit is based on, and shown them again when the commit was lost
        to another writer. Returns whether rows were written. Raises StoreError when it is lost until the
        deadline.
        """

        def attempt() -> bool:
            table = self.delta()
            known = _headers(table, [scope])
            change = plan(known)
            stored = any(h["content"] == change.content for h in known)
            base = None if stored else self._base(table, scope, key, known)
            self._put(table, scope, key, change, with_rows=not stored, base=base)
            # Maintenance may have removed a content between our look and our commit.
            if (stored or base or change.patch) and change.content != self._empty:
                table.update_incremental()
                if not self._holds(table, scope, change.content):
                    self._put(table, scope, key, replace(change, patch=None), with_rows=True)
                    return True
            return not stored

        return self.commit(attempt)

    def delete_scope(self, scope: str) -> None:
        """Deletes every row of a scope in one commit."""
        self.commit(lambda: self.delta().delete(f"scope = {_text(scope)}"))

    def commit(self, attempt: Callable[[], T]) -> T:
        """Runs `attempt`, again when its commit was lost to another writer, each time on the reopened table."""
        return retried(self.uri, attempt)

    def _base(self, table: DeltaTable, scope: str, key: str, known: list[dict[str, str]]) -> str | None:
        """The whole content that the newest one at or before the key is, or lies over."""
        earlier = [h["content"] for h in known if h["key"] <= key] or [h["content"] for h in known]
        mine = [piece for piece in pieces_of(table, self.uri) if piece.scope == scope] if earlier else []
        there = {piece.segment for piece in mine}
        bases = [piece.base or piece.segment for piece in mine if piece.content == earlier[-1]]
        return next((base for base in bases if base in there), None)

    def _holds(self, table: DeltaTable, scope: str, content: str) -> bool:
        """Whether a content can be read: it is there, and so is the one that it lies over."""
        mine = [piece for piece in pieces_of(table, self.uri) if piece.scope == scope]
        there = {piece.segment for piece in mine}
        return any(piece.content == content and (piece.base or piece.segment) in there for piece in mine)

    def _put(
        self,
        table: DeltaTable,
        scope: str,
        key: str,
        change: Change,
        *,
        with_rows: bool,
        base: str | None = None,
    ) -> None:
        head = {"scope": scope, "segment": HEADERS, "kind": change.kind, "key": key}
        head |= {"content": change.content, "header": change.header}
        heads = [head]
        if change.beside is not None:
            heads.append({**head, "segment": BESIDE, "content": "", "header": change.beside})
        batches: list[Iterable[pa.RecordBatch]] = [
            pa.Table.from_pylist(heads, schema=self.schema).to_batches()
        ]
        kinds = ", ".join(map(_text, (change.kind, *change.clears)))
        where = f"(segment IN ('{HEADERS}', '{BESIDE}') AND key = {_text(key)} AND kind IN ({kinds}))"
        if with_rows:
            rows, segment = self._least(change, table, scope, base)
            batches.append(self._placed(rows, scope, segment))
            where = f"({where} OR segment = {_text(segment)})"
        write_deltalake(
            table,
            pa.RecordBatchReader.from_batches(self.schema, chain.from_iterable(batches)),
            mode="overwrite",
            predicate=f"scope = {_text(scope)} AND {where}",
            writer_properties=_WRITING,
            commit_properties=CommitProperties(max_commit_retries=15),
        )

    def _least(self, change: Change, table: DeltaTable, scope: str, base: str | None) -> tuple[Rows, str]:
        """What is to be written of a content, the whole or its changes, and the segment in which it lies."""
        if change.patch and self._holds(table, scope, change.patch[0]):
            return self._patched(change.content, change.patch, table, scope)
        rows = change.rows()
        if base:
            pieces = pieces_of(table, self.uri)
            changed = changes(rows.engine, rows.queries, table, pieces, (scope, base), self.schema)
            if changed is not None:
                return Rows(rows.engine, [changed]), over(change.content, base)
        return rows, change.content

    def _patched(
        self, content: str, patch: tuple[str, Rows], table: DeltaTable, scope: str
    ) -> tuple[Rows, str]:
        pieces = pieces_of(table, self.uri)
        stored, rows = (scope, patch[0]), patch[1]
        merged = merged_changes(rows.engine, rows.queries, table, pieces, stored, self.schema)
        if merged is not None:
            return Rows(rows.engine, [merged[1]]), over(content, merged[0])
        return Rows(rows.engine, [patched_whole(rows.engine, table, pieces, stored, self.schema)]), content

    def _placed(self, rows: Rows, scope: str, segment: str) -> Iterator[pa.RecordBatch]:
        for query in rows.queries:
            for batch in rows.engine.sql(query).to_arrow_reader(_BATCH_ROWS):
                yield self._as_stored(batch, {"scope": scope, "segment": segment})

    def _as_stored(self, batch: pa.RecordBatch, constant: Mapping[str, str]) -> pa.RecordBatch:
        columns = []
        for field in self.schema:
            if field.name in constant:
                columns.append(pa.repeat(pa.scalar(constant[field.name], field.type), batch.num_rows))
            elif field.name in batch.schema.names:
                column = batch.column(field.name)
                if not _same_kind(column.type, field.type):
                    raise StoreError(f"{self.uri}: column {field.name} is {column.type}, not {field.type}")
                columns.append(column.cast(field.type))
            else:
                columns.append(pa.nulls(batch.num_rows, field.type))
        return pa.record_batch(columns, schema=self.schema)

    def _open(self) -> DeltaTable | None:
        try:
            table = DeltaTable(self.uri, storage_options=self._options or None)
        except TableNotFoundError:
            return None
        version = (table.metadata().description or "").removeprefix("format ")
        if version != str(FORMAT_VERSION):
            raise StoreError(
                f"{self.uri} has format {version or 'unknown'}, this headwater reads {FORMAT_VERSION}",
                hint="use the headwater that wrote it, or another storage folder",
            )
        return table

    def _create(self) -> None:
        DeltaTable.create(
            self.uri,
            schema=self.schema,
            mode="ignore",
            partition_by=[name for name, _ in PARTITIONS],
            description=f"format {FORMAT_VERSION}",
            configuration={
                "delta.dataSkippingStatsColumns": "kind,key,content",
                "delta.logRetentionDuration": "interval 7 days",
                "delta.deletedFileRetentionDuration": "interval 1 days",
            },
            storage_options=self._options or None,
        )


def retried(uri: str, attempt: Callable[[], T]) -> T:
    """Runs `attempt`, again when its commit to the table at `uri` was lost to another writer: it opens the table anew.

    Raises StoreError when it is lost until the deadline.
    """
    deadline = time.monotonic() + COMMIT_DEADLINE_S
    wait_s = 0.02
    while True:
        try:
            return attempt()
        except CommitFailedError as error:
            if time.monotonic() > deadline:
                raise StoreError(
                    f"{uri}: the commit was lost to other writers for {COMMIT_DEADLINE_S:.0f} s: {error}",
                    hint="run again when fewer runs write at once",
                    retryable=True,
                ) from error
            time.sleep(wait_s * random.uniform(0.5, 1.5))  # noqa: S311
            wait_s = min(wait_s * 1.5, 1.0)


def _headers(table: DeltaTable, scopes: Collection[str] | None) -> list[dict[str, str]]:
    if scopes is not None and not scopes:
        return []
    mine = f" AND scope IN ({', '.join(map(_text, sorted(scopes)))})" if scopes is not None else ""
    where = f"segment = '{HEADERS}'{mine}"
    query = f"SELECT scope, kind, key, content, header FROM t WHERE {where} ORDER BY scope, key, kind"
    return [{name: str(value) for name, value in row.items()} for row in _query(table, query).to_pylist()]


def _query(table: DeltaTable, query: str) -> pa.Table:
    return pa.table(QueryBuilder().register("t", table).execute(query).read_all())


def _same_kind(given: pa.DataType, wanted: pa.DataType) -> bool:
    """Delta casts 1.5 to 1 and "7" to 7 without a word: only casts that keep every value are let through."""
    text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    if given == wanted or pa.types.is_null(given):
        return True
    if pa.types.is_integer(given) and pa.types.is_integer(wanted):
        return True
    if pa.types.is_nested(given) and pa.types.is_nested(wanted):
        return type(given) is type(wanted)
    return any(is_text(given) for is_text in text) and any(is_text(wanted) for is_text in text)


def _text(value: Any) -> str:
    return "'" + str(value).replace("'", "''") + "'"
