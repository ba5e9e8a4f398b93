"""SQL that stands in quotes within SQL: bodies of procedures and functions, and statements built from constants.

Tokens of such text get the places they have in the text around it, so that errors and excerpts are true.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from sqlglot.tokenizer_core import TokenType

from lineage.sql.reading.routines import created_routine
from lineage.sql.reading.tokens import TEXTS, kinds, word

MAX_DEPTH: Final = 8  # texts in quotes, one in the other

_SQL_LANGUAGES: Final = frozenset({"", "sql", "plpgsql", "plsql", "pl/sql", "spl", "sqlscript", "edbspl"})
_COMMANDS: Final = kinds("COMMAND EXECUTE SHOW FETCH")

Tokenize = Callable[[str], list[Any]]


class Body(NamedTuple):
    """SQL in quotes, and where each of its characters stands in the text around it."""

    text: str
    places: Sequence[int]


class Quoted(NamedTuple):
    """A statement whose code stands in quotes: what kind it is, and the code if it is SQL."""

    kind: str
    token: Any


def quoted_code(tokens: list[Any]) -> Quoted | None:
    """The code of `CREATE FUNCTION ... AS '...'` and `DO '...'`, None for other statements."""
    first = word(tokens, 0)
    if first == "DO":
        texts = [token for token in tokens[1:4] if token.token_type in TEXTS]
        kind = "do"
    elif first == "CREATE" and (routine := created_routine(tokens)) in ("PROCEDURE", "FUNCTION"):
        kind = "create_" + routine.lower()
        texts = [
            tokens[at + 1]
            for at in range(len(tokens) - 1)
            if word(tokens, at) == "AS" and tokens[at + 1].token_type in TEXTS - {TokenType.IDENTIFIER}
        ]
    else:
        return None
    if not texts:
        return None
    return Quoted(kind, texts[-1] if _language(tokens) in _SQL_LANGUAGES else None)


def _language(tokens: list[Any]) -> str:
    """In lower case; "" when none is named: then it is SQL."""
    for at in range(len(tokens) - 1):
        if word(tokens, at) == "LANGUAGE":
            return str(tokens[at + 1].text).lower()
    return ""


def body_of(token: Any, sql: str) -> Body:
    """The text of a string token of the text."""
    text: str = token.text
    raw = sql[token.start : token.end + 1]
    at = raw.index("$", 1) + 1 if raw[:1] == "$" and "$" in raw[1:] else raw.find(text)
    if at >= 0 and raw.startswith(text, at):
        return Body(text, range(token.start + at, token.start + at + len(text)))
    return Body(text, _aligned(text, raw, token.start))


def _aligned(text: str, raw: str, start: int) -> list[int]:
    """Where the characters stand when some were written otherwise: quotes doubled, characters escaped."""
    places = []
    at = next((i for i, character in enumerate(raw) if character in "'\""), -1) + 1
    for character in text:
        found = raw.find(character, at, at + 3)
        at = found if found >= 0 else at
        places.append(min(start + at, start + max(len(raw) - 1, 0)))
        at += 1
    return places


def joined(bodies: list[Body]) -> Body:
    """Constants put together."""
    if len(bodies) == 1:
        return bodies[0]
    return Body("".join(body.text for body in bodies), [place for body in bodies for place in body.places])


def placed(tokens: list[Any], places: Sequence[int], sql: str) -> list[Any]:
    """Tokens of a text in quotes, as they stand in the text around it."""
    if not tokens:
        return tokens
    first, last = places[0], places[-1]
    before, line = sql.rfind("\n", 0, first), sql.count("\n", 0, first) + 1
    breaks = [before, *(at for at in range(first, min(last + 1, len(sql))) if sql[at] == "\n")]
    out = []
    for token in tokens:
        start, end = places[min(token.start, len(places) - 1)], places[min(token.end, len(places) - 1)]
        lines = bisect_right(breaks, end - 1, 1) - 1
        column = end - breaks[lines]
        out.append(
            token.__class__(token.token_type, token.text, line + lines, column, start, end, token.comments)
        )
    return out


def opened(tokens: list[Any], sql: str, tokenize: Tokenize) -> list[Any]:
    """Of a command the tokenizer makes one string of all that follows its first word: that string's tokens."""
    out: list[Any] = []
    for place, token in enumerate(tokens):
        before = tokens[place - 1] if place else None
        if before is not None and before.token_type in _COMMANDS and token.token_type is TokenType.STRING:
            start = before.end + 1
            start += len(sql[start:]) - len(sql[start:].lstrip())
            if sql.startswith(token.text, start):
                inner = tokenize(token.text)
                out += placed(inner, range(start, start + len(token.text)), sql)
                continue
        out.append(token)
    return out
