"""SQL as DuckDB's own parser reads it: trees of what will run, not of what another parser takes it for.

A tree is the JSON of DuckDB's `json_serialize_sql`: a dict for each node, with `class` and `type` for expressions
and `type` for queries and tables. Nothing here binds or runs anything.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import duckdb

from connectors.datasets.engine import open_engine
from connectors.errors import DatasetError
from connectors.model.naming import quoted

Tree = dict[str, Any]

MAX_TEXT_BYTES = 100_000
MAX_BRACKETS = 100
# Of the JSON: three for each operator, so that what walks it stays within Python's own limit.
MAX_DEPTH = 330
# Where a node stood in the text, which no meaning hangs on.
PLACES = ("query_location", "query_location_length", "location")

_lock = threading.Lock()


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    return open_engine(memory_bytes=256 * 1024**2, threads=1)


def read_statement(text: str) -> Tree:
    """Return the query node of the one SELECT that `text` holds; raise DatasetError where it is none, or too large."""
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise DatasetError(f"the SQL is longer than {MAX_TEXT_BYTES} bytes", hint="split it")
    _check_brackets(text)
    with shallow():
        return _read(text)


@contextmanager
def shallow() -> Iterator[None]:
    """Raise DatasetError where the block meets SQL that is nested more deeply than Python follows."""
    try:
        yield
    except RecursionError:
        raise DatasetError("the SQL is nested too deeply", hint="split it into steps") from None


def _read(text: str) -> Tree:
    try:
        with _lock:
            found = _parser().execute("SELECT json_serialize_sql(?)", [text]).fetchall()[0][0]
        read = json.loads(found)
    except (duckdb.Error, ValueError) as error:
        raise DatasetError("the SQL cannot be read", hint=type(error).__name__) from None
    if read.get("error"):
        raise _fault(str(read.get("error_message", "")))
    statements = read.get("statements", [])
    if len(statements) != 1:
        said = "is empty" if not statements else f"holds {len(statements)} statements"
        raise DatasetError(f"the SQL {said}", hint="write one SELECT")
    if statements[0].get("named_param_map"):
        raise DatasetError("the SQL has parameters, and nothing fills them", hint="write the value")
    node: Tree = statements[0]["node"]
    if depth(node) > MAX_DEPTH:
        raise DatasetError("the SQL is nested too deeply", hint="split it into steps")
    bare: Tree = _without_places(node)
    return bare


def read_expression(text: str) -> Tree:
    """Return the tree of the one expression that `text` holds, whatever it calls; raise DatasetError otherwise."""
    # In square brackets the text can end neither the list nor the statement without being seen.
    try:
        node = read_statement(f"SELECT [{text}\n]")
    except DatasetError as error:
        # The bracket is ours: where it is not expected, the text ended too early.
        said = error.message if "]" in text else error.message.replace('at or near "]"', "at its end")
        raise DatasetError(said, hint=error.hint) from None
    items = node.get("select_list", [])
    if (
        {**node, "select_list": []} == {**_frame(), "select_list": []}
        and len(items) == 1
        and items[0].get("function_name") == "list_value"
    ):
        arguments = items[0].get("arguments", [])
        if len(arguments) == 1 and not items[0].get("alias") and not arguments[0].get("name"):
            tree: Tree = arguments[0]["expression"]
            return tree
    raise DatasetError(
        "this is not one expression", hint="write one value, such as a column or a calculation"
    )


def write_expression(tree: Tree) -> str:
    """The SQL of an expression's tree, as DuckDB writes it."""
    node = {**_frame(), "select_list": [tree]}
    statement = json.dumps({"error": False, "statements": [{"node": node, "named_param_map": []}]})
    with _lock:
        text: str = _parser().execute("SELECT json_deserialize_sql(?::JSON)", [statement]).fetchall()[0][0]
    return _bare(text.removeprefix("SELECT ").strip())


# A quoted name, a text, or a bracket; DuckDB doubles a quote within.
_BRACKET = re.compile(r'"(?:[^"]|"")*"|\'(?:[^\']|\'\')*\'|[()]')


def _bare(text: str) -> str:
    """Without the brackets that DuckDB puts around all of an operator."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    level = 0
    for found in _BRACKET.finditer(text):
        level += {"(": 1, ")": -1}.get(found[0], 0)
        if level == 0:
            return text[1:-1] if found.end() == len(text) else text
    return text


def nodes(tree: Any) -> Iterator[Tree]:
    """Every node of a tree, the tree itself first."""
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def depth(tree: Any) -> int:
    """How many dicts and lists stand within each other."""
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        one, level = waiting.pop()
        deepest = max(deepest, level)
        inside = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        waiting.extend((part, level + 1) for part in inside if isinstance(part, (dict, list)))
    return deepest


def expression_nodes(tree: Any) -> Iterator[Tree]:
    """Every expression in a tree."""
    return (node for node in nodes(tree) if "class" in node)


def is_arrow(node: Tree) -> bool:
    """Whether it is `json -> 'path'`. To the parser that is a lambda, until it is bound."""
    return bool(
        node.get("class") == "LAMBDA"
        and node.get("syntax_type") == "SINGLE_ARROW"
        and node["expr"].get("class") == "CONSTANT"
    )


def column_roots(tree: Tree) -> list[str]:
    """The first name of each reference to a column, in no order."""
    return [str(node["column_names"][0]) for node in expression_nodes(tree) if node["class"] == "COLUMN_REF"]


def substitute(tree: Tree, columns: Mapping[str, Tree]) -> Tree:
    """The tree with each column that `columns` names (in any case) replaced by its own tree."""
    folded = {name.casefold(): made for name, made in columns.items()}

    def changed(node: Any) -> Any:
        if isinstance(node, list):
            return [changed(one) for one in node]
        if not isinstance(node, dict):
            return node
        if node.get("class") == "COLUMN_REF":
            made = folded.get(str(node["column_names"][0]).casefold())
            return node if made is None else _with_alias(_field(made, node["column_names"][1:]), node)
        return {key: changed(value) for key, value in node.items()}

    found: Tree = changed(tree)
    return found


def column_tree(*names: str) -> Tree:
    """The tree of a column, of a field within it, or of a column of a relation."""
    return read_expression(".".join(quoted(name) for name in names))


def _field(tree: Tree, names: list[str]) -> Tree:
    if not names:
        return tree
    if tree["class"] == "COLUMN_REF":
        return {**tree, "column_names": [*tree["column_names"], *names]}
    for name in names:
        outer = read_expression(f"(x + 1).{quoted(name)}")
        tree = {**outer, "children": [tree, *outer["children"][1:]]}
    return tree


def _with_alias(tree: Tree, place: Tree) -> Tree:
    # DuckDB keeps the name of a struct's field as the alias of its value.
    return {**tree, "alias": place.get("alias", "")}


@cache
def _frame() -> Tree:
    return read_statement("SELECT 1")


def _check_brackets(text: str) -> None:
    depth = 0
    for character in text:
        if character in "([{":
            depth += 1
            if depth > MAX_BRACKETS:
                raise DatasetError(
                    f"the SQL nests more than {MAX_BRACKETS} brackets", hint="split it into steps"
                )
        elif character in ")]}":
            depth = max(depth - 1, 0)


def _without_places(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _without_places(value) for key, value in tree.items() if key not in PLACES}
    if isinstance(tree, list):
        return [_without_places(one) for one in tree]
    return tree


def _fault(said: str) -> DatasetError:
    if "Only SELECT statements" in said:
        return DatasetError("the SQL is not a plain SELECT", hint="a transform only reads; write one SELECT")
    if "expression depth" in said:
        return DatasetError("the SQL is nested too deeply", hint="split it into steps")
    return DatasetError(f"the SQL cannot be read: {said.splitlines()[0] if said else 'no reason given'}")
