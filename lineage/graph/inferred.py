"""Tables that no connection owns become nodes, for connections that ask for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from lineage.graph.uses import Uses
from lineage.names import Identifier, TableName, dotted, stored
from lineage.sql import Binding, bind


class _Table(NamedTuple):
    """A table that references name; `folds` says that it may be another one whose name differs in case only."""

    connection: str
    instance: str | None
    database: str | None
    schema: str | None
    title: str
    folds: bool
    refs: list[int]

    @property
    def key(self) -> str:
        """The parts, dotted; a schema that is absent behind a database is an empty part."""
        absent = "" if self.database is not None else None
        return dotted(self.database, absent if self.schema is None else self.schema, self.title)

    @property
    def id(self) -> str:
        return f"{self.connection}/{self.key}"

    @property
    def folded(self) -> tuple[str | None, ...]:
        parts = (self.instance, self.database, self.schema, self.title)
        return tuple(part and part.lower() for part in parts)

    @property
    def spelled(self) -> tuple[str | None, ...]:
        return (self.instance and self.instance.lower(), self.database, self.schema, self.title)


def infer_tables(db: duckdb.DuckDBPyConnection, uses: Uses) -> bool:
    """Adds to `resource` and `owner` what `infer_tables` connections name and nobody has; True when there is any.

    A table that several of them name belongs to the first by name.
    """
    tables = _named_tables(db, uses)
    if not tables:
        return False
    inferred = {ref: table.id for table in tables for ref in table.refs}
    columns = _columns(uses, inferred)
    made: list[tuple[Any, ...]] = []
    for one in tables:
        place = (one.database, one.schema)
        made.append((one.connection, one.key, "table", None, one.title, *place))
        made += [
            (one.connection, f"{one.key}.{dotted(c)}", "column", one.key, c, *place)
            for c in columns.get(one.id, {}).values()
        ]
    names = ["connection", "key", "entity_type", "parent_key", "title", "database", "schema"]
    arrays = [pa.array(list(values), pa.string()) for values in zip(*made, strict=True)]
    db.register("made", pa.table(arrays, names))
    db.execute("""
        INSERT INTO resource BY NAME
        SELECT ((SELECT count(*) FROM resource) + row_number() OVER (ORDER BY m.connection, m.key) - 1)::INTEGER AS num,
               m.connection, m.key, m.entity_type, m.parent_key, m.title, m.database, m.schema,
               (SELECT max(source) FROM source s WHERE s.connection = m.connection) AS source,
               m.entity_type = 'column' AS is_column, true AS inferred
        FROM made m ANTI JOIN resource r ON r.connection = m.connection AND r.key = m.key
    """)
    db.unregister("made")
    db.execute("""
        INSERT INTO owner SELECT r.num, r.connection, c.instance, r.database, r.schema, r.title
        FROM resource r JOIN connection c USING (connection) WHERE r.inferred AND NOT r.is_column
    """)
    return True


def _named_tables(db: duckdb.DuckDBPyConnection, uses: Uses) -> list[_Table]:
    """The tables to infer: what SQL names and nobody has. Spellings that mean one table are one, the first."""
    of_sql = sorted({ref for _, names in uses.references() for ref in names.values()})
    db.register("of_sql", pa.table({"ref": pa.array(of_sql, pa.int32())}))
    rows = db.execute("""
        SELECT r.connection, lower(r.instance), r.database, r.schema, r.title,
               r.fold_database AND r.fold_schema AND r.fold_title, [r.ref]
        FROM reference r JOIN of_sql USING (ref) ANTI JOIN match m USING (ref) ANTI JOIN match_several s USING (ref)
        JOIN connection c USING (connection)
        WHERE c.infer_tables AND r.namespace IS NULL
            AND (r.instance IS NULL OR lower(r.instance) = lower(c.instance))
        ORDER BY r.ref
    """).fetchall()
    db.unregister("of_sql")
    alike: dict[tuple[str | None, ...], list[_Table]] = {}
    for row in rows:
        table = _Table(*row)
        alike.setdefault(table.folded[1:], []).append(table)
    return sorted(
        (table for group in alike.values() for table in _merged(group)), key=lambda t: (t.connection, t.key)
    )


def _merged(group: list[_Table]) -> list[_Table]:
    """One table for each that a group of names, alike but for their case, means."""
    tables: dict[tuple[str | None, ...], _Table] = {}
    # Names that are exact go first: what folds joins the one of its spelling, or the only one.
    for name in sorted(group, key=lambda one: (one.instance is None, one.folds, one.refs)):
        near = [key for key, table in tables.items() if name.instance in (None, table.instance)]
        fitting = [key for key in near if key[1:] == name.spelled[1:]] or (near if name.folds else [])
        if len(fitting) > 1:
            fitting = [key for key in fitting if tables[key].connection == name.connection]
        if len(fitting) == 1:
            old = tables[fitting[0]]
            first = min(old.connection, name.connection) if name.instance == old.instance else old.connection
            tables[fitting[0]] = old._replace(connection=first, refs=old.refs + name.refs)
        else:
            tables[name.spelled] = name
    return list(tables.values())


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
