"""What is known of variables and expressions that are constants."""

from __future__ import annotations

from typing import Any, Final

from sqlglot import exp

from lineage.sql.compiling.builder import Builder

LONGEST: Final = 1_000_000  # characters of a constant: variables put together double quickly


def remember(builder: Builder, name: str, value: str | None) -> None:
    """A variable gets a value. One that gets two may hold either, and is not known any more."""
    known = name not in builder.variables or builder.variables[name] == value
    builder.variables[name] = value if known and value is not None and len(value) <= LONGEST else None


def value_of(builder: Builder, node: Any) -> str | None:
    """The constant that an expression is known to be."""
    if type(node) in (exp.National, exp.RawString) or (type(node) is exp.Literal and node.args["is_string"]):
        return str(node.args["this"])
    if type(node) is exp.Paren:
        return value_of(builder, node.args["this"])
    if type(node) in (exp.DPipe, exp.Add, exp.Concat):
        operands = node.args.get("expressions") or [node.args["this"], node.args["expression"]]
        values = [value_of(builder, operand) for operand in operands]
        if None in values or sum(len(str(value)) for value in values) > LONGEST:
            return None
        return "".join(str(value) for value in values)
    if type(node) in (exp.Parameter, exp.Placeholder, exp.SessionParameter):
        return builder.variables.get(node.name.lower())
    return None
