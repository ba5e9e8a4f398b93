"""T-SQL put into forms that the parser knows: EXEC ('...'), OUTPUT ... INTO, the rows of triggers and functions."""

from __future__ import annotations

import re
from typing import Any, Final

from sqlglot.tokenizer_core import TokenType

from lineage.sql.reading.tokens import CLOSE, OPEN, closing, kinds, like, word

RUNS_TEXT: Final = re.compile(r"\bexec(?:ute)?\s*\(", re.I)
OUTPUTS: Final = re.compile(r"\boutput\s+(?:inserted|deleted|\$action)\b|\boutput\b[^;]*?\binto\b", re.I)

_OBJECTS: Final = frozenset({"PROCEDURE", "PROC", "FUNCTION", "VIEW", "TABLE"})
_BEFORE_TABLE: Final = kinds("FROM JOIN COMMA USING")
_STRINGS: Final = kinds("STRING NATIONAL_STRING")
_ENDS: Final = kinds("INTO FROM WHERE SELECT VALUES DEFAULT SEMICOLON WITH EXECUTE RETURNING")
_NAMES: Final = kinds("VAR IDENTIFIER DOT PARAMETER HASH")


def with_trigger_tables(tokens: list[Any]) -> list[Any]:
    """In a trigger `FROM inserted` reads as `FROM t AS inserted`: the rows are the trigger's table's."""
    out: list[Any] = []
    table: list[Any] = []
    for at, token in enumerate(tokens):
        text = token.text.upper()
        if text == "TRIGGER" and at + 1 < len(tokens):
            table = _table_of_trigger(tokens, at)
        elif text in ("CREATE", "ALTER") and word(tokens, at + 1) in _OBJECTS:
            table = []
        if table and text in ("INSERTED", "DELETED") and out and out[-1].token_type in _BEFORE_TABLE:
            after = tokens[at + 1].token_type if at + 1 < len(tokens) else TokenType.SEMICOLON
            aliased = after in (TokenType.ALIAS, TokenType.VAR, TokenType.IDENTIFIER)
            out += table if aliased else [*table, like(token, TokenType.ALIAS, "AS"), token]
        else:
            out.append(token)
    return out


def _table_of_trigger(tokens: list[Any], place: int) -> list[Any]:
    """`CREATE TRIGGER name ON table`."""
    on = next(
        (i for i in range(place, min(place + 8, len(tokens))) if tokens[i].token_type is TokenType.ON), None
    )
    end = on = len(tokens) if on is None else on + 1
    while end < len(tokens) and (
        end == on or TokenType.DOT in (tokens[end].token_type, tokens[end - 1].token_type)
    ):
        end += 1
    return tokens[on:end]


def with_returned_tables(tokens: list[Any]) -> list[Any]:
    """A function that RETURNS @t TABLE (...) reads as one that declares @t, and RETURN as `SELECT * FROM @t`."""
    out: list[Any] = []
    name: list[Any] = []
    declared: list[Any] = []  # the name and the columns, until the function begins
    start = -1  # where they begin, as long as their bracket is open
    depth = blocks = 0
    for at, token in enumerate(tokens):
        text = word(tokens, at)
        if text in ("CREATE", "ALTER"):
            name, declared, start, depth, blocks = [], [], -1, 0, 0
        elif text == "RETURNS" and not name and _is_table_variable(tokens, at + 1):
            name, start = tokens[at + 1 : at + 3], at + 1
        elif start >= 0 and (token.token_type in OPEN or token.token_type in CLOSE):
            depth += 1 if token.token_type in OPEN else -1
            if depth == 0:
                declared, start = tokens[start : at + 1], -1
        elif name and start < 0 and text in ("BEGIN", "CASE"):
            blocks += 1
        elif name and blocks and text == "END":
            blocks -= 1
            if blocks == 0:
                name = []
        if name and blocks and text == "RETURN":
            out += [
                like(token, TokenType.SELECT, "SELECT"),
                like(token, TokenType.STAR, "*"),
                like(token, TokenType.FROM, "FROM"),
                *name,
            ]
            continue
        out.append(token)
        if declared and text == "BEGIN":
            out += [like(token, TokenType.DECLARE, "DECLARE"), *declared]
            declared = []
    return out


def _is_table_variable(tokens: list[Any], at: int) -> bool:
    """Whether `@t TABLE (` stands there."""
    return (
        at + 3 < len(tokens)
        and tokens[at].token_type is TokenType.PARAMETER
        and word(tokens, at + 2) == "TABLE"
        and tokens[at + 3].token_type is TokenType.L_PAREN
    )


def with_run_texts(tokens: list[Any]) -> list[Any]:
    """`EXEC (@sql)` reads as `EXEC sp_executesql @sql`; so does what is put together of constants."""
    out: list[Any] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        out.append(token)
        place += 1
        bracket = place < len(tokens) and tokens[place].token_type is TokenType.L_PAREN
        if token.text.upper() in ("EXEC", "EXECUTE") and bracket:
            end = closing(tokens, place)
            elsewhere = end + 1 < len(tokens) and tokens[end + 1].text.upper() == "AT"  # on another server
            out.append(like(token, TokenType.VAR, "sp_executesql"))
            out += _text_of(tokens[place + 1 : end], token, elsewhere)
            place = end + 3 if elsewhere else end + 1
    return out


def _text_of(inner: list[Any], at: Any, elsewhere: bool) -> list[Any]:
    """What is run: a constant, a variable, or something that has no name and is known to nobody."""
    strings = [token for token in inner if token.token_type in _STRINGS]
    others = [token for token in inner if token.token_type not in _STRINGS]
    if not elsewhere and len(strings) == 1 and not others:
        return strings
    if not elsewhere and strings and all(token.token_type is TokenType.PLUS for token in others):
        text = "".join(token.text for token in strings)
        first = strings[0]
        return [
            first.__class__(
                first.token_type, text, first.line, first.col, first.start, strings[-1].end, first.comments
            )
        ]
    if not elsewhere and len(inner) == 2 and inner[0].token_type is TokenType.PARAMETER:
        return inner
    return [like(at, TokenType.PARAMETER, "@"), like(at, TokenType.VAR, "?")]


def with_plain_outputs(sql: str, tokens: list[Any], start: int) -> list[Any]:
    """`OUTPUT a, b INTO s.t (x, y)` reads as `OUTPUT a AS x, b AS y INTO "s.t"`: one name is what the parser takes.

    `sql` is the text from `start` on.
    """
    out: list[Any] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        place += 1
        if token.token_type is not TokenType.RETURNING or token.text.upper() != "OUTPUT":
            out.append(token)
            continue
        deleted = _deleted(out)
        out.append(token)
        items, end = _items(tokens, place)
        place = end
        if end < len(tokens) and tokens[end].token_type is TokenType.INTO:
            name, names, place = _target(sql, tokens, end + 1, start)
            out += [*_renamed(items, names), tokens[end], name]
            if place < len(tokens) and tokens[place].token_type is TokenType.RETURNING:  # and to the client
                _, place = _items(tokens, place + 1)
        else:
            out += _renamed(items, [])
        if deleted and (place >= len(tokens) or tokens[place].token_type is not TokenType.FROM):
            out += [like(token, TokenType.FROM, "FROM"), *deleted]
    return out


def _deleted(out: list[Any]) -> list[Any]:
    """The name in `DELETE [FROM] t`, which loses its FROM: with it the parser knows no OUTPUT there."""
    at = next(
        (i for i in range(len(out) - 1, max(len(out) - 9, -1), -1) if out[i].token_type is TokenType.DELETE),
        None,
    )
    if at is None:
        return []
    if at + 1 < len(out) and out[at + 1].token_type is TokenType.FROM:
        del out[at + 1]
    return out[at + 1 :]


def _target(sql: str, tokens: list[Any], first: int, start: int) -> tuple[Any, list[Any], int]:
    """The name behind INTO as one identifier, the columns listed, and where they end."""
    end = first
    while end < len(tokens) and tokens[end].token_type in _NAMES and _adjoins(tokens, first, end):
        end += 1
    at, last = tokens[min(first, len(tokens) - 1)], tokens[max(end - 1, 0)]
    name = like(at, TokenType.IDENTIFIER, sql[at.start - start : last.end + 1 - start])
    if end < len(tokens) and tokens[end].token_type is TokenType.L_PAREN:
        closed = closing(tokens, end)
        return (
            name,
            [t for t in tokens[end + 1 : closed] if t.token_type is not TokenType.COMMA],
            closed + 1,
        )
    return name, [], end


def _adjoins(tokens: list[Any], first: int, place: int) -> bool:
    """Whether the token belongs to the dotted name before it."""
    if place == first:
        return True
    dots = (tokens[place].token_type, tokens[place - 1].token_type)
    return TokenType.DOT in dots or tokens[place].start == tokens[place - 1].end + 1


def _items(tokens: list[Any], place: int) -> tuple[list[list[Any]], int]:
    """The items of an OUTPUT clause, and where they end."""
    items: list[list[Any]] = [[]]
    depth = 0
    for at in range(place, len(tokens)):
        kind = tokens[at].token_type
        depth += (kind in OPEN) - (kind in CLOSE)
        if depth < 0 or (depth == 0 and kind in _ENDS):
            return items, at
        if depth == 0 and kind is TokenType.COMMA:
            items.append([])
        else:
            items[-1].append(tokens[at])
    return items, len(tokens)


def _renamed(items: list[list[Any]], names: list[Any]) -> list[Any]:
    out: list[Any] = []
    for at, item in enumerate(items):
        if at:
            out.append(like(items[0][0], TokenType.COMMA, ","))
        if at < len(names):
            alias = next((i for i, t in enumerate(item) if t.token_type is TokenType.ALIAS), len(item))
            out += [*item[:alias], like(names[at], TokenType.ALIAS, "AS"), names[at]]
        else:
            out += item
    return out
