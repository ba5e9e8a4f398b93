"""SQL becomes raw edges: bound programs, and where their outputs go."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

from lineage.graph.declarations import name_of
from lineage.graph.missing import Reason, missing_of
from lineage.graph.unresolved import Unresolved
from lineage.graph.uses import Use, Uses
from lineage.names import Identifier, TableName
from lineage.sql import ColumnEdge, StatementBinding

# Clauses within an output's expression: its column edge carries them.
IN_OUTPUT = frozenset({"case", "window"})


def query_edges(db: duckdb.DuckDBPyConnection, uses: Uses) -> list[Unresolved]:
    """Binds every use, adds to `raw_edge` what it gives, and tells what SQL names and nobody has."""
    uses.read_matches()
    guesses = {int(ref): list(ids) for ref, ids in db.execute("SELECT ref, ids FROM guess").fetchall()}
    edges = _Edges(uses)
    unresolved: list[Unresolved] = []
    for number, source, digest, to_ref, node, node_id, *use in db.execute("""
        SELECT l.link, l.source, l.digest, l.to_ref, t.node, i.id, l.connection, l.from_ref.query,
               l.from_ref.default_database, l.from_ref.default_schema
        FROM link l LEFT JOIN found t ON t.link = l.link AND t.is_to LEFT JOIN resource_id i ON i.num = t.node
        WHERE l.supported AND l.from_ref.type = 'tables_from_query' ORDER BY l.source, l.digest
    """).fetchall():
        reason = Reason(number, source, digest, use[1])
        if node is not None:
            edges.into(Use(*use), node, reason)
        unresolved += missing_of(
            uses, Use(*use), reason, node_id or name_of(to_ref), guesses, reads_only=True
        )
    db.execute("""
        CREATE TABLE stated AS
        SELECT ((SELECT count(*) FROM link) + row_number() OVER (ORDER BY source, key) - 1)::INTEGER AS reason, source,
               digest, body->>'$.location' AS location, connection, from_ref
        FROM fact WHERE kind = 'statement'
    """)
    db.execute(
        "INSERT INTO reason SELECT reason, source, 'sql', digest, from_ref.query, location FROM stated"
    )
    for number, source, digest, location, *use in db.execute("""
        SELECT reason, source, digest, location, connection, from_ref.query, from_ref.default_database,
               from_ref.default_schema
        FROM stated ORDER BY reason
    """).fetchall():
        reason = Reason(number, source, digest, use[1])
        edges.of_statement(Use(*use), reason)
        unresolved += missing_of(uses, Use(*use), reason, location, guesses, reads_only=False)
    edges.store(db)
    return unresolved


def _given(statement: StatementBinding) -> set[TableName]:
    """The tables whose columns the statement gives, those under a star that nobody can expand included."""
    upstreams = [up for flow in statement.flows for output in flow.outputs for up in output.upstreams]
    return {up.table for up in upstreams if up.table}


class _Edges:
    def __init__(self, uses: Uses) -> None:
        self._uses = uses
        self._rows: list[tuple[Any, ...]] = []

    def into(self, use: Use, node: int, reason: Reason) -> None:
        """What a declared query feeds: a table's columns by name and position; anything else as a whole."""
        target = self._uses.targets.get(node)
        dialect = self._uses.program(use).dialect
        for statement in self._uses.binding(use).statements:
            placed = target.place(statement.flows[0], dialect) if target and statement.flows else {}
            for edge in statement.edges:
                self._column_edge(use, edge, placed.get(edge.position, node), reason)
            filters = [one for one in statement.indirect if one.clause not in IN_OUTPUT]
            for one in filters:
                self._filter(use, one.table, one.column, node, one.clause, reason)
            only_filters = {one.table for one in filters} - _given(statement)
            self._table_edges(use, statement.reads, only_filters, [node], reason)

    def of_statement(self, use: Use, reason: Reason) -> None:
        """What a statement writes, from what it reads."""
        dialect = self._uses.program(use).dialect
        for statement in self._uses.binding(use).statements:
            targets = {name: t[0] for name in statement.writes if (t := self._uses.table(use, name))}
            for edge in statement.edges:
                if target := targets.get(edge.downstream) if edge.downstream else None:
                    found = target.find(edge.column, dialect) if edge.column else None
                    self._column_edge(use, edge, found[0].num if found else target.num, reason)
            filters = [one for one in statement.indirect if one.clause not in IN_OUTPUT]
            for one in filters:
                into = [targets[one.downstream]] if one.downstream in targets else list(targets.values())
                for target in into:
                    self._filter(use, one.table, one.column, target.num, one.clause, reason)
            only_filters = {one.table for one in filters} - _given(statement)
            self._table_edges(use, statement.reads, only_filters, [t.num for t in targets.values()], reason)

    def _table_edges(
        self,
        use: Use,
        reads: tuple[TableName, ...],
        only_filters: set[TableName],
        nodes: list[int],
        reason: Reason,
    ) -> None:
        for name in reads:
            if table := self._uses.table(use, name):
                for node in nodes:
                    self._add(table[0].num, node, name in only_filters, None, None, reason, table[1])

    def _column_edge(self, use: Use, edge: ColumnEdge, to_num: int, reason: Reason) -> None:
        if found := self._uses.column(use, edge.upstream, edge.upstream_column):
            for clause in edge.clauses or (None,):
                self._add(found[0].num, to_num, False, clause, edge.expression, reason, found[1])

    def _filter(
        self, use: Use, table: TableName, column: Identifier, to_num: int, clause: str, reason: Reason
    ) -> None:
        if found := self._uses.column(use, table, column):
            self._add(found[0].num, to_num, True, clause, None, reason, found[1])

    def _add(
        self,
        from_num: int,
        to_num: int,
        indirect: bool,
        clause: str | None,
        expression: str | None,
        reason: Reason,
        how: str,
    ) -> None:
        self._rows.append((from_num, to_num, indirect, clause, expression, reason.number, how))

    def store(self, db: duckdb.DuckDBPyConnection) -> None:
        """Adds what was gathered to `raw_edge`."""
        if not self._rows:
            return
        names = [str(row[0]) for row in db.execute("DESCRIBE raw_edge").fetchall()]
        kinds = {"indirect": pa.bool_(), **dict.fromkeys(("from_num", "to_num", "reason"), pa.int32())}
        arrays = [
            pa.array(list(values), kinds.get(name, pa.string()))
            for name, values in zip(names, zip(*self._rows, strict=True), strict=True)
        ]
        db.register("bound_edge", pa.table(arrays, names))
        db.execute("INSERT INTO raw_edge SELECT * FROM bound_edge")
        db.unregister("bound_edge")
