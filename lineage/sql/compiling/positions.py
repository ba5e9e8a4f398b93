"""GROUP BY and ORDER BY, in which a number or ALL stands for items of the select list."""

from __future__ import annotations

from typing import Any, Final

from sqlglot import exp

from lineage.sql.compiling.builder import Frame
from lineage.sql.compiling.expressions import collect, distinct
from lineage.sql.dialects import alias_orders_alone
from lineage.sql.program import ALL_LITERALS, ORDER_BY, POSITIONS, VALUE

_GROUPINGS: Final = frozenset({exp.GroupingSets, exp.Rollup, exp.Cube, exp.Tuple, exp.Paren})


def clause_items(part: Any) -> list[Any]:
    items = []
    for value in part.args.values():
        items += value if type(value) is list else [value]
    return [item for item in items if isinstance(item, exp.Expr)]


def plain_places(items: list[Any]) -> list[int]:
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


def add_positional(frame: Frame, clause: int, items: list[Any]) -> None:
    """GROUP BY and ORDER BY: a number stands for an item of the select list."""
    deps: list[int] = []
    without_aliases: list[int] = []
    apart = clause == ORDER_BY and alias_orders_alone(frame.builder.dialect)
    outputs = frame.scope.outputs
    places: list[int] = []  # of columns that the stars before them put off
    nested = False
    items = list(reversed(items))
    while items:
        item = items.pop()
        kind = type(item)
        inner = item.args["this"] if kind is exp.Ordered else item
        if type(inner) is exp.Literal:
            frame.builder.literals_matter |= ALL_LITERALS if nested or len(inner.name) > 2 else POSITIONS
            if inner.args.get("is_string"):
                continue
            place = int(inner.name) - 1 if inner.name.isdecimal() and len(inner.name) < 6 else -1
            if not outputs or any(output[0] == -2 for output in outputs[: place + 1]):
                places += [~place] if place >= 0 else []
            elif 0 <= place < len(outputs):
                deps += outputs[place][1]
        elif kind in _GROUPINGS:
            nested = True
            items += reversed(clause_items(item))
        elif clause == ORDER_BY and _is_all(frame, inner):
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
