"""Query blocks: SELECT, set operations, VALUES and common table expressions become scopes."""

from __future__ import annotations

from typing import Any, Final

from sqlglot import exp

from lineage.sql.compiling.builder import Args, Builder, Ctes, Frame
from lineage.sql.compiling.expressions import collect, distinct
from lineage.sql.compiling.pivots import add_match_recognize, compile_pivot_statement
from lineage.sql.compiling.positions import add_positional, clause_items, plain_places
from lineage.sql.compiling.select_list import add_output
from lineage.sql.compiling.sources import add_clause, add_join, add_source
from lineage.sql.dialects import recursion_is_implicit
from lineage.sql.program import (
    BY_NAME,
    DISTINCT,
    GROUP_BY,
    HAVING,
    JOIN,
    ORDER_BY,
    QUALIFY,
    RECURSIVE,
    SCOPE,
    SELECT,
    UNION,
    VALUE,
    WHERE,
)

SET_OPERATIONS: Final = frozenset({exp.Union, exp.Except, exp.Intersect})
_CHANGES: Final = frozenset({exp.Insert, exp.Update, exp.Delete, exp.Merge})
_CLAUSES: Final = (
    ("prewhere", WHERE),
    ("where", WHERE),
    ("connect", WHERE),
    ("group", GROUP_BY),
    ("having", HAVING),
    ("qualify", QUALIFY),
    ("order", ORDER_BY),
    ("sort", ORDER_BY),
    ("cluster", ORDER_BY),
    ("distribute", ORDER_BY),
)


def compile_query(builder: Builder, node: Any, parent: int, ctes: Ctes) -> int:
    """Compile any query, give its scope's number. `parent`: the scope whose sources it may name, or -1."""
    while True:
        kind = type(node)
        with_ = node.args.get("with_")
        if with_ is not None:
            ctes = add_ctes(builder, with_, parent, ctes)
        if kind is exp.Select:
            return _compile_select(builder, node, parent, ctes)
        if kind in SET_OPERATIONS:
            return _compile_union(builder, node, parent, ctes)
        if kind is exp.Values:
            return _compile_values(builder, node, parent, ctes)
        if kind is exp.Pivot:
            return compile_pivot_statement(builder, node, parent, ctes)
        if (
            kind not in (exp.Subquery, exp.Paren, exp.CTE)
            or type(node.args["this"]) is exp.Table
            or node.args.get("joins")
        ):
            break
        node = node.args["this"]
    return _compile_star(builder, node, parent, ctes)


def add_ctes(builder: Builder, with_: Any, parent: int, ctes: Ctes) -> Ctes:
    """The common table expressions in sight after WITH."""
    ctes = dict(ctes)
    recursive = bool(with_.args.get("recursive")) or recursion_is_implicit(builder.dialect)
    for cte in with_.args["expressions"]:
        alias = cte.args["alias"]
        key = builder.key_of_node(alias.args["this"])
        columns = [builder.ident(column) for column in alias.args.get("columns") or ()] or None
        body = cte.args["this"]
        if cte.args.get("scalar"):
            builder.scalars[key] = body  # ClickHouse: WITH expression AS name
            builder.odd_names = True
            continue
        if type(body) in _CHANGES:
            number = builder.compile_changing_cte(builder, body, ctes)
        elif recursive and type(body) in SET_OPERATIONS:
            number = _compile_union(builder, body, parent, ctes, own=key, columns=columns)
        else:
            number = compile_query(builder, body, parent, ctes)
        ctes[key] = (number, columns)
    return ctes


def _compile_select(builder: Builder, node: Any, parent: int, ctes: Ctes) -> int:
    frame = Frame(builder, SELECT, parent, ctes)
    args: Args = node.args
    from_ = args.get("from_")
    match = args.get("match")
    if match is not None and from_ is not None:
        add_match_recognize(frame, match, from_.args["this"])
    elif from_ is not None:
        add_source(frame, from_.args["this"])
    for join in args.get("joins") or ():
        add_join(frame, join)
    for lateral in args.get("laterals") or ():
        add_source(frame, lateral)
    for window in args.get("windows") or ():
        below = frame.windows.get(builder.key_of_node(window.args.get("alias") or ""))
        frame.windows[builder.key_of_node(window.args["this"])] = exp.Tuple(
            expressions=[
                *(below.expressions if below is not None else ()),
                *(window.args.get("partition_by") or ()),
                *_order_items(window),
            ]
        )
    for item in args["expressions"]:
        add_output(frame, item)
    _add_clauses(frame, args)
    return frame.close()


def _add_clauses(frame: Frame, args: Args) -> None:
    clauses = frame.scope.clauses
    distinct = args.get("distinct")
    if distinct is not None:
        on = distinct.args.get("on")
        if on is None:
            clauses.append([DISTINCT, None, list(range(len(frame.scope.outputs)))])
        else:
            add_positional(frame, GROUP_BY, on.args.get("expressions") or [on])
    for name, clause in _CLAUSES:
        part = args.get(name)
        if part is None:
            continue
        if clause == GROUP_BY and part.args.get("all"):
            clauses.append([GROUP_BY, None, plain_places(args["expressions"])])
        if clause in (ORDER_BY, GROUP_BY):
            add_positional(frame, clause, clause_items(part))
        else:
            add_clause(frame, clause, part)
    for name in ("limit", "offset"):
        limit = args.get(name)
        if limit is None:
            continue
        if limit.args.get("expressions"):  # ClickHouse: LIMIT 1 BY a
            add_positional(frame, GROUP_BY, limit.args["expressions"])
        if type(limit.args.get("expression")) is exp.Subquery:
            add_clause(frame, WHERE, limit.args["expression"])


def _order_items(window: Any) -> list[Any]:
    order = window.args.get("order")
    return order.args["expressions"] if order is not None else []


def _compile_union(
    builder: Builder, node: Any, parent: int, ctes: Ctes, own: str = "", columns: list[int] | None = None
) -> int:
    """A set operation, its left spine unrolled. `own` is the key under which a recursive one names itself."""
    frame = Frame(builder, UNION, parent, ctes)
    with_ = node.args.get("with_")
    if own and with_ is not None:
        ctes = add_ctes(builder, with_, parent, ctes)
    if node.args.get("by_name"):
        frame.scope.flags |= BY_NAME
    branches: list[Any] = []
    comparing: list[int | None] = []  # as which clause the rows of a branch are compared with those before it
    left = node
    while left is node or (type(left) in SET_OPERATIONS and left.args.get("with_") is None):
        branches.append(left.args["expression"])
        comparing.append(_comparison(left))
        left = left.args["this"]
    branches.append(left)
    comparing.append(None)
    branches.reverse()
    comparing.reverse()
    for place, branch in enumerate(branches):
        number = compile_query(builder, branch, parent, ctes)
        frame.scope.sources.append([-1, SCOPE, number, None, None])
        if comparing[place] is not None:
            frame.scope.clauses.append([comparing[place], None, place, None])
        if own and place == 0:
            frame.scope.flags |= RECURSIVE
            builder.order.append(~frame.number)
            ctes = {**ctes, own: (frame.number, columns)}
    order = node.args.get("order")
    if order is not None:
        add_positional(frame, ORDER_BY, clause_items(order))
    return frame.close()


def _comparison(node: Any) -> int | None:
    if type(node) is not exp.Union:
        return JOIN
    return DISTINCT if node.args.get("distinct") else None


def _compile_values(builder: Builder, node: Any, parent: int, ctes: Ctes) -> int:
    frame = Frame(builder, SELECT, parent, ctes)
    places: list[list[int]] = []
    for row in node.args.get("expressions") or ():
        for place, item in enumerate(row.args["expressions"] if type(row) is exp.Tuple else [row]):
            if place == len(places):
                places.append([])
            if type(item) is not exp.Literal:
                collect(frame, item, VALUE, places[place])
    for place, deps in enumerate(places):
        frame.scope.outputs.append([builder.name(f"column{place + 1}"), distinct(deps), None])
    return frame.close()


def _compile_star(builder: Builder, node: Any, parent: int, ctes: Ctes) -> int:
    """`TABLE t`, `(t JOIN u)`, or whatever else gives rows: all its columns."""
    frame = Frame(builder, SELECT, parent, ctes)
    if type(node) is exp.Subquery:
        add_source(frame, node.args["this"])
        for join in node.args.get("joins") or ():
            add_join(frame, join)
    else:
        add_source(frame, node)
    frame.add_star()
    return frame.close()
