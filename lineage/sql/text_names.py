"""Tables that a string names: IDENTIFIER('db.s.t'), TABLE('db.s.t'), IDENTIFIER($variable)."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from lineage.sql.builder import Builder, Name
from lineage.sql.commands import names
from lineage.sql.constants import value_of


def named_by_text(builder: Builder, node: Any) -> list[Name] | None:
    """The parts of the name that a node gives as text; None when it gives none, or one that is not known."""
    if type(node) in (exp.DynamicIdentifier, exp.TableFromRows):
        value = node.args["this"]
    elif type(node) is exp.Anonymous and str(node.this).upper() in ("IDENTIFIER", "TABLE"):
        value = next(iter(node.args.get("expressions") or ()), None)
    else:
        return None
    text = value_of(builder, value)
    if type(value) in (exp.Literal, exp.Parameter, exp.Placeholder) or text is not None:
        builder.let_literals_matter()
    return names(text) or None if text and "(" not in text else None
