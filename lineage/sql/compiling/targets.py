"""Where data goes: real tables, files, and tables that live in the text only."""

from __future__ import annotations

from typing import Any, Final

from sqlglot import exp

from lineage.names import is_path
from lineage.sql.compiling.builder import Builder, Ctes
from lineage.sql.compiling.queries import SET_OPERATIONS, add_ctes
from lineage.sql.compiling.table_names import is_local, parts_key, table_parts
from lineage.sql.program import SELECT, UNION
from lineage.sql.reading.commands import Name

QUERIES: Final = frozenset({exp.Select, exp.Subquery, exp.Values, exp.Table, exp.Pivot, *SET_OPERATIONS})


def own_ctes(builder: Builder, node: Any) -> Ctes:
    """The common table expressions in sight of a statement that is no query."""
    with_ = node.args.get("with_")
    return add_ctes(builder, with_, -1, builder.ctes) if with_ is not None else builder.ctes


def fill_new(
    builder: Builder, parts: list[Name], columns: list[int] | None, query: int | None, temporary: bool
) -> None:
    """A table comes to be, filled from a query or empty."""
    key = parts_key(builder, parts)
    if temporary:
        builder.session_tables[key] = True
        if query is not None:
            builder.temps[key] = [(query, columns, reads_of_temp(builder))]
        else:
            number, scope = builder.open(SELECT if columns else UNION, -1)
            scope.outputs = [[column, [], None] for column in columns or ()]
            builder.temps[key] = [(builder.close(number), None, [])]
        return
    builder.temps.pop(key, None)
    table = builder.table(parts)
    builder.write(table)
    if query is not None:
        builder.statement.flows.append([table, columns, query, columns is not None])
    elif columns:
        builder.statement.columns.append([table, columns])


def reads_of_temp(builder: Builder) -> list[int]:
    """What the statement read for a table of this text: it counts where that table is used."""
    statement = builder.statement
    reads = statement.reads
    if not statement.writes:
        statement.reads = []
    return reads


def target_of(builder: Builder, node: Any) -> tuple[list[Name], list[int] | None]:
    """The name and the column list of what a statement writes to."""
    columns = None
    if type(node) is exp.Schema:
        columns = [
            builder.ident(item.args["this"] if type(item) in (exp.ColumnDef, exp.Column) else item)
            for item in node.args.get("expressions") or ()
            if type(item) in (exp.ColumnDef, exp.Column, exp.Identifier)
        ]
        node = _named(node)
    return (table_parts(builder, node) if type(node) is exp.Table else []), columns or None


def _named(schema: Any) -> Any:
    """The table that a column list follows. Databricks: IDENTIFIER(:x) looks like a list behind a name."""
    table, listed = schema.args["this"], schema.args.get("expressions") or ()
    if table.name.lower() == "identifier" and any(
        type(item) in (exp.Placeholder, exp.Parameter) for item in listed
    ):
        return None
    return table


def flow_into(
    builder: Builder, parts: list[Name], columns: list[int] | None, scope: int, by_position: bool
) -> None:
    """The scope's outputs go into a table that exists."""
    key = parts_key(builder, parts)
    writers = builder.temps.get(key)
    if writers is None and is_local(builder, parts):
        writers = builder.temps[key] = []
    if is_local(builder, parts):
        builder.session_tables.setdefault(key, False)
    if writers is not None:
        if columns is None and by_position and writers and builder.scopes[writers[0][0]].outputs:
            given = [output[0] for output in builder.scopes[writers[0][0]].outputs]
            columns = given if min(given) >= 0 else None
        writers.append((scope, columns, reads_of_temp(builder)))
        return
    table = builder.file(parts[0][0]) if is_path(parts[0][0]) else builder.table(parts)
    builder.write(table)
    builder.statement.flows.append([table, columns, scope, by_position])
