"""Statements: what each reads, what it writes, and which query's columns go where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sqlglot import exp

from lineage.names import is_path
from lineage.sql.compiling.builder import Args, Builder, Ctes, Frame
from lineage.sql.compiling.changes import compile_delete, compile_merge, compile_update
from lineage.sql.compiling.conflicts import add_conflict
from lineage.sql.compiling.dynamic import compile_execute_sql
from lineage.sql.compiling.moves import (
    compile_alter,
    compile_command,
    compile_copy,
    compile_drop,
    compile_export,
    compile_load,
)
from lineage.sql.compiling.outputs import add_output_into
from lineage.sql.compiling.queries import compile_query
from lineage.sql.compiling.select_list import add_output
from lineage.sql.compiling.session import compile_declare, compile_queries_within, compile_set, compile_use
from lineage.sql.compiling.sources import add_source
from lineage.sql.compiling.table_names import parts_key, table_parts
from lineage.sql.compiling.targets import QUERIES, fill_new, flow_into, own_ctes, target_of
from lineage.sql.program import SELECT, WHERE

_OF_THE_SESSION: Final = frozenset({exp.TemporaryProperty, exp.VolatileProperty})
# SELECT ... INTO fills variables there, and makes no table.
_INTO_VARIABLES: Final = frozenset(
    {"oracle", "mysql", "snowflake", "teradata", "singlestore", "doris", "starrocks"}
)


def compile_statement(builder: Builder, node: Any) -> None:
    """Compile one tree into the builder's current statement. Raises Unsupported for a bare command."""
    handler = _HANDLERS.get(type(node))
    if handler is not None:
        handler(builder, node)
    elif isinstance(node, exp.Command):
        compile_command(builder, node)
    else:
        builder.statement.kind = type(node).__name__.lower()


def compile_changing_cte(builder: Builder, node: Any, ctes: Ctes) -> int:
    """INSERT, UPDATE, DELETE or MERGE in a WITH: it does its work, and RETURNING makes its columns."""
    kind, outer = builder.statement.kind, builder.ctes
    builder.ctes = ctes
    before = len(builder.statement.flows)
    compile_statement(builder, node)
    builder.statement.kind, builder.ctes = kind, outer
    frame = Frame(builder, SELECT, -1, ctes)
    for flow in builder.statement.flows[before:]:  # what decides about the change decides about these rows
        frame.scope.clauses.append([WHERE, [0, ~flow[2]]])
    this = node.args.get("this")
    this = this.args["this"] if type(this) is exp.Schema else this
    reads = list(builder.statement.reads)
    if type(this) is exp.Table:
        add_source(frame, this)
    returning = node.args.get("returning")
    if returning is None:  # else the rows that were changed are read by the query around
        builder.statement.reads = reads
    for item in returning.args.get("expressions") or () if returning is not None else ():
        add_output(frame, item)
    return frame.close()


def _select(builder: Builder, node: Any) -> None:
    builder.statement.kind = "select"
    number = compile_query(builder, node, -1, {})
    into: Any = node.args.get("into") if type(node) is exp.Select else None
    target: Any = into.args.get("this") if into is not None else None
    if type(target) is exp.Table and builder.dialect not in _INTO_VARIABLES:
        builder.statement.kind = "create_table"
        parts = table_parts(builder, target)
        temporary = bool(into.args.get("temporary")) or parts[-1][0][:1] == "#"
        fill_new(builder, parts, None, number, temporary)
    else:
        builder.statement.flows.append([-1, None, number, False])


def _create(builder: Builder, node: Any) -> None:
    args: Args = node.args
    kind = str(args.get("kind") or "").upper()
    builder.statement.kind = "create_" + (kind.lower().replace(" ", "_") or "object")
    body = args.get("expression")
    if kind in ("PROCEDURE", "FUNCTION", "MACRO"):
        _routine(builder, args.get("this"), body)
        builder.statement.kind = "create_" + kind.lower()
        return
    if kind not in ("TABLE", "VIEW"):
        return
    parts, columns = target_of(builder, args["this"])
    if not parts:
        return
    properties: list[Any] = (
        args["properties"].args["expressions"] if args.get("properties") is not None else []
    )
    temporary = any(type(item) in _OF_THE_SESSION for item in properties) or parts[-1][0][:1] == "#"
    if kind == "VIEW" and any(type(item) is exp.MaterializedProperty for item in properties):
        builder.statement.kind = "create_materialized_view"
    while type(body) is exp.Paren:
        body = body.args["this"]
    query = None
    if type(body) in QUERIES:
        ctes = own_ctes(builder, node)
        query = compile_query(builder, body, -1, ctes)
    copied = [
        item for item in (args.get("clone"), *properties) if type(item) in (exp.Clone, exp.LikeProperty)
    ]
    if query is None and copied:
        query = compile_query(builder, copied[0].args["this"], -1, {})
    fill_new(builder, parts, columns, query, temporary)
    for item in properties:
        if type(item) is exp.ToTableProperty and query is not None:  # ClickHouse: a view that fills a table
            flow_into(builder, table_parts(builder, item.args["this"]), None, query, False)


def _routine(builder: Builder, head: Any, body: Any) -> None:
    """What a body that is no text reads and writes. Its parameters are no columns."""
    builder.let_literals_matter()  # a body may stand in quotes
    given = head.args.get("expressions") or () if type(head) is exp.UserDefinedFunction else ()
    named = [item.args["this"] if type(item) is exp.ColumnDef else item for item in given]
    keys = [builder.key_of_node(name) for name in named if type(name) is exp.Identifier]
    scalars, odd_names = builder.scalars, builder.odd_names
    builder.scalars = {**scalars, **dict.fromkeys(keys, exp.Null())}
    builder.odd_names = odd_names or bool(keys)
    try:
        statements = _block(body)
        for inner in statements:
            compile_statement(builder, inner)
        if not statements:
            compile_queries_within(builder, body)
    finally:
        builder.scalars, builder.odd_names = scalars, odd_names


def _block(body: Any) -> list[Any]:
    """The statements within a procedure's body."""
    if body is None or isinstance(body, (str, exp.Heredoc)):
        return []
    if type(body) is exp.Block:
        return [item for item in body.args["expressions"] if item is not None]
    return [body] if type(body) in _HANDLERS else []


def _insert(builder: Builder, node: Any) -> None:
    builder.statement.kind = "insert"
    ctes = own_ctes(builder, node)
    _insert_into(builder, node, ctes)


def _insert_into(builder: Builder, node: Any, ctes: Ctes) -> None:
    args: Args = node.args
    this = args.get("this")
    parts, columns = target_of(builder, this)
    if type(this) is exp.Directory and is_path(this.name):
        builder.let_literals_matter()
        parts = [(this.name, True)]
    query = args.get("expression")
    number = compile_query(builder, query, -1, ctes) if type(query) in QUERIES else None
    if not parts:
        if number is not None:
            builder.statement.flows.append([-1, None, number, False])
        return
    if number is not None:
        flow_into(builder, parts, columns, number, not args.get("by_name"))
        if args.get("conflict") is not None:
            add_conflict(builder, node, (parts, columns, number), ctes)
    elif parts_key(builder, parts) not in builder.temps:
        builder.write(builder.table(parts))
    add_output_into(builder, node, parts, [], ctes)


def _multi_insert(builder: Builder, node: Any) -> None:
    builder.statement.kind = "insert"
    source = node.args.get("source")
    first = str(node.args.get("kind") or "").upper() == "FIRST"
    seen: list[Any] = []
    conditions: list[Any] = []
    for insert in node.args["expressions"]:
        if type(insert) is exp.ConditionalInsert:
            condition = insert.args.get("expression")
            if condition is not None:
                conditions = [*(seen if first else ()), condition]
                seen.append(condition)
            elif insert.args.get("else_"):
                conditions = list(seen)
            insert = insert.args["this"]
        query = insert.args.get("expression")
        if type(query) is exp.Select and query.args.get("from_") is None and source is not None:
            query.set("from_", exp.From(this=source))
        elif type(query) is exp.Values and type(query.args["expressions"][0]) is exp.Tuple:
            row = query.args["expressions"][0].args["expressions"]
            insert.set("expression", _chosen(row, source, conditions))
        elif query is None:
            insert.set("expression", _chosen([exp.Star()], source, conditions))
        _insert_into(builder, insert, {})


def _chosen(items: list[Any], source: Any, conditions: list[Any]) -> Any:
    """The rows of a multi-insert's source that go to one of its targets."""
    where = exp.Where(this=exp.Tuple(expressions=conditions)) if conditions else None
    return exp.Select(expressions=items, from_=exp.From(this=_derived(source)), where=where)


def _derived(source: Any) -> Any:
    return exp.Subquery(this=source) if type(source) is exp.Select else source


def _delegate(kind: str) -> Callable[[Builder, Any], None]:
    """A statement that only runs the query within it."""

    def handle(builder: Builder, node: Any) -> None:
        builder.statement.kind = kind
        query = node.args.get("expression") or node.args.get("this")
        if type(query) in QUERIES and type(query) is not exp.Table:
            builder.statement.flows.append([-1, None, compile_query(builder, query, -1, {}), False])

    return handle


def _cache(builder: Builder, node: Any) -> None:
    """Spark's CACHE TABLE x AS SELECT: a table of this session."""
    builder.statement.kind = "cache"
    query = node.args.get("expression")
    if type(query) in QUERIES:
        number = compile_query(builder, query, -1, {})
        fill_new(builder, table_parts(builder, node.args["this"]), None, number, temporary=True)


def _return(builder: Builder, node: Any) -> None:
    builder.statement.kind = "return"
    compile_queries_within(builder, node)


def _nested(builder: Builder, node: Any) -> None:
    """A block of statements taken as one, and the queries in its condition."""
    if node.args.get("this") is not None:
        compile_queries_within(builder, node.args["this"])
    for key in ("body", "true", "false", "expressions"):
        value = node.args.get(key)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, exp.Expr):
                compile_statement(builder, item)


def _silent(kind: str) -> Callable[[Builder, Any], None]:
    def handle(builder: Builder, node: Any) -> None:
        builder.statement.kind = kind

    return handle


_HANDLERS: Final[dict[type, Callable[[Builder, Any], None]]] = {
    **dict.fromkeys(QUERIES, _select),
    exp.Create: _create,
    exp.Insert: _insert,
    exp.MultitableInserts: _multi_insert,
    exp.Update: compile_update,
    exp.Delete: compile_delete,
    exp.Merge: compile_merge,
    exp.Drop: compile_drop,
    exp.TruncateTable: _silent("truncate"),
    exp.Use: compile_use,
    exp.Set: compile_set,
    exp.Declare: compile_declare,
    exp.Return: _return,
    exp.Cache: _cache,
    exp.Alter: compile_alter,
    exp.Copy: compile_copy,
    exp.LoadData: compile_load,
    exp.Describe: _delegate("describe"),
    exp.Export: compile_export,
    exp.Block: _nested,
    exp.WhileBlock: _nested,
    exp.IfBlock: _nested,
    exp.EndStatement: _silent("end"),
    exp.ExecuteSql: compile_execute_sql,
    exp.Execute: _silent("execute"),
}
