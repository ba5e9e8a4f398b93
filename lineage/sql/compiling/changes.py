"""Statements that change rows in place: UPDATE, DELETE, MERGE."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from lineage.sql.compiling.builder import Args, Builder, Frame
from lineage.sql.compiling.expressions import output
from lineage.sql.compiling.outputs import add_output_into
from lineage.sql.compiling.sources import add_clause, add_join, add_source
from lineage.sql.compiling.table_names import parts_key, table_parts
from lineage.sql.compiling.targets import flow_into, own_ctes
from lineage.sql.program import JOIN, ORDER_BY, SELECT, WHERE
from lineage.sql.reading.commands import Name


def add_target(builder: Builder, frame: Frame, node: Any) -> list[Name]:
    """The table that UPDATE, DELETE or MERGE changes: a source, yet not read for its own sake."""
    parts = table_parts(builder, node)
    before = list(builder.statement.reads)
    add_source(frame, node)
    if not node.args.get("joins"):
        builder.statement.reads = before
    elif parts:
        own = builder.table(parts)
        if own not in before and own in builder.statement.reads:
            builder.statement.reads.remove(own)
    return parts


def _aliased(builder: Builder, node: Any, others: list[Any]) -> Any:
    """T-SQL's `UPDATE a SET ... FROM t AS a`: the source that the alias stands for."""
    parts = table_parts(builder, node)
    if len(parts) != 1:
        return None
    key = parts_key(builder, parts)
    for other in others:
        for table in (other, *(join.args["this"] for join in other.args.get("joins") or ())):
            alias = table.args.get("alias")
            if type(table) is not exp.Table or alias is None or alias.args.get("this") is None:
                continue
            if builder.key_of_node(alias.args["this"]) == key:
                return table
    return None


def _base_of(builder: Builder, node: Any, target: Any) -> Any:
    """The one table below a common table expression whose rows are changed, as T-SQL allows."""
    with_, parts = node.args.get("with_"), table_parts(builder, target)
    for cte in with_.args["expressions"] if with_ is not None and len(parts) == 1 else ():
        body, alias = cte.args["this"], cte.args.get("alias")
        if alias is None or builder.key_of_node(alias.args["this"]) != parts_key(builder, parts):
            continue
        if type(body) is exp.Select and not body.args.get("joins") and body.args.get("from_") is not None:
            table = body.args["from_"].args["this"]
            return table if type(table) is exp.Table and table_parts(builder, table) else None
    return None


def _add_changed(builder: Builder, frame: Frame, node: Any, aliased: Any) -> list[Name]:
    """The table that UPDATE or DELETE changes; `aliased` is the source that stands for it if one does."""
    this = node.args["this"]
    base = _base_of(builder, node, this)
    if base is not None:
        add_source(frame, this)
        parts = table_parts(builder, base)
        _forget_read(builder, parts)
        return parts
    return add_target(builder, frame, this) if aliased is None else table_parts(builder, aliased)


def set_items(frame: Frame, items: list[Any]) -> None:
    """SET a = x, (b, c) = (SELECT ...): an output for each column assigned."""
    builder = frame.builder
    for item in items:
        if type(item) not in (exp.EQ, exp.PropertyEQ):
            continue
        left, right = item.args["this"], item.args["expression"]
        if type(left) is exp.Tuple:
            names = left.args["expressions"]
            values = _values(right, len(names))
        else:
            names, values = [left], [right]
        for name, value in zip(names, values, strict=False):
            while type(name) is exp.Dot:
                name = name.args["this"]
            if type(name) is exp.Column:
                name = name.args["this"]
            if type(name) is exp.Identifier:
                frame.scope.outputs.append(output(frame, builder.ident(name), value))


def _values(right: Any, count: int) -> list[Any]:
    """One value for each of several columns: of a row, or a subquery's columns by position."""
    if type(right) is exp.Tuple:
        return list(right.args["expressions"])
    query = right.args["this"] if type(right) is exp.Subquery else right
    if type(query) is exp.Select and len(query.args["expressions"]) == count:
        others = {key: value for key, value in query.args.items() if key != "expressions"}
        return [exp.Select(expressions=[item], **others) for item in query.args["expressions"]]
    return [right] * count


def compile_update(builder: Builder, node: Any) -> None:
    builder.statement.kind = "update"
    args: Args = node.args
    ctes = own_ctes(builder, node)
    frame = Frame(builder, SELECT, -1, ctes)
    from_ = args.get("from_")
    others = [from_.args["this"]] if from_ is not None else []
    aliased = _aliased(
        builder, args["this"], [*others, *([args["this"]] if args["this"].args.get("joins") else [])]
    )
    parts = _add_changed(builder, frame, node, aliased)
    for other in others:
        add_source(frame, other)
    set_items(frame, args.get("expressions") or [])
    add_clause(frame, WHERE, args.get("where"))
    add_clause(frame, ORDER_BY, args.get("order"))
    flow_into(builder, parts, None, frame.close(), False) if parts else frame.close()
    add_output_into(builder, node, parts, others, ctes)


def _forget_read(builder: Builder, parts: list[Name]) -> None:
    table = builder.table(parts)
    if table in builder.statement.reads:
        builder.statement.reads.remove(table)


def compile_delete(builder: Builder, node: Any) -> None:
    builder.statement.kind = "delete"
    args: Args = node.args
    ctes = own_ctes(builder, node)
    frame = Frame(builder, SELECT, -1, ctes)
    targets = args.get("tables") or []
    this = args.get("this")
    if type(this) is not exp.Table:
        frame.close()
        return
    others = list(args.get("using") or [])
    if targets:
        add_source(frame, this)
        for other in others:
            add_source(frame, other)
        written = [table_parts(builder, _aliased(builder, t, [this, *others]) or t) for t in targets]
        for parts in written:
            _forget_read(builder, parts)
    else:
        aliased = _aliased(builder, this, others)
        written = [_add_changed(builder, frame, node, aliased)]
        for other in others:
            add_source(frame, other)
        if aliased is not None:
            _forget_read(builder, written[0])
    for join in args.get("joins") or ():
        add_join(frame, join)
    add_clause(frame, WHERE, args.get("where"))
    add_clause(frame, ORDER_BY, args.get("order"))
    number = frame.close()
    for parts in written:
        if parts:
            flow_into(builder, parts, None, number, False)
    add_output_into(builder, node, written[0], others, ctes)


def compile_merge(builder: Builder, node: Any) -> None:
    builder.statement.kind = "merge"
    args: Args = node.args
    ctes = own_ctes(builder, node)
    whens = args["whens"].args["expressions"] if args.get("whens") is not None else []
    for when in whens or [None]:
        frame = Frame(builder, SELECT, -1, ctes)
        parts = add_target(builder, frame, args["this"])
        add_source(frame, args["using"])
        add_clause(frame, JOIN, args.get("on"))
        columns: list[int] | None = None
        by_position = False
        if when is not None:
            add_clause(frame, WHERE, when.args.get("condition"))
            then = when.args.get("then")
            if isinstance(then, exp.Expr):
                add_clause(frame, WHERE, then.args.get("where"))
            if type(then) is exp.Update:
                _set_or_star(frame, then)
            elif type(then) is exp.Insert:
                columns, by_position = _merge_insert(frame, then)
        if parts:
            flow_into(builder, parts, columns, frame.close(), by_position)
        else:
            frame.close()
    add_output_into(builder, node, table_parts(builder, args["this"]), [args["using"]], ctes)


def _set_or_star(frame: Frame, then: Any) -> None:
    items = then.args.get("expressions")
    if isinstance(items, list):
        set_items(frame, items)
    else:
        _source_star(frame)


def _source_star(frame: Frame) -> None:
    """`UPDATE SET *`, `INSERT *`, `INSERT ROW`: every column of the source, by name."""
    frame.add_star([frame.scope.sources[-1][0]])


def _merge_insert(frame: Frame, then: Any) -> tuple[list[int] | None, bool]:
    builder = frame.builder
    names, values = then.args.get("this"), then.args.get("expression")
    row = values if type(values) is exp.Tuple else None
    if type(values) is exp.Values:
        row = values.args["expressions"][0]
    if row is None and type(names) is exp.Tuple:  # Teradata: INSERT (a, b) has the values in the brackets
        row, names = names, None
    if row is None:
        _source_star(frame)
        return None, False
    for value in row.args["expressions"] if type(row) is exp.Tuple else [row]:
        frame.scope.outputs.append(output(frame, -1, value))
    if type(names) is not exp.Tuple:
        return None, True
    listed = names.args["expressions"]
    return [builder.ident(name.args["this"] if type(name) is exp.Column else name) for name in listed], True
