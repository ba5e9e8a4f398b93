"""Statements that run other statements, whose text is a constant or known at run time only."""

from __future__ import annotations

from typing import Any, Final

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from lineage.sql.compiling.builder import Builder
from lineage.sql.compiling.constants import LONGEST, remember, value_of
from lineage.sql.compiling.moves import Unsupported
from lineage.sql.reading.bodies import Body, body_of, joined, quoted_code
from lineage.sql.reading.procedural import assigned_at
from lineage.sql.reading.tokens import TEXTS, word

_RUN_TIME: Final = "runs a statement that is put together at run time: what it reads and writes is not known"
_SIGNS: Final = frozenset({TokenType.DPIPE, TokenType.PLUS})
_MARKS: Final = frozenset({TokenType.COLON, TokenType.PARAMETER, TokenType.DOLLAR})
_ENDS: Final = frozenset({"INTO", "USING", "AS", "BULK", "RETURNING"})


def compile_quoted(builder: Builder, tokens: list[Any]) -> bool:
    """Whether the statement holds its code in quotes. The code's statements are then compiled after it."""
    found = quoted_code(tokens)
    if found is None:
        return False
    builder.let_literals_matter()
    builder.statement.kind = found.kind
    if found.token is not None:
        builder.bodies.append(body_of(found.token, builder.sql))
    return True


def compile_dynamic(builder: Builder, tokens: list[Any]) -> bool:
    """Whether the statement is EXECUTE or PREPARE. Raises Unsupported when what it runs cannot be known."""
    first, second = word(tokens, 0), word(tokens, 1)
    if first == "DEALLOCATE" or (first in ("EXECUTE", "EXEC") and second != "IMMEDIATE"):
        builder.statement.kind = "execute"  # of something prepared: what it reads counted there
        return True
    if first == "PREPARE" and word(tokens, 2) == "FROM":
        start = 3
    elif first in ("EXECUTE", "EXEC"):
        start = 2
    else:
        return False
    builder.let_literals_matter()
    builder.statement.kind = first.lower()
    body = constant(builder, tokens[start:])
    if body is None:
        raise Unsupported(_RUN_TIME)
    builder.bodies.append(body)
    return True


def constant(builder: Builder, tokens: list[Any]) -> Body | None:
    """The text that an expression of constants makes, None when it is known at run time only."""
    parts: list[Body] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        if token.token_type in TEXTS and token.token_type is not TokenType.IDENTIFIER:
            parts.append(body_of(token, builder.sql))
        elif word(tokens, place) in _ENDS:
            break
        elif token.token_type in (TokenType.L_PAREN, TokenType.R_PAREN) or token.token_type in _SIGNS:
            pass
        elif token.token_type not in _MARKS:
            known = builder.variables.get(token.text.lower())
            if known is None or word(tokens, place + 1) in ("(", "."):
                return None
            parts.append(Body(known, [token.start] * len(known)))
        place += 1
    if not parts or sum(len(part.text) for part in parts) > LONGEST:
        return None
    return joined(parts)


def note_assignment(builder: Builder, tokens: list[Any]) -> None:
    """`DECLARE s STRING DEFAULT '...'`, `s := '...'`: a constant that may be run later."""
    at = assigned_at(tokens)
    names = [token for token in tokens[:at] if word([token], 0) not in ("DECLARE", "SET", "LET", "VAR", "")]
    if at is None or not names:
        return
    name = next(token.text for token in names if token.token_type not in _MARKS).lower()
    body = constant(builder, tokens[at + 1 :])
    remember(builder, name, body.text if body is not None else None)


def compile_execute_sql(builder: Builder, node: Any) -> None:
    """T-SQL's sp_executesql, as which EXEC('...') is read too."""
    builder.statement.kind = "execute"
    builder.let_literals_matter()
    first = next(iter(node.args.get("expressions") or ()), None)
    if type(first) is exp.EQ:  # @stmt = N'...'
        first = first.args["expression"]
    text = value_of(builder, first)
    if text is None:
        raise Unsupported(_RUN_TIME)
    token = next((t for t in builder.tokens if t.token_type in TEXTS and t.text == text), None)
    at = token or builder.tokens[0]
    builder.bodies.append(body_of(token, builder.sql) if token else Body(text, [at.start] * len(text)))
