"""USE and SET: where the statements that follow look names up."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from lineage.sql.builder import Builder, Name
from lineage.sql.sources import table_parts


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


# In these a database has no schemas within: USE names what stands right before the table.
_TWO_LEVELS = frozenset(
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
    for item in node.args.get("expressions") or ():
        this = item.args.get("this")
        if type(this) not in (exp.EQ, exp.PropertyEQ) or this.args["this"].name.lower() not in (
            "search_path",
            "schema",
        ):
            continue
        value = this.args["expression"]
        name = value.args["expressions"][0] if type(value) is exp.Tuple else value
        if name.name:
            builder.default_schema = (name.name, False)
