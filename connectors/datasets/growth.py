"""How many times the size of a record an expression may make of it: a bound from the text alone.

DuckDB does not count the texts that its functions make against its memory limit (measured in 2.0), so what could
double a text again and again has to be seen before it runs. A column counts 1, a constant 1 for each KB; texts
put together add up; what has a size of its own counts 1. The bound holds for each value that is made on the way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.datasets import functions
from connectors.datasets.syntax import Tree, expression_nodes, is_arrow
from connectors.errors import DatasetError

LIMIT = 1000.0
MAX_WIDTH = 10_000
# Of a character, at most.
BYTES = 4
# What one value that gathers many records counts: DuckDB holds it to the memory limit, and not what is made of it.
GATHERED = 250.0
# Quotes and escapes: to_json writes a control character as six.
ESCAPED = 6.0
WRITTEN = 2.0
SPLIT = 16.0
# Patterns that cannot match nothing: characters and classes, each once or more.
FILLED = re.compile(r"(?:(?:\[\^?[^\[\]^]+\]|\\[dswDSW.]|[\w\s,;:@/#%&=<>'\"-])\+?)+")

# Operators that hand on one of what they are given.
PASSING = {"OPERATOR_COALESCE", "OPERATOR_TRY", "ARRAY_EXTRACT", "ARRAY_SLICE", "STRUCT_EXTRACT"}


@dataclass(frozen=True)
class Sizes:
    """How many times its record a value may be: of columns and tables by name, and of any other column.

    Without `lists`, a + adds numbers.
    """

    columns: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, float] = field(default_factory=dict)
    largest: float = 1.0
    lists: bool = True


def check_growth(tree: Tree, columns: Mapping[str, float]) -> float:
    """Return how many times its record an expression's value may be, given the same for the columns (else 1).

    Raises:
        DatasetError: some value on the way is more than `LIMIT` times, or a size cannot be told from the text.
    """
    return _growth(tree, Sizes({name.casefold(): size for name, size in columns.items()}))


def check_record(columns: Mapping[str, float]) -> None:
    """Raise DatasetError where all the columns of a record together grew by more than `LIMIT`."""
    if sum(size - 1 for size in columns.values()) > LIMIT:
        raise _too_much()


def query_growth(tree: Tree, lists: bool = False) -> float:
    """Return how many times its records a query's values may be; `lists` says that it reads columns of lists.

    Raises:
        DatasetError: more than `LIMIT` times, or a size cannot be told from the text.
    """
    made = any(_makes_list(node) for node in expression_nodes(tree))
    return _query(tree, Sizes(lists=lists or made))


def _makes_list(node: Tree) -> bool:
    if node["class"] == "TYPE":
        return str(node.get("type_name", "")).casefold() == "list"
    return str(node.get("function_name", "")).casefold() in functions.LISTING


def _growth(node: Any, sizes: Sizes) -> float:
    if isinstance(node, list):
        return sum(_growth(one, sizes) for one in node)
    if not isinstance(node, dict):
        return 0.0
    found = max(1.0, _expression(node, sizes)) if "class" in node else _inside(node, sizes)
    if found > LIMIT:
        raise _too_much()
    return found


def _inside(node: Tree, sizes: Sizes) -> float:
    if node.get("type") in ("SELECT_NODE", "SET_OPERATION_NODE"):
        return _query(node, sizes)
    return sum(_growth(value, sizes) for value in node.values())


def _expression(node: Tree, sizes: Sizes) -> float:
    kind = node["class"]
    if kind == "COLUMN_REF":
        # In a query the first name may be a table's, and the second the column's.
        names = [str(name).casefold() for name in node["column_names"][:2]]
        return max(sizes.largest, *(sizes.columns.get(name, 1.0) for name in names))
    if kind == "CONSTANT":
        return len(_constant(node) or "") / 1000
    if kind in ("FUNCTION", "WINDOW"):
        return _function(node, sizes)
    if is_arrow(node):
        _check_constants("->", [node["lhs"], node["expr"]])
        return _growth(node["lhs"], sizes)
    if kind == "CASE":
        checks = node.get("case_checks", [])
        for one in checks:
            _growth(one.get("when_expr"), sizes)
        return max(
            _growth(one, sizes) for one in [*(c.get("then_expr") for c in checks), node.get("else_expr")]
        )
    if kind == "CAST":
        size = _growth(node.get("child"), sizes)
        name = str(node.get("type_expr", {}).get("type_name", "")).casefold()
        return size * WRITTEN if name in functions.TEXT_TYPES else 1.0
    if kind == "OPERATOR":
        children = [_growth(one, sizes) for one in node.get("children", [])]
        return max(children, default=1.0) if node["type"] in PASSING else 1.0
    inside = [_growth(value, sizes) for value in node.values()]
    if kind == "SUBQUERY":
        return max(inside)
    return max([sizes.largest, *inside]) if kind == "STAR" else 1.0


def _function(node: Tree, sizes: Sizes) -> float:
    name = str(node["function_name"]).casefold()
    given = [one.get("expression", one) for one in node.get("arguments", [])]
    each = [_growth(one, sizes) for one in given]
    for key, value in node.items():
        if key != "arguments":
            _growth(value, sizes)
    _check_constants(name, given)
    if name in functions.GATHERING:
        return max([GATHERED, *each])
    if name in functions.PLUS:
        return sum(each) if sizes.lists else 1.0
    if name in functions.CHOSEN or name in functions.AGGREGATES or name == "unnest":
        return max(each, default=1.0)
    if name in functions.ADDED:
        return sum(each)
    if name in functions.REPLACED:
        return _replaced(name, given, each)
    if name in functions.PADDED:
        return each[0] + MAX_WIDTH * BYTES / 1000 if each else 1.0
    if name in functions.SPLIT:
        return SPLIT * max(each, default=1.0)
    if name == "strftime":
        # Each directive is two characters, and writes up to thirty.
        return 1 + SPLIT * len(_constant(given[-1]) or "") / 1000
    return ESCAPED * sum(each) if name in functions.WRITTEN else 1.0


def _check_constants(name: str, given: list[Tree]) -> None:
    place = functions.CONSTANT_ARGUMENT.get(name)
    if place is None or place >= len(given):
        return
    text = _constant(given[place])
    if text is None:
        raise DatasetError(
            f"argument {place + 1} of {name} has to be a constant", hint="write the text or the number itself"
        )
    if name in functions.PADDED and not (text.isdigit() and int(text) <= MAX_WIDTH):
        raise DatasetError(
            f"{name} to a width of more than {MAX_WIDTH} may not be used", hint="take a smaller one"
        )
    if name in functions.JSON_PATHS and "*" in text:
        raise DatasetError(f"{name} with a path that holds * may not be used", hint="name the keys")


def _replaced(name: str, given: list[Tree], each: list[float]) -> float:
    place = functions.CONSTANT_ARGUMENT[name]
    if place >= len(given):
        return sum(each)
    length = len((_constant(given[place]) or "").encode())
    if name == "concat_ws":
        return sum(each) + len(given) * length / 1000
    if name == "array_to_string":
        return each[0] * (1 + length / 4)
    searched = _constant(given[1]) or ""
    if name == "replace":
        return each[0] * max(1.0, length / max(1, len(searched.encode())))
    everywhere = len(given) > 3 and "g" in (_constant(given[3]) or "g")
    if "\\" not in (_constant(given[place]) or ""):
        if not everywhere:
            return each[0] + length / 1000
        if FILLED.fullmatch(searched):
            return each[0] * max(1.0, float(length))
    return each[0] * (1 + length) if length else each[0]


def _constant(node: Tree) -> str | None:
    if node.get("class") != "CONSTANT":
        return None
    literal = node.get("literal")
    if isinstance(literal, dict):
        return str(literal.get("text", ""))
    value = node.get("value")
    return str(value.get("value", "")) if isinstance(value, dict) else ""


def _query(node: Tree, outer: Sizes) -> float:
    """The largest value that a query makes."""
    tables = dict(outer.tables)
    sizes = replace(outer, tables=tables)
    for entry in (node.get("cte_map") or {}).get("map", []):
        tables[str(entry["key"]).casefold()] = max(1.0, _growth(entry["value"], sizes))
    if node["type"] == "SET_OPERATION_NODE":
        parts = [*node.get("children", []), node.get("left"), node.get("right")]
        found = max(1.0, *(_growth(one, sizes) for one in parts))
    else:
        columns = dict(outer.columns)
        sizes = replace(
            sizes, columns=columns, largest=max(outer.largest, _table(node.get("from_table"), sizes))
        )
        found = 1.0
        for item in node.get("select_list", []):
            size = _growth(item, sizes)
            found = max(found, size)
            # A later item may name an earlier one.
            if item.get("alias"):
                alias = str(item["alias"]).casefold()
                columns[alias] = max(size, columns.get(alias, 1.0))
        for key, value in node.items():
            if key not in ("cte_map", "select_list", "from_table", "modifiers"):
                _growth(value, sizes)
    _growth(node.get("modifiers"), replace(sizes, largest=max(found, sizes.largest)))
    if found > LIMIT:
        raise _too_much()
    return found


def _table(node: Any, sizes: Sizes) -> float:
    """The largest value of what stands after FROM."""
    if not isinstance(node, dict):
        return 1.0
    if node.get("type") == "BASE_TABLE":
        return sizes.tables.get(str(node.get("table_name", "")).casefold(), 1.0)
    if node.get("type") == "JOIN":
        largest = max(_table(node.get("left"), sizes), _table(node.get("right"), sizes))
        _growth(node.get("condition"), replace(sizes, largest=largest))
        return largest
    return max(1.0, _inside(node, sizes))


def _too_much() -> DatasetError:
    return DatasetError(
        f"a record may grow to more than {LIMIT:.0f} times its size", hint="put fewer texts together"
    )
