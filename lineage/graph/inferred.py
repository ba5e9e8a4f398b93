"""Tables that no connection owns become nodes, for connections that ask for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import pyarrow as pa

from lineage.graph.uses import Uses
from lineage.names import Identifier, TableName, dotted, stored
from lineage.sql import Binding, bind


def infer_tables(db: duckdb.DuckDBPyConnection, uses: Uses) -> bool:
    """Adds to `resource` and `owner` what `infer_tables` connections name and nobody has; True when there is any.

    A table that several of them name belongs to the first by name.
    """
    rows = db.execute("""
        SELECT r.database, r.schema, r.title, min(r.connection), list(r.ref) FROM reference r
        JOIN match m USING (ref) JOIN connection c USING (connection)
        WHERE c.infer_tables AND len(m.candidates) = 0 AND r.instance IS NULL
        GROUP BY r.database, r.schema, r.title ORDER BY ALL
    """).fetchall()
    inferred = {ref: dotted(d, s, t) for d, s, t, _, refs in rows for ref in refs}
    if not inferred:
        return False
    columns = _columns(uses, inferred)
    made: list[tuple[Any, ...]] = []
    for database, schema, table, connection, _ in rows:
        key = dotted(database, schema, table)
        made.append((connection, key, "table", None, table, database, schema))
        made += [
            (connection, dotted(database, schema, table, c), "column", key, c, database, schema)
            for c in columns.get(key, {}).values()
        ]
    names = ["connection", "key", "entity_type", "parent_key", "title", "database", "schema"]
    arrays = [pa.array(list(values), pa.string()) for values in zip(*made, strict=True)]
    db.register("made", pa.table(arrays, names))
    db.execute("""
        INSERT INTO resource
        SELECT m.connection || '/' || m.key AS id, m.connection, m.key, m.entity_type, m.parent_key,
               m.connection || '/' || m.parent_key AS parent, m.title, m.database, m.schema, '{}',
               (SELECT max(source) FROM source s WHERE s.connection = m.connection), m.key,
               m.entity_type = 'column', true
        FROM made m WHERE m.connection || '/' || m.key NOT IN (SELECT id FROM resource)
    """)
    db.unregister("made")
    db.execute("""
        INSERT INTO owner SELECT r.id, r.connection, c.instance, r.database, r.schema, r.title
        FROM resource r JOIN connection c USING (connection) WHERE r.inferred AND NOT r.is_column
    """)
    return True


def _columns(uses: Uses, inferred: Mapping[int, str]) -> dict[str, dict[str, str]]:
    """The columns that SQL gives or takes of inferred tables, by folded title."""
    columns: dict[str, dict[str, str]] = {}
    for use, names in uses.references():
        keys = {name: inferred[ref] for name, ref in names.items() if ref in inferred}
        if not keys:
            continue
        program = uses.program(use)
        for name, column in _named(bind(program, {})):
            if name in keys:
                title = stored(column, program.dialect)
                columns.setdefault(keys[name], {}).setdefault(title.lower(), title)
    return columns


def _named(binding: Binding) -> Iterator[tuple[TableName, Identifier]]:
    for statement in binding.statements:
        for edge in statement.edges:
            yield edge.upstream, edge.upstream_column
        for one in statement.indirect:
            yield one.table, one.column
        for flow in statement.flows:
            for output in flow.outputs:
                if flow.table and output.name and not output.star:
                    yield flow.table, output.name
