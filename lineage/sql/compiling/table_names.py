"""What a table is called, in names or in a text: IDENTIFIER('db.s.t'), TABLE('db.s.t'), IDENTIFIER($variable)."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from lineage.sql.compiling.builder import Args, Builder
from lineage.sql.compiling.constants import value_of
from lineage.sql.compiling.file_functions import without_format
from lineage.sql.reading.commands import Name, names
from lineage.sql.reading.templates import UNKNOWN


def table_parts(builder: Builder, node: Any) -> list[Name]:
    """The names of a Table node, outermost first; empty when it is not a table's name."""
    args: Args = node.args
    this = args.get("this")
    if type(this) is exp.Identifier and args.get("db") is None:
        own = this.args
        if not own.get("quoted") and not own.get("temporary"):  # most tables
            return [(own["this"], False)] if own["this"] and UNKNOWN not in own["this"] else []
    last = [this]
    while type(last[0]) is exp.Dot:
        last[:1] = [last[0].args["this"], last[0].args["expression"]]
    parts: list[Name] = []
    for part in (args.get("catalog"), args.get("db"), *last):
        if type(part) is exp.Identifier:
            text = part.args["this"]
            if part.args.get("quoted"):
                builder.note_literal(part)
            if part.args.get("temporary") and not text.startswith("#"):
                text = "##" + text if part.args.get("global_") else "#" + text
            parts.append((text, bool(part.args.get("quoted"))))
        elif type(part) is exp.Parameter:
            parts.append(("@" + part.name, False))
        elif part is not None:
            text = part if isinstance(part, str) else (part.name if isinstance(part, exp.Var) else "")
            if not text and part is this:
                return named_by_text(builder, this) or []
            parts.append((text, False))  # T-SQL's `db..t` leaves a part empty
    while parts and (not parts[0][0] or UNKNOWN in parts[0][0]):
        parts.pop(0)  # absent, or known to a template's engine only
    if len(parts) == 2 and parts[1][1]:
        parts = without_format(builder, parts)
    return parts if parts and parts[-1][0] and UNKNOWN not in parts[-1][0] else []


def is_local(builder: Builder, parts: list[Name]) -> bool:
    """T-SQL's #temp tables and @table variables live in the session, whoever made them."""
    return parts[-1][0][:1] in ("#", "@") and builder.dialect in ("tsql", "fabric", "")


def parts_key(builder: Builder, parts: list[Name]) -> str:
    return ".".join(builder.key(*part) for part in parts)


def without_partition(builder: Builder, parts: list[Name]) -> list[Name]:
    """BigQuery's `table$20240101` is a partition of `table`."""
    text, quoted = parts[-1]
    if builder.dialect == "bigquery" and "$" in text:
        return [*parts[:-1], (text.split("$", 1)[0], quoted)]
    return parts


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
