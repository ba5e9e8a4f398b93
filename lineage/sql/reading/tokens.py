"""Tokens of a text: what stands at a place, where a bracket is closed, and tokens made in the place of others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlglot.tokenizer_core import TokenType

Tokens = list[Any]


def words(*lines: str) -> frozenset[str]:
    """The words in some lines."""
    return frozenset(one for line in lines for one in line.split())


def kinds(*lines: str) -> frozenset[TokenType]:
    """The kinds of token that some lines name."""
    return frozenset(getattr(TokenType, name) for name in words(*lines))


OPEN: Final = kinds("L_PAREN L_BRACKET L_BRACE")
CLOSE: Final = kinds("R_PAREN R_BRACKET R_BRACE")
TEXTS: Final = kinds("STRING IDENTIFIER RAW_STRING HEREDOC_STRING NATIONAL_STRING BYTE_STRING UNICODE_STRING")


def word(tokens: Tokens, place: int) -> str:
    """The token's text in capitals, "" behind the last one and for quoted names and strings."""
    if not 0 <= place < len(tokens) or tokens[place].token_type in TEXTS:
        return ""
    text: str = tokens[place].text.upper()
    return text


def text_at(tokens: Tokens, place: int) -> str:
    """The token's text as it is, "" behind the last one."""
    return str(tokens[place].text) if place < len(tokens) else ""


def outside(tokens: Tokens, place: int) -> Iterator[int]:
    """The places from one on that stand in no bracket which opens there or behind it; where they close, too."""
    depth = 0
    for at in range(place, len(tokens)):
        kind = tokens[at].token_type
        depth += (kind in OPEN) - (kind in CLOSE)
        if depth == 0:
            yield at


def closing(tokens: Tokens, place: int) -> int:
    """Where the bracket at a place is closed; the last place if it is not."""
    return next(outside(tokens, place), len(tokens) - 1)


def pieces(tokens: Tokens) -> Iterator[Tokens]:
    """The tokens between semicolons."""
    piece: Tokens = []
    for token in tokens:
        if token.token_type is not TokenType.SEMICOLON:
            piece.append(token)
        elif piece:
            yield piece
            piece = []
    if piece:
        yield piece


def like(token: Any, kind: TokenType, text: str) -> Any:
    """A token that stands where another does."""
    return token.__class__(kind, text, token.line, token.col, token.start, token.end, [])


def column_of(token: Any) -> int:
    """Where the token begins in its line, from 1."""
    return max(int(token.col) - len(token.text) + 1, 1)
