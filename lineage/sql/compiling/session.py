"""USE and SET: where the statements that follow look names up."""

from __future__ import annotations

import re
from typing import Any, Final

from sqlglot import exp

from lineage.sql.compiling.builder import Builder
from lineage.sql.compiling.constants import remember, value_of
from lineage.sql.compiling.queries import SET_OPERATIONS, compile_query
from lineage.sql.compiling.table_names import table_parts
from lineage.sql.compiling.targets import fill_new
from lineage.sql.reading.commands import Name, names


def compile_use(builder: Builder, node: Any) -> None:
    builder.statement.kind = "use"
    this = node.args.get("this")
    if type(this) is not exp.Table:
        return
    parts = table_parts(builder, this)
    kind = node.args.get("kind")
    word = kind.name.upper() if isinstance(kind, exp.Expr) else str(kind or "").upper()
    if word in ("WAREHOUSE", "ROLE", "SECONDARY ROLES") or not parts:
        return
    _set_default(builder, parts, word)


_QUERIES: Final = (exp.Subquery, exp.Select, *SET_OPERATIONS)
# In these a database has no schemas within: USE names what stands right before the table.
_TWO_LEVELS: Final = frozenset(
    {"mysql", "hive", "spark", "databricks", "clickhouse", "doris", "starrocks", "", "athena"}
)


def _set_default(builder: Builder, parts: list[Name], word: str) -> None:
    if len(parts) >= 2:
        builder.default_database, builder.default_schema = parts[-2], parts[-1]
    elif word == "CATALOG" or ((word == "DATABASE" or not word) and builder.dialect not in _TWO_LEVELS):
        builder.default_database, builder.default_schema = parts[0], None
    elif builder.default_database and builder.dialect == "":
        builder.default_database = parts[0]
    else:
        builder.default_schema = parts[0]


def compile_set(builder: Builder, node: Any) -> None:
    """SET carries no lineage, but for the search path."""
    builder.statement.kind = "set"
    compile_queries_within(builder, node)
    for item in node.args.get("expressions") or ():
        this = item.args.get("this")
        if type(this) not in (exp.EQ, exp.PropertyEQ):
            continue
        _set_variable(builder, this.args["this"], this.args["expression"])
        if this.args["this"].name.lower() not in ("search_path", "schema", "current_schema"):
            continue
        value = this.args["expression"]
        listed = value.args["expressions"] if type(value) is exp.Tuple else [value]
        _set_path(builder, [(entry.name, False) for entry in listed])


def compile_declare(builder: Builder, node: Any) -> None:
    """DECLARE reads what its defaults read, and makes T-SQL's @tables."""
    builder.statement.kind = "declare"
    compile_queries_within(builder, node)
    for item in node.args.get("expressions") or ():
        names = item.args.get("this") if type(item) is exp.DeclareItem else None
        for name in names if isinstance(names, list) else [names]:
            if isinstance(name, exp.Expr) and item.args.get("default"):
                _set_variable(builder, name, item.args["default"])
            if type(name) is exp.Parameter and type(item.args.get("kind")) is exp.Schema:  # @t TABLE (...)
                columns = [
                    builder.ident(one.args["this"]) for one in item.args["kind"].find_all(exp.ColumnDef)
                ]
                fill_new(builder, [("@" + name.name, False)], columns or None, None, temporary=True)


def _set_variable(builder: Builder, name: Any, value: Any) -> None:
    known = value_of(builder, value)
    key = name.name.lower()
    if builder.dialect == "snowflake":  # a session's: statements run in order
        builder.variables[key] = known
    else:
        remember(builder, key, known)


def compile_queries_within(builder: Builder, node: Any) -> None:
    """The queries in expressions of a statement that is no query."""
    stack = [node]
    while stack:
        item = stack.pop()
        if type(item) in _QUERIES:
            builder.statement.flows.append([-1, None, compile_query(builder, item, -1, {}), False])
        elif isinstance(item, exp.Expr):
            values = item.args.values()
            stack += [one for value in values for one in (value if isinstance(value, list) else [value])]


_PATH: Final = re.compile(
    r"^\s*(?:session\s+|local\s+)?(?:set\s+)?(?:search_path|current_schema)\s*(?:=|\bto\b)(.*)$", re.I | re.S
)
_CATALOG: Final = re.compile(r"^\s*catalog\s+(.*)$", re.I | re.S)


def set_by_command(builder: Builder, word: str, rest: str) -> bool:
    """Whether a statement that the parser knows as a bare command says where names are looked up."""
    if word not in ("SET", "ALTER"):
        return False
    path, catalog = _PATH.match(rest), _CATALOG.match(rest)
    if path:
        _set_path(builder, names(path.group(1)))
    elif catalog and word == "SET":
        builder.let_literals_matter()
        builder.default_database, builder.default_schema = names(catalog.group(1))[0], None
    return bool(path or catalog)


def _set_path(builder: Builder, listed: list[Name]) -> None:
    """The first schema that has a name of its own ("$user" has none)."""
    builder.let_literals_matter()
    for name in listed:
        if name[0] and name[0][0] != "$":
            builder.default_schema = name
            return
