"""T-SQL's OUTPUT ... INTO: rows that a statement changed go to another table too."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from lineage.sql.compiling.builder import Builder, Ctes, Frame
from lineage.sql.compiling.select_list import add_output
from lineage.sql.compiling.sources import add_source
from lineage.sql.compiling.targets import flow_into
from lineage.sql.program import SELECT
from lineage.sql.reading.commands import Name, names


def add_output_into(builder: Builder, node: Any, target: list[Name], others: list[Any], ctes: Ctes) -> None:
    """`inserted` and `deleted` stand for the table that the statement changes."""
    returning = node.args.get("returning")
    into = returning.args.get("into") if returning is not None else None
    if not into or not target:
        return
    frame = Frame(builder, SELECT, -1, ctes)
    for name in ("inserted", "deleted"):
        add_source(frame, _aliased(target, name))
    for other in others:
        add_source(frame, other)
    items = returning.args.get("expressions") or ()
    for item in items:
        value = item.args["this"] if type(item) is exp.Alias else item
        if isinstance(value, exp.Expr) and value.name.lower() == "$action":  # which of INSERT, UPDATE, DELETE
            value.replace(exp.Null())
        add_output(frame, item)
    named = any(type(item) is exp.Alias for item in items)
    log = names(into.name if isinstance(into, exp.Expr) else str(into))
    flow_into(builder, log, None, frame.close(), not named)


def _aliased(parts: list[Name], alias: str) -> Any:
    identifiers = [exp.Identifier(this=text, quoted=quoted) for text, quoted in parts]
    this = identifiers.pop()
    table = exp.Table(this=this, alias=exp.TableAlias(this=exp.Identifier(this=alias, quoted=False)))
    for key, identifier in zip(("db", "catalog"), reversed(identifiers), strict=False):
        table.set(key, identifier)
    return table
