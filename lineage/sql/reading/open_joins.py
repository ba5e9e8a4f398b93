"""Joins without a condition, of which the parser tries every way to nest them: made CROSS JOINs."""

from __future__ import annotations

from typing import Any, Final

from sqlglot.tokenizer_core import TokenType

from lineage.sql.reading.tokens import CLOSE, OPEN, kinds, like

# In one FROM; fewer are left to the parser. Each costs it twice the time of the one before.
_MANY: Final = 6

_JOINS: Final = kinds("JOIN STRAIGHT_JOIN")
_CONDITIONS: Final = kinds("ON USING")
# Where one of these stands, a query block's FROM is over.
_ENDS: Final = kinds("SELECT WHERE GROUP_BY ORDER_BY HAVING QUALIFY UNION EXCEPT INTERSECT SEMICOLON")
# What may stand before JOIN, and has no place before CROSS JOIN.
_KINDS: Final = kinds("LEFT RIGHT FULL INNER OUTER SEMI ANTI ASOF CROSS NATURAL")
_CLOSED: Final = kinds("CROSS NATURAL")


def close_joins(upper: str, tokens: list[Any]) -> list[Any]:
    """The tokens, with CROSS JOIN for each JOIN without a condition where one FROM has many of them.

    `upper` is their text in capitals.
    """
    if upper.count("JOIN") <= _MANY:
        return tokens
    places = _open_places(tokens)
    if not places:
        return tokens
    out: list[Any] = []
    for place, token in enumerate(tokens):
        if place in places:
            while out and out[-1].token_type in _KINDS:
                out.pop()
            out.append(like(token, TokenType.CROSS, "CROSS"))
            token = like(token, TokenType.JOIN, "JOIN")
        out.append(token)
    return out


def _open_places(tokens: list[Any]) -> set[int]:
    """Where the JOINs without a condition stand, of each FROM that has many."""
    out: set[int] = set()
    waiting: list[int] = []  # JOINs of this FROM, the last conditions of which have not been seen yet
    around: list[list[int]] = []
    for place, token in enumerate(tokens):
        kind = token.token_type
        if kind in _JOINS:
            waiting.append(place)
        elif kind in _CONDITIONS:
            if waiting:
                waiting.pop()
        elif kind in OPEN:
            around.append(waiting)
            waiting = []
        elif kind in CLOSE or kind in _ENDS:
            if len(waiting) > _MANY:
                out.update(waiting)
            waiting = around.pop() if around and kind in CLOSE else []
    if len(waiting) > _MANY:
        out.update(waiting)
    return {place for place in out if not _is_closed(tokens, place)}


def _is_closed(tokens: list[Any], place: int) -> bool:
    """CROSS JOIN and NATURAL JOIN need no condition."""
    while place and (kind := tokens[place - 1].token_type) in _KINDS:
        if kind in _CLOSED:
            return True
        place -= 1
    return False
