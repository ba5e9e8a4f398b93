"""Procedural code, token by token: which statements and queries stand between its control flow.

A *piece* is what stands between two semicolons. Of `IF EXISTS (SELECT ...) THEN INSERT ...` the query of the
condition and the INSERT are read; BEGIN, LOOP, END and the like say nothing of data.
"""

from __future__ import annotations

from typing import Final

from sqlglot.tokenizer_core import TokenType

from lineage.sql.reading.routines import DOLLARS, HEAD, ROUTINES, after_head
from lineage.sql.reading.tokens import (
    CLOSE,
    OPEN,
    TEXTS,
    Tokens,
    closing,
    kinds,
    like,
    outside,
    text_at,
    word,
    words,
)

# Words that begin a statement which the parser is to read.
STATEMENTS: Final = words(
    "SELECT WITH INSERT UPDATE DELETE MERGE CREATE DROP ALTER TRUNCATE REPLACE COPY UNLOAD LOAD EXPORT VALUES UPSERT ",
    "FROM TABLE USE EXPLAIN RENAME CACHE UNCACHE REFRESH ANALYZE GRANT REVOKE COMMENT CALL",
)
_EACH: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "EXECUTE"})
_CHANGES: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE"})
_QUERY: Final = frozenset({TokenType.SELECT, TokenType.WITH})
_SKIPPED: Final = frozenset(
    {"EXCEPTION", "ELSE", "LOOP", "REPEAT", "THEN", "DO", "DECLARE", "ATOMIC", "HANDLER", "TRY"}
)
_CONDITIONS: Final = {
    "IF": ("THEN",),
    "ELSEIF": ("THEN",),
    "ELSIF": ("THEN",),
    "WHEN": ("THEN",),
    "CASE": ("THEN",),
    "WHILE": ("LOOP", "DO"),
    "FOR": ("LOOP", "DO"),
    "FOREACH": ("LOOP", "DO"),
}
_ASSIGNS: Final = kinds("COLON_EQ EQ DEFAULT")
_TARGET_WORDS: Final = frozenset(
    {"FROM", "WHERE", "GROUP", "ORDER", "LIMIT", "UNION", "USING", "HAVING", "FOR"}
)


def read_piece(tokens: Tokens, *, executes_text: bool) -> list[Tokens]:
    """The statements and queries of a piece, each ready for the parser; empty when it is control flow only.

    Besides those: EXECUTE, PREPARE, and assignments, before which LET is put. `executes_text` says that EXECUTE runs
    a text even without IMMEDIATE, as in PL/pgSQL.
    """
    out: list[Tokens] = []
    place = 0
    while place < len(tokens):
        after = _skip(tokens, place, out)
        if after is None:
            _read_statement(tokens[place:], out, executes_text)
            break
        place = after
    return out


def _skip(tokens: Tokens, place: int, out: list[Tokens]) -> int | None:
    """Where the code goes on after control flow that begins here, None when a statement begins."""
    first, second = word(tokens, place), word(tokens, place + 1)
    if first == "BEGIN":
        return len(tokens) if second in ("TRAN", "TRANSACTION", "WORK") else place + 1
    if first == "NOT" and second == "ATOMIC":
        return place + 2
    if first in ("END", "UNTIL", "EXIT", "CONTINUE", "LEAVE", "ITERATE"):
        out += queries_within(tokens[place:])
        return len(tokens)
    if first == "DECLARE" and _is_handler(tokens, place):
        return _after_handler(tokens, place)
    if first == "FORALL":  # Oracle: of a collection's elements each
        return next((at for at in range(place, len(tokens)) if word(tokens, at) in _EACH), len(tokens))
    if first == "DO" and place + 1 < len(tokens) and tokens[place + 1].token_type in TEXTS:
        out.append(tokens[place:])
        return len(tokens)
    if first in _SKIPPED:
        return place + 1
    if first in _CONDITIONS:
        return _skip_condition(tokens, place, _CONDITIONS[first], out)
    if tokens[place].token_type is TokenType.LT and word(tokens, place + 1) == "<":  # <<label>>
        return place + 5
    if second == ":" and first.isidentifier():  # label:
        return place + 2
    if first == "CREATE":
        return after_head(tokens, place)
    if first in ROUTINES and place + 1 < len(tokens):  # of a package
        return _after_word(tokens, place, ("AS", "IS"))
    return None


def _is_handler(tokens: Tokens, place: int) -> bool:
    return "HANDLER" in (word(tokens, place + 1), word(tokens, place + 2))


def _after_handler(tokens: Tokens, place: int) -> int:
    """MySQL: DECLARE EXIT HANDLER FOR SQLSTATE '23000' statement."""
    for at in range(place + 1, len(tokens)):
        if word(tokens, at) in STATEMENTS or word(tokens, at) in ("BEGIN", "SET"):
            return at
    return len(tokens)


def _skip_condition(tokens: Tokens, place: int, ends: tuple[str, ...], out: list[Tokens]) -> int:
    """To what follows THEN, LOOP or DO; the queries of the condition are read."""
    depth = cases = 0
    for at in range(place + 1, len(tokens)):
        kind, text = tokens[at].token_type, word(tokens, at)
        if kind in OPEN:
            depth += 1
        elif kind in CLOSE:
            depth -= 1
        elif text == "CASE":
            cases += 1
        elif text == "END" and cases:
            cases -= 1
        elif text in ends and depth == 0 and cases == 0:
            _read_loop(tokens[place:at], out)
            return at + 1
    _read_loop(tokens[place:], out)
    return len(tokens)


def _read_loop(tokens: Tokens, out: list[Tokens]) -> None:
    """A condition, or `FOR x IN query`, without the word behind it."""
    if word(tokens, 0) == "FOR":
        at = next((i for i in range(len(tokens)) if word(tokens, i) in ("IN", "FOR") and i), len(tokens))
        if word(tokens, at + 1) == "EXECUTE":
            out.append(_immediate(tokens[at + 1 :]))
            return
    out += queries_within(tokens)


def _immediate(tokens: Tokens) -> Tokens:
    """EXECUTE with the word that says that a text is run."""
    if word(tokens, 1) == "IMMEDIATE":
        return tokens
    at = tokens[0]
    return [like(at, TokenType.VAR, "EXECUTE"), like(at, TokenType.VAR, "IMMEDIATE"), *tokens[1:]]


def _read_statement(tokens: Tokens, out: list[Tokens], executes_text: bool) -> None:
    """One statement with no control flow before it."""
    first, second = word(tokens, 0), word(tokens, 1)
    if first == "PERFORM":
        out.append(_without_variables([like(tokens[0], TokenType.SELECT, "SELECT"), *tokens[1:]]))
    elif first == "RETURN" and second == "QUERY":
        out.append(_immediate(tokens[2:]) if word(tokens, 2) == "EXECUTE" else tokens[2:])
    elif first in ("EXECUTE", "EXEC"):
        out.append(_immediate(tokens) if executes_text else tokens)
    elif first == "PREPARE":
        _read_prepared(tokens, out)
    elif first == "OPEN" and (place := _after_word(tokens, 0, ("FOR",))) < len(tokens):
        query = word(tokens, place) in ("SELECT", "WITH")
        before = [] if word(tokens, place) == "EXECUTE" else tokens[:1]  # Oracle: OPEN c FOR 'SELECT ...'
        out.append(tokens[place:] if query else _immediate([*before, *tokens[place:]]))
    elif first == "SET" and second in ("SEARCH_PATH", "SCHEMA", "CURRENT_SCHEMA", "CATALOG"):
        out.append(tokens)
    elif first in STATEMENTS or text_at(tokens, 0) == "(":
        out.append(_without_variables(tokens))
    else:
        _read_other(tokens, out)


def _read_prepared(tokens: Tokens, out: list[Tokens]) -> None:
    """`PREPARE q AS SELECT ...` and `PREPARE q FROM 'SELECT ...'`."""
    place = _after_word(tokens, 0, ("AS", "FROM"))
    if word(tokens, place) in STATEMENTS:
        out.append(tokens[place:])
    elif word(tokens, place - 1) == "FROM":
        out.append(_immediate([tokens[0], *tokens[place:]]))


def _read_other(tokens: Tokens, out: list[Tokens]) -> None:
    """Declarations, assignments, RETURN, RAISE, and what nobody knows."""
    found = queries_within(tokens)
    head = [word(tokens, at) for at in range(min(len(tokens), HEAD))]
    if DOLLARS.match(text_at(tokens, 0)) or (head[0] not in _SILENT and _CHANGES.intersection(head)):
        out.append(tokens)  # the parser says what is wrong
        return
    out += found
    if assigned_at(tokens) is not None:
        out.append([like(tokens[0], TokenType.VAR, "LET"), *tokens])


_SILENT: Final = frozenset(
    {"RAISE", "SIGNAL", "PRINT", "RETURN", "SET", "LET", "FETCH", "CLOSE", "TYPE", "PRAGMA"}
)


def assigned_at(tokens: Tokens) -> int | None:
    """The place of the sign that gives a variable its value: `x := y`, `SET x = y`, `x text DEFAULT y`."""
    return next((at for at in outside(tokens, 1) if tokens[at].token_type in _ASSIGNS), None)


def queries_within(tokens: Tokens) -> list[Tokens]:
    """The queries in an expression: what stands in brackets, and one that goes on to the end."""
    out: list[Tokens] = []
    place = 0
    while place < len(tokens):
        if tokens[place].token_type in _QUERY and word(tokens, place):
            out.append(tokens[place:])
            break
        if tokens[place].token_type is TokenType.L_PAREN and _opens_query(tokens, place):
            end = closing(tokens, place)
            out.append(tokens[place : end + 1])
            place = end
        place += 1
    return out


def _opens_query(tokens: Tokens, place: int) -> bool:
    return place + 1 < len(tokens) and tokens[place + 1].token_type in _QUERY


def _after_word(tokens: Tokens, place: int, wanted: tuple[str, ...]) -> int:
    return next((at + 1 for at in outside(tokens, place) if word(tokens, at) in wanted), len(tokens))


def _without_variables(tokens: Tokens) -> Tokens:
    """`SELECT a INTO x FROM t` and `RETURNING a INTO x` fill variables here, and make no table."""
    depth = 0
    before = ""
    changes = word(tokens, 0) in ("INSERT", "MERGE", "REPLACE", "COPY", "LOAD")
    for at, token in enumerate(tokens):
        kind, text = token.token_type, word(tokens, at)
        depth += (kind in OPEN) - (kind in CLOSE)
        if text in ("RETURNING", "RETURN", "SELECT") and not depth:
            changes = changes and text == "SELECT"
        if text == "INSERT":
            changes = True
        if text == "INTO" and not depth and not changes and before != "OVERWRITE":
            start = at - 2 if before == "COLLECT" else at
            return [*tokens[:start], *tokens[_after_variables(tokens, at + 1) :]]
        before = text or before
    return tokens


def _after_variables(tokens: Tokens, place: int) -> int:
    """Behind `[STRICT] x, y.z, :v`."""
    if word(tokens, place) == "STRICT":
        place += 1
    while place < len(tokens) and word(tokens, place) not in _TARGET_WORDS:
        while place < len(tokens) and tokens[place].token_type in (TokenType.COLON, TokenType.PARAMETER):
            place += 1
        place += 1
        while place + 1 < len(tokens) and tokens[place].token_type is TokenType.DOT:
            place += 2
        if place < len(tokens) and tokens[place].token_type is TokenType.L_BRACKET:
            place = closing(tokens, place) + 1
        if place >= len(tokens) or tokens[place].token_type is not TokenType.COMMA:
            break
        place += 1
    return place
