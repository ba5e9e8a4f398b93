"""SQL becomes raw edges: the tables that programs name are matched, programs bound to them, results placed.

A *use* is a program with the defaults under which its names are looked up; what one use binds to serves every
declaration and statement that carries it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from lineage.graph.declarations import name_of
from lineage.graph.unresolved import Unresolved
from lineage.names import Identifier, TableName, dotted, folds, stored
from lineage.resolve import PARTS
from lineage.sql import Binding, ColumnEdge, Output, Program, StatementBinding, bind, compile_sql
from lineage.sql.program import is_current

# Clauses within an output's expression: its column edge carries them.
IN_OUTPUT = frozenset({"case", "window"})


class Use(NamedTuple):
    """A program in a connection, with the defaults that its declaration gave."""

    connection: str
    query: str
    default_database: str | None
    default_schema: str | None


@dataclass(frozen=True)
class Reason:
    """Where an edge's provenance comes from."""

    source: int
    digest: str
    query: str
    location: str | None


class Column(NamedTuple):
    title: str
    id: str


class Match(NamedTuple):
    """What a reference was matched with; `id` is None where it was not."""

    id: str | None
    how: str | None
    candidates: list[str]
    total: int


class Target:
    """A table that columns flow into, and how its columns are found: exactly, in another case, by position."""

    def __init__(self, table_id: str, columns: list[Column]) -> None:
        self.id = table_id
        self.columns = columns
        self._exact = {c.title: c.id for c in columns}
        folded: dict[str, list[str]] = {}
        for column in columns:
            folded.setdefault(column.title.lower(), []).append(column.id)
        self._folded = {title: ids[0] for title, ids in folded.items() if len(ids) == 1}

    def find(self, name: Identifier, dialect: str | None) -> tuple[str, str] | None:
        """The column's id and how it was found."""
        text = stored(name, dialect)
        if text in self._exact:
            return self._exact[text], "exact"
        if folds(name, None) and text.lower() in self._folded:
            return self._folded[text.lower()], "casefold"
        return None

    def place(self, outputs: Iterable[Output], dialect: str | None) -> dict[int, str]:
        """Which of the columns each output position fills: by name, the rest by position where the counts agree."""
        outputs = list(outputs)
        placed = {o.position: f[0] for o in outputs if o.name and (f := self.find(o.name, dialect))}
        if len(outputs) == len(self.columns) and not any(o.star for o in outputs):
            taken = set(placed.values())
            for output, column in zip(outputs, self.columns, strict=True):
                if output.position not in placed and column.id not in taken:
                    placed[output.position] = column.id
        return placed


class QueryLineage:
    """The SQL of all sources that make a graph, in the engine that holds their facts."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self._db = db
        self._programs: dict[str, Program] = {}
        self._defaults: dict[str, tuple[str | None, str | None, str | None]] = {}
        self._uses: dict[Use, dict[TableName, int]] = {}
        self._bound: dict[Use, Binding] = {}
        self._matches: dict[int, Match] = {}
        self._targets: dict[str, Target] = {}
        self._edges: list[tuple[Any, ...]] = []
        self.coverage: dict[str, dict[str, int]] = {}

    # -- before matching

    def collect(self) -> None:
        """Reads the programs, and adds the tables that they name to `reference`."""
        for key, program, sql, dialect in self._db.execute("""
            SELECT key, any_value(program), any_value(sql), any_value(dialect)
            FROM fact WHERE kind = 'query' GROUP BY key ORDER BY key
        """).fetchall():
            # Programs of another version of the engine are compiled anew, where the text was kept.
            current = is_current(program)
            self._programs[key] = Program.from_bytes(program) if current else compile_sql(sql or "", dialect)
        for name, *defaults in self._db.execute("""
            SELECT connection, default_instance, default_database, default_schema FROM connection
        """).fetchall():
            self._defaults[name] = (defaults[0], defaults[1], defaults[2])
        numbers: dict[tuple[Any, ...], int] = {}
        known: Any = self._db.execute("SELECT count(*) FROM reference").fetchone()
        for row in self._db.execute("""
            SELECT DISTINCT connection, from_ref.query AS query, from_ref.default_database, from_ref.default_schema
            FROM fact WHERE from_ref.query IS NOT NULL AND kind IN ('declaration', 'statement') ORDER BY ALL
        """).fetchall():
            use = Use(*row)
            program = self._programs[use.query]
            self._count(use.connection, program)
            self._uses[use] = {
                name: numbers.setdefault(self._reference(use, name, program.dialect), len(numbers) + known[0] + 1)
                for name in program.table_names
            }
        names = ["connection", *(f"{kind}{part}" for part in PARTS for kind in ("", "fold_"))]
        columns = list(zip(*numbers, strict=True)) if numbers else [()] * len(names)
        kinds = [pa.bool_() if name.startswith("fold_") else pa.string() for name in names]
        arrays = [pa.array(list(values), kind) for values, kind in zip(columns, kinds, strict=True)]
        self._db.register("named", pa.table([pa.array(list(numbers.values()), pa.int32()), *arrays], ["ref", *names]))
        self._db.execute("INSERT INTO reference SELECT * FROM named")
        self._db.unregister("named")

    def _count(self, connection: str, program: Program) -> None:
        counted = self.coverage.setdefault(connection, {"statements": 0, "failed": 0})
        counted["statements"] += len(program.statements)
        counted["failed"] += len({e.statement for e in program.errors})

    def _reference(self, use: Use, name: TableName, dialect: str | None) -> tuple[Any, ...]:
        """The name's parts, absent ones filled from the declaration's defaults, then the connection's."""
        instance, database, schema = self._defaults[use.connection]
        filled = (
            (name.instance, instance),
            (name.database, use.default_database or database),
            (name.schema, use.default_schema or schema),
            (name.table, None),
        )
        parts: list[Any] = [use.connection]
        for written, default in filled:
            parts += [stored(written, dialect), folds(written, dialect)] if written else [default, True]
        return tuple(parts)

    # -- after matching

    def infer(self) -> bool:
        """Makes nodes of the tables that nobody owns, for connections that ask for it; True when there are any."""
        rows = self._db.execute("""
            SELECT r.database, r.schema, r.title, min(r.connection), list(r.ref) FROM reference r
            JOIN match m USING (ref) JOIN connection c USING (connection)
            WHERE c.infer_tables AND len(m.candidates) = 0 AND r.instance IS NULL
            GROUP BY r.database, r.schema, r.title ORDER BY ALL
        """).fetchall()
        inferred = {ref: dotted(d, s, t) for d, s, t, _, refs in rows for ref in refs}
        if not inferred:
            return False
        columns = self._inferred_columns(inferred)
        made: list[tuple[Any, ...]] = []
        for database, schema, table, connection, _ in rows:
            key = dotted(database, schema, table)
            made.append((connection, key, "table", None, table, database, schema))
            made += [
                (connection, dotted(database, schema, table, c), "column", key, c, database, schema)
                for c in columns.get(key, {}).values()
            ]
        names = ("connection", "key", "entity_type", "parent_key", "title", "database", "schema")
        arrays = [pa.array(list(values), pa.string()) for values in zip(*made, strict=True)]
        self._db.register("made", pa.table(arrays, list(names)))
        self._db.execute("""
            INSERT INTO resource
            SELECT m.connection || '/' || m.key AS id, m.connection, m.key, m.entity_type, m.parent_key,
                   m.connection || '/' || m.parent_key AS parent, m.title, m.database, m.schema, '{}',
                   (SELECT max(source) FROM source s WHERE s.connection = m.connection), m.key,
                   m.entity_type = 'column', true
            FROM made m WHERE m.connection || '/' || m.key NOT IN (SELECT id FROM resource)
        """)
        self._db.execute("""
            INSERT INTO owner SELECT r.id, r.connection, c.instance, r.database, r.schema, r.title
            FROM resource r JOIN connection c USING (connection) WHERE r.inferred AND NOT r.is_column
        """)
        return True

    def _inferred_columns(self, inferred: Mapping[int, str]) -> dict[str, dict[str, str]]:
        """The columns that SQL gives or takes of inferred tables, by folded title."""
        columns: dict[str, dict[str, str]] = {}
        for use, names in self._uses.items():
            keys = {name: inferred[ref] for name, ref in names.items() if ref in inferred}
            if not keys:
                continue
            dialect = self._programs[use.query].dialect
            for name, column in _named_columns(bind(self._programs[use.query], {})):
                if name in keys:
                    title = stored(column, dialect)
                    columns.setdefault(keys[name], {}).setdefault(title.lower(), title)
        return columns

    def edges(self, guesses: Mapping[int, list[str]]) -> list[Unresolved]:
        """Binds every use, adds raw edges, and gives what SQL names and nobody has."""
        self._read_matches()
        unresolved: list[Unresolved] = []
        for source, digest, to_ref, node, *use in self._db.execute("""
            SELECT l.source, l.digest, l.to_ref, t.node, l.connection, l.from_ref.query, l.from_ref.default_database,
                   l.from_ref.default_schema
            FROM link l JOIN found t ON t.link = l.link AND t.side = 'to'
            WHERE l.from_type = 'tables_from_query' ORDER BY l.link
        """).fetchall():
            reason = Reason(source, digest, use[1], None)
            if node is not None:
                self._edges_into(Use(*use), node, reason)
            unresolved += self._missing(Use(*use), reason, node or name_of(to_ref), guesses, reads_only=True)
        for source, digest, location, *use in self._db.execute("""
            SELECT source, digest, body->>'$.location', connection, from_ref.query, from_ref.default_database,
                   from_ref.default_schema
            FROM fact WHERE kind = 'statement' ORDER BY source, key
        """).fetchall():
            reason = Reason(source, digest, use[1], location)
            self._edges_of_statement(Use(*use), reason)
            unresolved += self._missing(Use(*use), reason, location, guesses, reads_only=False)
        self._store_edges()
        return unresolved

    def _read_matches(self) -> None:
        for ref, *match in self._db.execute("SELECT ref, id, how, candidates, total FROM match").fetchall():
            self._matches[ref] = Match(*match)
        columns: dict[str, list[Column]] = {}
        for table, title, column in self._db.execute("""
            SELECT table_id, title, id FROM field ORDER BY table_id, position, id
        """).fetchall():
            columns.setdefault(table, []).append(Column(title, column))
        kinds = self._db.execute("""
            SELECT r.id FROM resource r JOIN node_of n ON n.id = r.id AND n.node = r.id
            WHERE r.entity_type IN ('table', 'view')
        """).fetchall()
        self._targets = {table: Target(table, columns.get(table, [])) for (table,) in kinds}

    def _binding(self, use: Use) -> Binding:
        if use not in self._bound:
            catalogue = {}
            for name, ref in self._uses[use].items():
                found = self._matches[ref].id
                if found in self._targets and self._targets[found].columns:
                    catalogue[name] = [c.title for c in self._targets[found].columns]
            self._bound[use] = bind(self._programs[use.query], catalogue)
        return self._bound[use]

    def _table(self, use: Use, name: TableName) -> tuple[Target, str] | None:
        match = self._matches[self._uses[use][name]] if name in self._uses[use] else None
        if match is None or match.id is None:
            return None
        return self._targets[match.id], match.how or "exact"

    def _column(self, use: Use, name: TableName, column: Identifier) -> tuple[str, str] | None:
        """A column's id and how it was matched, table and column together."""
        table = self._table(use, name)
        found = table[0].find(column, self._programs[use.query].dialect) if table else None
        if table is None or found is None:
            return None
        return found[0], found[1] if table[1] == "exact" else table[1]

    def _edges_into(self, use: Use, node: str, reason: Reason) -> None:
        """What a declared query feeds: a table's columns by name and position; anything else as a whole."""
        binding = self._binding(use)
        target = self._targets.get(node)
        dialect = self._programs[use.query].dialect
        for statement in binding.statements:
            placed = target.place(statement.outputs, dialect) if target else {}
            direct: set[TableName] = set()
            indirect: set[TableName] = set()
            for edge in statement.edges:
                direct.add(edge.upstream)
                self._column_edge(use, edge, placed.get(edge.position, node), reason)
            for one in statement.indirect:
                if one.clause not in IN_OUTPUT:
                    indirect.add(one.table)
                    self._add(use, one.table, one.column, node, reason, indirect=True, clause=one.clause)
            for name in statement.reads:
                if table := self._table(use, name):
                    only_filters = name in indirect and name not in direct
                    self._raw(table[0].id, node, reason, only_filters, None, None, table[1])

    def _edges_of_statement(self, use: Use, reason: Reason) -> None:
        """What a statement writes, from what it reads."""
        dialect = self._programs[use.query].dialect
        for statement in self._binding(use).statements:
            targets = {name: table[0] for name in statement.writes if (table := self._table(use, name))}
            for edge in statement.edges:
                if target := targets.get(edge.downstream) if edge.downstream else None:
                    found = target.find(edge.column, dialect) if edge.column else None
                    self._column_edge(use, edge, found[0] if found else target.id, reason)
            for one in statement.indirect:
                into = [targets[one.downstream]] if one.downstream in targets else list(targets.values())
                for target in into if one.clause not in IN_OUTPUT else ():
                    self._add(use, one.table, one.column, target.id, reason, indirect=True, clause=one.clause)
            direct = {e.upstream for e in statement.edges}
            filters = {i.table for i in statement.indirect} - direct
            for name in statement.reads:
                if table := self._table(use, name):
                    for target in targets.values():
                        self._raw(table[0].id, target.id, reason, name in filters, None, None, table[1])

    def _column_edge(self, use: Use, edge: ColumnEdge, to_id: str, reason: Reason) -> None:
        for clause in edge.clauses or (None,):
            self._add(
                use, edge.upstream, edge.upstream_column, to_id, reason, clause=clause, expression=edge.expression
            )

    def _add(
        self,
        use: Use,
        table: TableName,
        column: Identifier,
        to_id: str,
        reason: Reason,
        *,
        indirect: bool = False,
        clause: str | None = None,
        expression: str | None = None,
    ) -> None:
        if found := self._column(use, table, column):
            self._raw(found[0], to_id, reason, indirect, clause, expression, found[1])

    def _raw(
        self,
        from_id: str,
        to_id: str,
        reason: Reason,
        indirect: bool,
        clause: str | None,
        expression: str | None,
        how: str,
    ) -> None:
        row = (from_id, to_id, indirect, clause, expression, reason.source, "sql", reason.digest, reason.query)
        self._edges.append((*row, reason.location, how))

    def _store_edges(self) -> None:
        if not self._edges:
            return
        names = [str(row[0]) for row in self._db.execute("DESCRIBE raw_edge").fetchall()]
        kinds = {"indirect": pa.bool_(), "source": pa.int32()}
        arrays = [
            pa.array(list(values), kinds.get(name, pa.string()))
            for name, values in zip(names, zip(*self._edges, strict=True), strict=True)
        ]
        self._db.register("bound_edge", pa.table(arrays, names))
        self._db.execute("INSERT INTO raw_edge SELECT * FROM bound_edge")
        self._db.unregister("bound_edge")

    # -- what is missing

    def _missing(
        self, use: Use, reason: Reason, counterpart: str | None, guesses: Mapping[int, list[str]], *, reads_only: bool
    ) -> Iterator[Unresolved]:
        binding = self._binding(use)
        query = {"source": reason.source, "query": reason.query, "declaration": reason.digest}
        whole = {"type": "tables_from_query"}
        for error in binding.errors:
            where = f" (line {error.line}, column {error.column})" if error.line else ""
            yield Unresolved(whole, "from", counterpart, error.reason, f"{error.message}{where}", **query)
        sides = {name: "from" for s in binding.statements for name in s.reads}
        if not reads_only:
            sides = {name: "to" for s in binding.statements for name in s.writes} | sides
        for name, side in sides.items():
            if name in self._uses[use]:
                ref = self._uses[use][name]
                if entry := self._missing_table(use, name, self._matches[ref], guesses.get(ref, [])):
                    reference, why, message, candidates = entry
                    yield Unresolved(
                        reference,
                        side,
                        counterpart,
                        why,
                        message,
                        candidates=candidates,
                        guessed=why == "not_found" and bool(candidates),
                        **query,
                    )
        for statement in binding.statements:
            for one in statement.ambiguous:
                tables = sorted(t[0].id if (t := self._table(use, name)) else str(name) for name in one.candidates)
                reference = {"type": "external_column", "column": one.column.text}
                message = f"column {one.column.text} could be of {len(tables)} tables; qualify it"
                yield Unresolved(
                    reference, "from", counterpart, "ambiguous_column", message, candidates=tuple(tables), **query
                )
            yield from self._missing_columns(use, statement, counterpart, query)

    def _missing_table(
        self, use: Use, name: TableName, match: Match, near: list[str]
    ) -> tuple[dict[str, str], str, str, tuple[str, ...]] | None:
        if match.id is not None:
            return None
        _, *parts = self._reference(use, name, self._programs[use.query].dialect)
        named = dict(zip(("cluster", "database", "schema", "table"), parts[::2], strict=True))
        reference = {"type": "external_table"} | {k: v for k, v in named.items() if v is not None}
        text = ".".join(v for v in named.values() if v)
        if match.candidates:
            message = f"{text} could be {match.total} tables; qualify it, or set the connection's defaults"
            return reference, "ambiguous", message, tuple(match.candidates)
        message = f"no connection owns {text}" + ("; the candidates are guesses by name" if near else "")
        return reference, "not_found", message, tuple(near)

    def _missing_columns(
        self, use: Use, statement: StatementBinding, counterpart: str | None, query: Mapping[str, Any]
    ) -> Iterator[Unresolved]:
        seen = set()
        for name, column in _read_columns(statement):
            table = self._table(use, name)
            if table is None or not table[0].columns or (name, column) in seen:
                continue
            seen.add((name, column))
            if self._column(use, name, column) is None:
                reference = {"type": "external_column", "table": table[0].id, "column": column.text}
                message = f"the table is {table[0].id}, which has no column {column.text}"
                yield Unresolved(
                    reference, "from", counterpart, "not_found", message, candidates=(table[0].id,), **query
                )


def _read_columns(statement: StatementBinding) -> Iterator[tuple[TableName, Identifier]]:
    for edge in statement.edges:
        yield edge.upstream, edge.upstream_column
    for one in statement.indirect:
        yield one.table, one.column


def _named_columns(binding: Binding) -> Iterator[tuple[TableName, Identifier]]:
    for statement in binding.statements:
        yield from _read_columns(statement)
        for flow in statement.flows:
            for output in flow.outputs:
                if flow.table and output.name and not output.star:
                    yield flow.table, output.name
