"""Snapshots: what one run of a connection gave for a partition.

`SnapshotWriter` takes what a connector declares and gathers it into Arrow; `Snapshots` commits and reads it.
A partial run lies beside the partition's complete state, over which readers lay it; a complete run clears it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from connectors.model import DeclaredLineage, Resource, Statement, TablesFromSQLQuery
from lineage.sql.program import FORMAT
from lineage.store.engine import cursor
from lineage.store.tables import Change, ContentTable

if TYPE_CHECKING:
    from lineage.sql.query_log import QueryLog

COMPLETE, PARTIAL = "complete", "partial"
_LOGGED = "log-"  # begins the key of a query that stands for all of its shape
BATCH = 20_000

_REFERENCE = pa.struct(
    [
        (name, pa.string())
        for name in (
            *("type", "key", "cluster", "database", "schema", "table", "column"),
            *("query", "default_database", "default_schema"),
        )
    ]
)
SNAPSHOT_FIELDS = [
    ("digest", pa.string()),
    ("entity_type", pa.string()),
    ("parent_key", pa.string()),
    ("title", pa.string()),
    ("database", pa.string()),
    ("schema", pa.string()),
    ("body", pa.string()),
    ("from_ref", _REFERENCE),
    ("to_ref", _REFERENCE),
    ("sql", pa.string()),
    ("dialect", pa.string()),
    ("program", pa.binary()),
]
ROWS = pa.schema([("kind", pa.string()), ("key", pa.string()), *SNAPSHOT_FIELDS])


@dataclass(frozen=True)
class SnapshotHeader:
    """What is known of a snapshot without reading its rows. Times are ISO texts in UTC.

    `counts` are of distinct rows by kind (resource, declaration, statement, query); `open` says that the partition
    had not ended when the run began; `held_back` that a complete run lost so much that it only added.
    """

    connection: str
    partition: str
    run_id: str
    complete: bool
    open: bool = False
    windowed: bool = False
    content: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    size_bytes: int = 0
    started_at: str = ""
    ended_at: str = ""
    instance: str = ""
    platform: str = ""
    dialect: str | None = None
    attempted: int = 0
    failed: int = 0
    warnings: Sequence[str] = ()
    warning_count: int = 0
    rejects: Sequence[str] = ()
    held_back: str | None = None
    state: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS).decode()


class SnapshotWriter:
    """Gathers declarations in memory, column by column; the last of a resource's declarations counts.

    `keep_sql` gives the text under which SQL is stored, or None for no text; `kept` names that way. Statements with
    a time, or all where `seen_to_run`, ran: they are folded in the log that `open_log` makes.
    """

    def __init__(
        self,
        dialect: str | None,
        keep_sql: Callable[[str, str | None], str | None] | None = None,
        kept: str = "full",
        open_log: Callable[[], QueryLog] | None = None,
        *,
        seen_to_run: bool = False,
    ) -> None:
        self._dialect = dialect
        self._kept = kept
        self._seen_to_run = seen_to_run
        self._open_log = open_log or self._plain_log
        self._log: QueryLog | None = None
        self._keep_sql = keep_sql or (lambda sql, _: sql)
        self._rows: list[tuple[Any, ...]] = []
        self._tables: list[pa.Table] = []
        self._links: list[dict[str, Any]] = []
        self.queries: dict[str, tuple[str, str | None]] = {}
        self.dialects: set[str] = set()  # of the SQL that was taken, as they were given

    def resource(self, resource: Resource) -> None:
        body = resource.model_dump_json(exclude_none=True, exclude_unset=True)
        r = resource
        self._rows.append(
            (r.databuilder_id, r.entity_type, r.parent_databuilder_id, r.title, r.database, r.schema, body)
        )
        if len(self._rows) >= BATCH:
            self._flush()

    def declaration(self, declaration: DeclaredLineage) -> str:
        """Takes a declaration; gives the key under which edges and unresolved references name it."""
        ends = [self._end(declaration.from_identifier), self._end(declaration.to_identifier)]
        return self._link("declaration", {"from_ref": ends[0], "to_ref": ends[1]})

    def statement(self, statement: Statement) -> None:
        if dialect := statement.dialect or self._dialect:
            self.dialects.add(dialect)
        if self._seen_to_run or statement.at is not None:
            if self._log is None:
                self._log = self._open_log()
            self._log.add(statement)
            return
        reference = self._query(statement.sql, statement.dialect)
        reference |= {"type": "statement"}
        reference |= statement.model_dump(include={"default_database", "default_schema"}, exclude_none=True)
        rest = statement.model_dump_json(
            exclude={"sql", "dialect", "default_database", "default_schema"}, exclude_none=True
        )
        self._link("statement", {"from_ref": reference, "body": rest})

    def rows(self) -> pa.Table:
        """All rows, distinct and in a stable order; the programs of the queries are still to be compiled.

        A resource's definition that is one of the queries is stored as that query's text is.
        """
        logged = self._logged() if self._log is not None else []
        self._flush()
        queries = []
        stored: dict[str, str | None] = {}
        for key, (sql, dialect) in self.queries.items():
            text = stored[sql] = self._keep_sql(sql, dialect)
            digest = _digest(orjson.dumps([FORMAT, key, text]))
            queries.append({"kind": "query", "key": key, "digest": digest, "sql": text, "dialect": dialect})
        declared = self._tables
        if any(text != sql for sql, text in stored.items()):
            declared = [_with_definitions(table, stored) for table in declared]
        return distinct(pa.concat_tables([*declared, pa.Table.from_pylist(queries + logged, schema=ROWS)]))

    def compiled(
        self, rows: pa.Table, compile_sql: Callable[[str, str | None], bytes], known: Mapping[str, bytes]
    ) -> pa.Table:
        """The rows with each query's program. `known` are programs compiled before, by query key."""
        if not self.queries:
            return rows
        programs = rows["program"].to_pylist()
        for at, (kind, key) in enumerate(zip(rows["kind"].to_pylist(), rows["key"].to_pylist(), strict=True)):
            if kind == "query" and programs[at] is None:
                programs[at] = known.get(key) or compile_sql(*self.queries[key])
        place = rows.schema.get_field_index("program")
        return rows.set_column(place, ROWS.field("program"), pa.array(programs, pa.binary()))

    def finish(self, compile_sql: Callable[[str, str | None], bytes], known: Mapping[str, bytes]) -> pa.Table:
        """All rows, programs included."""
        return self.compiled(self.rows(), compile_sql, known)

    def _plain_log(self) -> QueryLog:
        from lineage.sql.query_log import QueryLog

        return QueryLog(self._dialect)

    def _logged(self) -> list[dict[str, Any]]:
        """The log's entries as statements; gives the rows of their queries."""
        queries: dict[str, dict[str, Any]] = {}
        for entry in self._log.entries() if self._log is not None else ():
            key = logged_key(entry.key, entry.dialect, self._kept)
            if key not in queries:
                text = self._keep_sql(entry.text, entry.dialect)
                digest = _digest(orjson.dumps([FORMAT, key, text]))
                queries[key] = {"kind": "query", "key": key, "digest": digest, "sql": text}
                queries[key] |= {"dialect": entry.dialect, "program": entry.program}
            reference = {
                "type": "statement",
                "query": key,
                "default_database": entry.default_database,
                "default_schema": entry.default_schema,
            }
            body = orjson.dumps({"runs": asdict(entry.runs)}, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
            self._link("statement", {"from_ref": reference, "body": body.decode()})
        self._log = None
        return list(queries.values())

    def _end(self, reference: Any) -> dict[str, Any]:
        if isinstance(reference, TablesFromSQLQuery):
            given = reference.model_dump(
                include={"type", "default_database", "default_schema"}, exclude_none=True
            )
            return given | self._query(reference.sql, reference.dialect)
        # Scripts write "" for a part that they do not know.
        given = {name: text for name, text in reference.model_dump(exclude_none=True).items() if text != ""}
        if "databuilder_id" in given:
            given["key"] = given.pop("databuilder_id")
        return dict(given)

    def _query(self, sql: str, dialect: str | None) -> dict[str, Any]:
        dialect = dialect or self._dialect
        if dialect:
            self.dialects.add(dialect)
        key = _query_key(sql, dialect, self._kept)
        self.queries[key] = (sql, dialect)
        return {"query": key}

    def _link(self, kind: str, row: dict[str, Any]) -> str:
        digest = _digest(orjson.dumps([kind, row], option=orjson.OPT_SORT_KEYS))
        self._links.append({"kind": kind, "key": digest, "digest": digest, **row})
        if len(self._links) >= BATCH:
            self._flush()
        return digest

    def _flush(self) -> None:
        if self._rows:
            names = ("key", "entity_type", "parent_key", "title", "database", "schema", "body")
            columns: dict[str, Any] = dict(zip(names, map(list, zip(*self._rows, strict=True)), strict=True))
            columns["kind"] = ["resource"] * len(self._rows)
            columns["digest"] = [_digest(body.encode()) for body in columns["body"]]
            none = [None] * len(self._rows)
            arrays = [pa.array(columns.get(f.name, none), f.type) for f in ROWS]
            self._tables.append(pa.table(arrays, schema=ROWS))
            self._rows = []
        if self._links:
            self._tables.append(pa.Table.from_pylist(self._links, schema=ROWS))
            self._links = []


class Snapshots:
    """The snapshots of all connections, in one Delta table."""

    def __init__(self, table: ContentTable) -> None:
        self.table = table

    def headers(self, connection: str | None = None) -> list[SnapshotHeader]:
        """Stored snapshots' headers, by connection and partition, a partition's complete one first."""
        return [read_header(row) for row in self.table.headers(None if connection is None else [connection])]

    def programs(self, connection: str) -> dict[str, bytes]:
        """The compiled programs in the connection's newest snapshot, by query key; those of folded logs, and those
        whose text was stored in full, as only they hold all that compiling the text again would give.
        """
        newest = self.table.headers([connection])[-1:]
        rows = self.table.rows([(connection, row["content"]) for row in newest], kind="query")
        return {
            row["key"]: row["program"]
            for row in rows.select(["key", "sql", "dialect", "program"]).to_pylist()
            if row["key"].startswith(_LOGGED)
            or (row["sql"] is not None and _query_key(row["sql"], row["dialect"]) == row["key"])
        }

    def state(self, connection: str, partition: str) -> dict[str, Any]:
        """What the connection's newest complete run, at or before the partition, left to go on from."""
        rows = [r for r in self.table.headers(connection) if r["kind"] == COMPLETE and r["key"] <= partition]
        return dict(read_header(rows[-1]).state) if rows else {}

    def forget(self, connection: str) -> None:
        """Deletes all that is stored of a connection; maintenance removes the files."""
        self.table.delete_scope(connection)

    def commit(
        self,
        header: SnapshotHeader,
        rows: pa.Table,
        *,
        keep_missing: bool = False,
        max_drop: float | None = None,
        complete_rows: Callable[[pa.Table], pa.Table] = lambda rows: rows,
    ) -> tuple[SnapshotHeader, bool]:
        """Stores a run's rows; gives the header as stored and whether rows were written.

        A complete run replaces the partition's state. With `keep_missing` it is merged into the newest
        complete one. When it has lost more than the share `max_drop` of the newest complete one's resources
        it is held back: stored as partial, so that it adds and updates and removes nothing.

        `complete_rows` is called only when rows are written: what it adds (compiled programs) is not part of the
        content's hash, and an extract that is equal to one stored costs none of it.
        """
        stored: list[SnapshotHeader] = []

        def plan(known: list[dict[str, str]]) -> Change:
            earlier = [row for row in known if row["kind"] == COMPLETE and row["key"] <= header.partition]
            before = [read_header(row) for row in earlier[-1:]]
            final = _held_back(header, rows, before[0], max_drop) if before and header.complete else header
            merged = rows
            if not final.complete:
                partial = [row for row in known if row["kind"] == PARTIAL and row["key"] == header.partition]
                merged = self._under(rows, [read_header(row) for row in partial])
            elif keep_missing and not header.windowed:
                merged = self._under(rows, before)
            counts = {
                str(c["values"]): int(c["counts"])
                for c in pa.compute.value_counts(merged["kind"]).to_pylist()
            }
            final = replace(final, content=content_hash(merged), counts=counts, size_bytes=merged.nbytes)
            stored[:] = [final]
            kind, clears = (COMPLETE, (PARTIAL,)) if final.complete else (PARTIAL, ())
            return Change(kind, final.to_json(), final.content, lambda: complete_rows(merged), clears)

        written = self.table.replace(header.connection, header.partition, plan)
        return stored[0], written

    def _under(self, rows: pa.Table, older: Sequence[SnapshotHeader]) -> pa.Table:
        if not older:
            return rows
        below = self.table.rows([(h.connection, h.content) for h in older]).select(ROWS.names)
        return distinct(pa.concat_tables([below, rows]))


def distinct(rows: pa.Table) -> pa.Table:
    """Of each kind and key the last row, in the order of kind and key."""
    with cursor() as engine:
        numbered = rows.append_column("seq", pa.array(range(rows.num_rows), pa.int64()))
        engine.register("numbered", numbered)
        query = """
            SELECT * EXCLUDE (seq) FROM numbered
            QUALIFY row_number() OVER (PARTITION BY kind, key ORDER BY seq DESC) = 1
            ORDER BY kind, key
        """
        return engine.sql(query).to_arrow_table().cast(ROWS)


def content_hash(rows: pa.Table) -> str:
    """A hash of rows that are distinct and in order."""
    state = hashlib.blake2b(digest_size=16)
    for name in ("kind", "key", "digest"):
        for chunk in rows[name].chunks:
            state.update("\0".join(chunk.to_pylist()).encode("utf-8", "surrogatepass"))
    return state.hexdigest()


def logged_key(key: str, dialect: str | None, kept: str = "full") -> str:
    """The key of a folded log's entry, stored in this way."""
    return _LOGGED + _digest(f"{kept}\0{dialect or ''}\0{key}".encode())


def _query_key(sql: str, dialect: str | None, kept: str = "full") -> str:
    """One text that is stored in another way by another connection is another query."""
    mode = "" if kept == "full" else f"{kept}\0"
    text = f"{mode}{dialect or ''}\0{sql}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def _with_definitions(table: pa.Table, stored: Mapping[str, str | None]) -> pa.Table:
    """The rows with each resource's definition as `stored` has it; definitions it does not have stay."""
    bodies, digests = table["body"].to_pylist(), table["digest"].to_pylist()
    kinds = table["kind"].to_pylist()
    for place, body in enumerate(bodies):
        if kinds[place] != "resource" or '"definition":' not in body:
            continue
        fields = orjson.loads(body)
        if fields.get("definition") not in stored:
            continue
        fields["definition"] = stored[fields["definition"]]
        kept = orjson.dumps({name: value for name, value in fields.items() if value is not None})
        bodies[place], digests[place] = kept.decode(), _digest(kept)
    for name, values in (("body", bodies), ("digest", digests)):
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values, pa.string()))
    return table


def _digest(*parts: bytes) -> str:
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        state.update(part)
    return state.hexdigest()


def read_header(row: Mapping[str, str]) -> SnapshotHeader:
    """A header row's content."""
    return SnapshotHeader(**orjson.loads(row["header"]))


def _held_back(
    header: SnapshotHeader, rows: pa.Table, before: SnapshotHeader, max_drop: float | None
) -> SnapshotHeader:
    had = before.counts.get("resource", 0)
    have = pa.compute.sum(pa.compute.equal(rows["kind"], "resource")).as_py() or 0
    if max_drop is None or had - have <= had * max_drop:
        return header
    why = f"{had - have} of {had} resources are gone since {before.partition}, more than max_drop allows"
    return replace(header, complete=False, held_back=why)
