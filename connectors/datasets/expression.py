"""Which SQL a person may write in a transform: an allow-list of DuckDB's nodes, functions, types and tables.

Everything is checked on the tree that DuckDB's own parser gives, and the text that gave it is what runs, so that
no second reading stands between the check and the run.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from connectors.datasets import functions
from connectors.datasets.expansion import check_expansion
from connectors.datasets.growth import check_growth, query_growth
from connectors.datasets.names import nearest, suggestion
from connectors.datasets.syntax import Tree, column_roots, is_arrow, read_expression, read_statement, shallow
from connectors.errors import DatasetError

INPUT = "input"

EXPRESSIONS = {
    *(
        "COLUMN_REF",
        "CONSTANT",
        "FUNCTION",
        "COMPARISON",
        "CONJUNCTION",
        "OPERATOR",
        "CASE",
        "CAST",
        "TYPE",
        "BETWEEN",
    )
}
IN_QUERIES = EXPRESSIONS | {"WINDOW", "STAR", "SUBQUERY"}
OPERATORS = {
    *("OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_COALESCE", "OPERATOR_TRY"),
    *("COMPARE_IN", "COMPARE_NOT_IN", "ARRAY_EXTRACT", "ARRAY_SLICE", "STRUCT_EXTRACT", "GROUPING_FUNCTION"),
}
# Nodes that are no expressions: queries, tables, and what belongs to them.
QUERIES = {"SELECT_NODE", "SET_OPERATION_NODE"}
TABLES = {"BASE_TABLE", "JOIN", "SUBQUERY", "EMPTY", "EXPRESSION_LIST"}
PARTS = {
    *("ORDER_MODIFIER", "LIMIT_MODIFIER", "DISTINCT_MODIFIER"),
    *("ORDER_DEFAULT", "ASCENDING", "DESCENDING"),
}
REFUSED = {
    "LAMBDA": ("a lambda", "if it is JSON's arrow, put it in brackets: (order -> '$.id')"),
    "PARAMETER": ("a parameter", "write the value"),
    "POSITIONAL_REFERENCE": ("a column by its number", "write its name"),
    "COLLATE": ("a collation", "compare lower(a) with lower(b)"),
    "SUBQUERY": ("a query inside an expression", "use a lookup, or a transform of `sql`"),
    "STAR": ("a star", "name the columns"),
    "WINDOW": ("a window function", "use a transform of `sql`"),
    "DEFAULT": ("DEFAULT", "write the value"),
    "TABLE_FUNCTION": ("a function as a table", "read `input` or what stands under `inputs`"),
    "SHOW_REF": ("DESCRIBE, SHOW or SUMMARIZE", "write one SELECT"),
    "PIVOT": ("PIVOT", "use GROUP BY with FILTER"),
    "RECURSIVE_CTE_NODE": ("a recursive WITH", "write it without RECURSIVE"),
    "CTE_NODE": ("this form of WITH", "write WITH name AS (SELECT ...)"),
}


@dataclass(frozen=True)
class Expression:
    """A checked expression: its text, which runs, and its tree, which says what it means."""

    text: str
    tree: Tree

    @property
    def sql(self) -> str:
        """The text in brackets, as it goes into a statement; a comment at its end closes nothing."""
        return f"({self.text}\n)" if "--" in self.text else f"({self.text.strip()})"

    @property
    def meaning(self) -> str:
        """The same for two texts that differ in layout only."""
        return json.dumps(self.tree, sort_keys=True)

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it reads, as they are written."""
        return frozenset(column_roots(self.tree))


@dataclass(frozen=True)
class Query:
    """A checked query: its text, which runs, its tree, and by how much a record may grow in it."""

    text: str
    tree: Tree
    growth: float

    @property
    def meaning(self) -> str:
        """The same for two texts that differ in layout only."""
        return json.dumps(self.tree, sort_keys=True)


def parse_expression(text: str) -> Expression:
    """Return the one scalar expression of `text`.

    Raises:
        DatasetError: it does not parse, or holds something that is not on the list.
    """
    tree = read_expression(text)
    with shallow():
        _check(tree, None)
        check_growth(tree, {})
    return Expression(text, tree)


def parse_query(text: str, relations: Collection[str]) -> Query:
    """Return the one SELECT of `text`, which reads `relations` (`input` among them, where it is given) and no more.

    Raises:
        DatasetError: it does not parse, reads something else, or holds something that is not on the list.
    """
    bare = text.strip().rstrip(";").rstrip()
    tree = read_statement(bare)
    with shallow():
        _check(tree, {name.casefold() for name in relations})
        check_expansion(tree)
        return Query(bare, tree, query_growth(tree))


def check_type(text: str) -> str:
    """Return the type that `text` names, if values may be cast to it; raise DatasetError otherwise."""
    tree = read_expression(f"CAST(x AS {text}\n)")
    if tree["class"] != "CAST" or tree["child"].get("column_names") != ["x"]:
        raise DatasetError(
            f"{text} is not a type", hint="write a type such as integer, decimal(10, 2) or timestamp"
        )
    _check(tree, None)
    return text.strip()


def _check(node: Any, relations: set[str] | None) -> None:
    """Check a tree; `relations` are the tables that are seen here, or None where an expression stands alone."""
    if isinstance(node, list):
        for one in node:
            _check(one, relations)
        return
    if not isinstance(node, dict):
        return
    if "class" in node:
        _check_expression(node, relations)
    elif isinstance(node.get("type"), str):
        relations = _check_part(node, relations)
    for key, value in node.items():
        if key != "cte_map":
            _check(value, relations)


def _check_expression(node: Tree, relations: set[str] | None) -> None:
    kind = node["class"]
    if is_arrow(node):
        return
    if kind not in (EXPRESSIONS if relations is None else IN_QUERIES):
        raise _refused(kind)
    if kind == "OPERATOR" and node["type"] not in OPERATORS:
        raise _refused(node["type"])
    if kind == "STAR" and (node.get("columns") or node.get("expr")):
        raise DatasetError("COLUMNS(...) may not be used", hint="name the columns")
    if kind == "COLUMN_REF":
        name = str(node["column_names"][0]).casefold()
        if len(node["column_names"]) == 1 and name in functions.MOMENTS:
            raise DatasetError(
                f"{name} may not be used: the result would hang on when or where it runs", hint="use a column"
            )
        if relations is not None and len(node["column_names"]) == 1 and name in ("user", "rowid"):
            raise DatasetError(f"{name} alone may not be used", hint=f"if it is a column, write input.{name}")
    if kind in ("FUNCTION", "WINDOW"):
        _check_function(node, relations is not None)
    if kind == "TYPE":
        name = str(node.get("type_name", ""))
        if name.casefold() not in functions.TYPES or len(node.get("qualified_name", {}).get("path", [])) > 1:
            raise DatasetError(f"a cast to {name} may not be used", hint=suggestion(name, functions.TYPES))


def _check_function(node: Tree, in_query: bool) -> None:
    name = str(node["function_name"]).casefold()
    if node.get("schema") or node.get("catalog") or len(node.get("qualified_name", {}).get("path", [])) > 1:
        raise DatasetError(f"{name} may not be called with a name before it", hint=f"write {name}(...)")
    allowed = functions.SCALARS | functions.QUERY_ONLY if in_query else functions.SCALARS
    if name in allowed:
        arguments = node.get("arguments", [])
        if name == "age" and len(arguments) < 2:
            raise DatasetError("age needs two values: with one it counts from today", hint="write age(a, b)")
        return
    if name in functions.QUERY_ONLY:
        raise DatasetError(f"{name} may not be used in an expression", hint="use a transform of `sql`")
    near = nearest(name, [one for one in allowed if one[0].isalpha()], likeness=0.81)
    raise DatasetError(
        f"the function {name} may not be used",
        hint=f"did you mean {near}?" if near else "the documentation lists the functions that may be used",
    )


def _check_part(node: Tree, relations: set[str] | None) -> set[str] | None:
    """Check a query, a table or a part of them, and return the tables that are seen inside it."""
    kind = node["type"]
    if kind not in QUERIES | TABLES | PARTS:
        raise _refused(kind)
    if relations is None:
        if kind in PARTS:
            return None
        raise _refused("SUBQUERY")
    if node.get("sample"):
        raise DatasetError("a sample may not be used: it differs each time", hint="use WHERE")
    if kind == "BASE_TABLE":
        _check_table(node, relations)
    if kind not in QUERIES:
        return relations
    kinds = {part.get("type") for part in node.get("modifiers", [])}
    if "LIMIT_MODIFIER" in kinds and "ORDER_MODIFIER" not in kinds:
        raise DatasetError("LIMIT without ORDER BY gives other records each time", hint="add ORDER BY")
    inside = set(relations)
    for entry in (node.get("cte_map") or {}).get("map", []):
        name = str(entry["key"])
        if name.casefold() in relations:
            raise DatasetError(
                f"the WITH name {name} is the name of a table already", hint="take another name"
            )
        _check(entry["value"], inside)
        inside.add(name.casefold())
    return inside


def _check_table(node: Tree, relations: set[str]) -> None:
    name = str(node.get("table_name", ""))
    if node.get("schema_name") or node.get("catalog_name") or len(node["qualified_name"]["path"]) > 1:
        path = ".".join(node["qualified_name"]["path"])
        raise DatasetError(
            f"the table {path} may not be read", hint="put the dataset under `inputs`, and use its name"
        )
    if node.get("at_clause"):
        raise DatasetError("AT may not be used", hint="a transform reads the records of its partition")
    if name.casefold() not in relations:
        raise DatasetError(f"there is no table {name} here", hint=suggestion(name, relations))


def _refused(kind: str) -> DatasetError:
    what, hint = REFUSED.get(kind, (kind.replace("_", " ").lower(), "write it another way"))
    return DatasetError(f"{what} may not be used", hint=hint)
