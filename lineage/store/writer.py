"""Takes what a connector declares, and gathers it into the rows of a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from connectors.model import DeclaredLineage, ExternalRun, Resource, Statement, TablesFromSQLQuery
from connectors.model.naming import dotted
from lineage.sql.program import FORMAT
from lineage.store.rows import ROWS, digest_of, distinct, logged_key, query_key

if TYPE_CHECKING:
    from lineage.sql.query_log import QueryLog

BATCH = 20_000
_ENDS = {"from_identifier", "to_identifier"}


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
        self._job_definitions: set[str] = set()
        self.queries: dict[str, tuple[str, str | None]] = {}
        self.dialects: set[str] = set()  # of the SQL that was taken, as they were given

    def resource(self, resource: Resource) -> None:
        body = resource.model_dump_json(exclude_none=True, exclude_unset=True)
        r = resource
        if r.entity_type == "job" and r.definition:
            self._job_definitions.add(r.definition)
        self._rows.append(
            (r.databuilder_id, r.entity_type, r.parent_databuilder_id, r.title, r.database, r.schema, body)
        )
        if len(self._rows) >= BATCH:
            self._flush()

    def declaration(self, declaration: DeclaredLineage) -> str:
        """Takes a declaration; gives the key under which edges and unresolved references name it."""
        ends = [self._end(declaration.from_identifier), self._end(declaration.to_identifier)]
        row: dict[str, Any] = {"from_ref": ends[0], "to_ref": ends[1]}
        if more := declaration.model_dump(exclude=_ENDS, exclude_defaults=True):
            row["body"] = orjson.dumps(more, option=orjson.OPT_SORT_KEYS).decode()
        return self._link("declaration", row)

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

    def run(self, run: ExternalRun) -> None:
        """Takes a run of another system; of one run of a job the last counts."""
        body = run.model_dump_json(exclude_none=True)
        digest = digest_of(body.encode())
        self._add_link({"kind": "run", "key": dotted(run.job, run.id), "digest": digest, "body": body})

    def rows(self) -> pa.Table:
        """All rows, distinct and in a stable order; the programs of the queries are still to be compiled.

        A resource's definition that is one of the queries, or a job's, is stored as a query's text is.
        """
        logged = self._logged() if self._log is not None else []
        self._flush()
        queries = []
        stored = {sql: self._keep_sql(sql, self._dialect) for sql in self._job_definitions}
        for key, (sql, dialect) in self.queries.items():
            text = stored[sql] = self._keep_sql(sql, dialect)
            digest = digest_of(orjson.dumps([FORMAT, key, text]))
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
                digest = digest_of(orjson.dumps([FORMAT, key, text]))
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
        key = query_key(sql, dialect, self._kept)
        self.queries[key] = (sql, dialect)
        return {"query": key}

    def _link(self, kind: str, row: dict[str, Any]) -> str:
        digest = digest_of(orjson.dumps([kind, row], option=orjson.OPT_SORT_KEYS))
        self._add_link({"kind": kind, "key": digest, "digest": digest, **row})
        return digest

    def _add_link(self, row: dict[str, Any]) -> None:
        self._links.append(row)
        if len(self._links) >= BATCH:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            names = ("key", "entity_type", "parent_key", "title", "database", "schema", "body")
            columns: dict[str, Any] = dict(zip(names, map(list, zip(*self._rows, strict=True)), strict=True))
            columns["kind"] = ["resource"] * len(self._rows)
            columns["digest"] = [digest_of(body.encode()) for body in columns["body"]]
            none = [None] * len(self._rows)
            arrays = [pa.array(columns.get(f.name, none), f.type) for f in ROWS]
            self._tables.append(pa.table(arrays, schema=ROWS))
            self._rows = []
        if self._links:
            self._tables.append(pa.Table.from_pylist(self._links, schema=ROWS))
            self._links = []


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
        bodies[place], digests[place] = kept.decode(), digest_of(kept)
    for name, values in (("body", bodies), ("digest", digests)):
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values, pa.string()))
    return table
