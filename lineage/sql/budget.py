"""What is refused before it is parsed, so that no text can take the process down.

sqlglot's parser is compiled: brackets nested thousands deep in it overflow the C stack instead of raising.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlglot.tokenizer_core import TokenType

MAX_DEPTH = 400  # brackets, CASE and BEGIN, one in the other
MAX_NESTED_TYPES = 400  # ARRAY<ARRAY<...
MAX_CHARACTERS = 20_000_000
MAX_OPEN_JOINS = 12  # joins in a row without a condition: the parser tries every way to nest them

_OPEN = frozenset(
    {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE, TokenType.BEGIN}
)
_CLOSE = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END})
_TYPES = frozenset({TokenType.ARRAY, TokenType.STRUCT, TokenType.MAP})
_CONDITION = frozenset({TokenType.ON, TokenType.USING})
_FREE_JOIN = frozenset({TokenType.CROSS, TokenType.NATURAL})


def refusal_of_text(sql: str) -> str | None:
    """Why the text is not even tokenized, or None."""
    if len(sql) > MAX_CHARACTERS:
        return f"the text has {len(sql)} characters; at most {MAX_CHARACTERS} are read"
    return None


def refusal_of_tokens(sql: str, tokens: Sequence[Any]) -> str | None:
    """Why the statement is not parsed, or None. Costs nothing for text without many brackets or joins."""
    if len(tokens) <= MAX_DEPTH:
        return None
    count = sql[tokens[0].start : tokens[-1].end + 1].count  # of a script only this statement
    if count("(") + count("[") + count("{") + count("<") <= MAX_DEPTH and len(tokens) <= 4 * MAX_DEPTH:
        return None
    depth = deepest = types = run = longest_run = 0
    previous = None
    for token in tokens:
        kind = token.token_type
        if kind in _OPEN:
            depth += 1
            deepest = max(deepest, depth)
        elif kind in _CLOSE:
            depth = max(depth - 1, 0)
        elif kind is TokenType.LT and previous in _TYPES:
            types += 1
        elif kind is previous and kind is not TokenType.SEMICOLON:
            run += 1
            longest_run = max(longest_run, run)
        if kind is not previous:
            run = 0
        previous = kind
    deepest = max(deepest, longest_run)  # NOT NOT NOT ..., - - - ...
    if deepest > MAX_DEPTH:
        return f"nested {deepest} deep; at most {MAX_DEPTH} levels are read"
    return f"{types} nested types; at most {MAX_NESTED_TYPES} are read" if types > MAX_NESTED_TYPES else None


def close_joins(sql: str, tokens: list[Any]) -> list[Any]:
    """Make CROSS JOIN of joins when a long row of them has no condition at all."""
    if sql.count("join") + sql.count("JOIN") + sql.count("Join") <= MAX_OPEN_JOINS:
        return tokens
    places = [i for i, token in enumerate(tokens) if token.token_type is TokenType.JOIN]
    conditions = sum(token.token_type in _CONDITION for token in tokens)
    if len(places) - conditions <= MAX_OPEN_JOINS:
        return tokens
    out: list[Any] = []
    for i, token in enumerate(tokens):
        if (
            token.token_type is TokenType.JOIN
            and tokens[i - 1].token_type not in _FREE_JOIN
            and _is_open(tokens, i)
        ):
            cross = token.__class__(
                TokenType.CROSS, "CROSS", token.line, token.col, token.start, token.end, token.comments
            )
            out.append(cross)
        out.append(token)
    return out


def _is_open(tokens: list[Any], place: int) -> bool:
    """No ON or USING follows this JOIN before the next one or the end of its FROM."""
    depth = 0
    for token in tokens[place + 1 :]:
        kind = token.token_type
        if kind in _OPEN:
            depth += 1
        elif kind in _CLOSE:
            depth -= 1
            if depth < 0:
                return True
        elif depth == 0:
            if kind in _CONDITION:
                return False
            if kind in (TokenType.JOIN, TokenType.WHERE, TokenType.SEMICOLON, TokenType.SELECT):
                return True
    return True
