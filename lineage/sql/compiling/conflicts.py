"""Inserts whose rows may exist already: ON CONFLICT DO UPDATE, ON DUPLICATE KEY UPDATE."""

from __future__ import annotations

from typing import Any, Final

from sqlglot import exp

from lineage.sql.compiling.builder import Builder, Ctes, Frame
from lineage.sql.compiling.changes import add_target, set_items
from lineage.sql.compiling.sources import add_clause
from lineage.sql.compiling.targets import flow_into
from lineage.sql.program import SCOPE, SELECT, WHERE
from lineage.sql.reading.commands import Name

_PROPOSED: Final = "excluded"


def add_conflict(
    builder: Builder, insert: Any, into: tuple[list[Name], list[int] | None, int], ctes: Ctes
) -> None:
    """Add what the update of an existing row writes, from that row and from the one proposed.

    `into` is the target's name, the columns that the insert lists, and the scope of the rows proposed.
    """
    conflict = insert.args["conflict"]
    items = conflict.args.get("expressions")
    if not isinstance(items, list) or not items:
        return
    parts, columns, number = into
    target = insert.args["this"]
    frame = Frame(builder, SELECT, -1, ctes)
    add_target(builder, frame, target.args["this"] if type(target) is exp.Schema else target)
    frame.add_source(builder.name(_PROPOSED), SCOPE, number, columns, False)
    for item in items:
        _name_proposed(item)
    set_items(frame, items)
    add_clause(frame, WHERE, conflict.args.get("where"))
    flow_into(builder, parts, None, frame.close(), False)


def _name_proposed(item: Any) -> None:
    """MySQL: VALUES(a) is the column a of the row proposed."""
    for call in list(item.find_all(exp.Anonymous)):
        arguments = call.expressions
        if str(call.this).upper() == "VALUES" and len(arguments) == 1:
            call.replace(exp.column(arguments[0].name, table=_PROPOSED))
