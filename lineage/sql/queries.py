"""Query blocks: SELECT, set operations, VALUES and common table expressions become scopes."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from lineage.sql.builder import Builder, Ctes, Frame, column_parts
from lineage.sql.dialects import alias_orders_alone, recursion_is_implicit
from lineage.sql.expressions import collect, dependencies, distinct, output
from lineage.sql.pivots import add_match_recognize, compile_pivot_statement
from lineage.sql.program import (
    ALL_LITERALS,
    BY_NAME,
    CLAUSES,
    COPY,
    DISTINCT,
    POSITIONS,
    RECURSIVE,
    SCOPE,
    SELECT,
    UNION,
    VALUE,
)
from lineage.sql.sources import add_clause, add_join, add_source

SET_OPERATIONS = frozenset({exp.Union, exp.Except, exp.Intersect})
_CHANGES = frozenset({exp.Insert, exp.Update, exp.Delete, exp.Merge})
_CLAUSES = tuple(
    (arg, CLAUSES.index(clause))
    for arg, clause in (
        ("prewhere", "where"),
        ("where", "where"),
        ("connect", "where"),
        ("group", "group_by"),
        ("having", "having"),
        ("qualify", "qualify"),
        ("order", "order_by"),
        ("sort", "order_by"),
        ("cluster", "order_by"),
        ("distribute", "order_by"),
    )
)
ORDER, GROUP, JOIN = CLAUSES.index("order_by"), CLAUSES.index("group_by"), CLAUSES.index("join")
_GROUPINGS = frozenset({exp.GroupingSets, exp.Rollup, exp.Cube, exp.Tuple, exp.Paren})


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
        alias = cte.args.get("alias")
        if alias is None:
            continue
        key = builder.key_of_node(alias.args.get("this") or "")
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
    args = node.args
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
    distinct_on = args.get("distinct")
    if distinct_on is not None and distinct_on.args.get("on") is not None:
        _add_positional(
            frame, GROUP, distinct_on.args["on"].args.get("expressions") or [distinct_on.args["on"]]
        )
    elif distinct_on is not None:
        frame.scope.clauses.append([DISTINCT, None, list(range(len(frame.scope.outputs)))])
    for name, clause in _CLAUSES:
        part = args.get(name)
        if part is None:
            continue
        if clause == GROUP and part.args.get("all"):
            frame.scope.clauses.append([GROUP, None, _plain_places(args["expressions"])])
        if clause in (ORDER, GROUP):
            _add_positional(frame, clause, _clause_items(part))
        else:
            add_clause(frame, clause, part)
    for name in ("limit", "offset"):
        limit = args.get(name)
        if limit is None:
            continue
        if limit.args.get("expressions"):  # ClickHouse: LIMIT 1 BY a
            _add_positional(frame, GROUP, limit.args["expressions"])
        if type(limit.args.get("expression")) is exp.Subquery:
            add_clause(frame, CLAUSES.index("where"), limit.args["expression"])
    return frame.close()


def _order_items(window: Any) -> list[Any]:
    order = window.args.get("order")
    return order.args["expressions"] if order is not None else []


def _clause_items(part: Any) -> list[Any]:
    items = []
    for value in part.args.values():
        items += value if type(value) is list else [value]
    return [item for item in items if isinstance(item, exp.Expr)]


def _plain_places(items: list[Any]) -> list[int]:
    """What GROUP BY ALL groups by: the places of the items without an aggregate or window function."""
    return [place for place, item in enumerate(items) if not _aggregates(item)]


def _aggregates(node: Any) -> bool:
    stack = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, (exp.AggFunc, exp.Window)):
            return True
        if not isinstance(one, exp.Query):
            stack += one.iter_expressions()
    return False


def _add_positional(frame: Frame, clause: int, items: list[Any]) -> None:
    """GROUP BY and ORDER BY: a number stands for an item of the select list."""
    deps: list[int] = []
    without_aliases: list[int] = []
    apart = clause == ORDER and alias_orders_alone(frame.builder.dialect)
    outputs = frame.scope.outputs
    places: list[int] = []  # of columns that the stars before them put off
    nested = False
    items = list(reversed(items))
    while items:
        item = items.pop()
        kind = type(item)
        inner = item.args["this"] if kind is exp.Ordered else item
        if type(inner) is exp.Literal and not inner.args.get("is_string"):
            frame.builder.literals_matter |= ALL_LITERALS if nested or len(inner.name) > 2 else POSITIONS
            place = int(inner.name) - 1 if inner.name.isdecimal() and len(inner.name) < 6 else -1
            if not outputs or any(output[0] == -2 for output in outputs[: place + 1]):
                places += [~place] if place >= 0 else []
            elif 0 <= place < len(outputs):
                deps += outputs[place][1]
        elif kind in _GROUPINGS:
            nested = True
            items += reversed(_clause_items(item))
        elif clause == ORDER and _is_all(frame, inner):
            frame.scope.clauses.append([clause, None, list(range(len(outputs)))])
        else:
            collect(frame, inner, VALUE, without_aliases if apart and type(inner) is not exp.Column else deps)
    for found, special in ((deps, ()), (without_aliases, (False,))):
        if found:
            plain = [d and VALUE if i % 2 == 0 else d for i, d in enumerate(found)]
            frame.scope.clauses.append([clause, distinct(plain), *special])
    if places:
        frame.scope.clauses.append([clause, None, places])


def _is_all(frame: Frame, node: Any) -> bool:
    """ORDER BY ALL, of a dialect that knows it and reads `all` as a reserved word."""
    if type(node) is exp.Column:
        if node.args.get("table") is not None or node.args["this"].args.get("quoted"):
            return False
        return frame.builder.dialect == "snowflake" and str(node.name).lower() == "all"
    return type(node) is exp.Var and str(node.name).upper() == "ALL"


def add_output(frame: Frame, node: Any) -> None:
    """Add one item of a select list."""
    kind = type(node)
    builder = frame.builder
    outputs = frame.scope.outputs
    if kind is exp.Alias:
        alias, value = node.args["alias"], node.args["this"]
        name = builder.ident(alias)
    elif kind is exp.Column:
        this = node.args["this"]
        if type(this) is exp.Star:
            outputs.append(_star(frame, [builder.ident(part) for part in column_parts(node)[:-1]], this))
            return
        name, value = builder.ident(this), node
    elif kind is exp.Star or (kind is exp.Columns and type(node.args["this"]) is exp.Star):
        outputs.append(_star(frame, [], node if kind is exp.Star else node.args["this"]))
        return
    elif kind is exp.Aliases:
        deps = dependencies(frame, node.args["this"])
        outputs += [[builder.ident(name), deps, None] for name in node.args["expressions"]]
        return
    elif (
        kind is exp.QueryTransform and node.args.get("schema") is not None
    ):  # Hive: a script gives the columns
        items: list[Any] = []
        collect(frame, exp.Tuple(expressions=node.args["expressions"]), VALUE, items)
        for column in node.args["schema"].args.get("expressions") or ():
            named = column.args["this"] if type(column) is exp.ColumnDef else column
            outputs.append([builder.ident(named), distinct(items), None])
        return
    elif kind is exp.Dot and type(node.args["expression"]) is exp.Star:
        deps = dependencies(frame, node.args["this"])
        outputs.append([builder.name("*"), deps, None])
        return
    else:
        name, value = _own_name(builder, node), node
    frame.anchor = None
    made = output(frame, name, value)
    deps = made[1]
    if name < 0 and kind is exp.Subquery and len(deps) == 2 and deps[1] < 0:
        inner = builder.scopes[~deps[1]].outputs
        made[0] = inner[0][0] if inner and inner[0][0] >= 0 else -1
    if frame.anchor is not None and made[2] != COPY:
        alias = builder.texts[made[0]].removeprefix('"') if made[0] >= 0 else ""
        made[2] = builder.excerpts.add(frame.number, frame.anchor, alias)
    outputs.append(made)


def _own_name(builder: Builder, node: Any) -> int:
    """The name of an item without an alias, -1 if the dialect makes one up."""
    kind = type(node)
    if kind is exp.Subquery:
        alias = node.args.get("alias")
        if alias is not None and alias.args.get("this") is not None:
            return builder.ident(alias.args["this"])
        return -1
    if kind is exp.Dot:
        last = node.args["expression"]
        return builder.ident(last) if type(last) is exp.Identifier else -1
    if kind in (exp.Cast, exp.TryCast, exp.Paren, exp.Bracket):
        this = node.args["this"]
        if type(this) is exp.Column and type(this.args["this"]) is exp.Identifier:
            return builder.ident(this.args["this"])
    if kind is exp.Pseudocolumn:
        return builder.name(node.name)
    return -1


def _star(frame: Frame, qualifier: list[int], star: Any) -> list[Any]:
    builder = frame.builder
    args = star.args
    except_ = [builder.name(item.name) for item in args.get("except_") or ()]
    replace = [
        [builder.ident(item.args["alias"]), dependencies(frame, item.args["this"])]
        for item in args.get("replace") or ()
        if type(item) is exp.Alias
    ]
    rename = [
        [builder.name(item.args["this"].name), builder.ident(item.args["alias"])]
        for item in args.get("rename") or ()
        if type(item) is exp.Alias
    ]
    return [-2, qualifier, except_, replace, rename]


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
        _add_positional(frame, ORDER, _clause_items(order))
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
    frame.scope.outputs.append([-2, [], [], [], []])
    return frame.close()
