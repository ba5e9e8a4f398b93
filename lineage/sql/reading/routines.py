"""CREATE PROCEDURE, FUNCTION, TRIGGER and the like: what is created, and where its body begins."""

from __future__ import annotations

import re
from typing import Final

from lineage.sql.reading.tokens import Tokens, outside, text_at, word, words

ROUTINES: Final = frozenset({"PROCEDURE", "PROC", "FUNCTION", "TRIGGER", "PACKAGE", "TASK"})
_OBJECTS: Final = ROUTINES | frozenset(
    {"TABLE", "VIEW", "INDEX", "SCHEMA", "DATABASE", "TYPE", "SEQUENCE", "ROLE"}
)
HEAD: Final = 12  # words of CREATE before it is said what is created
DOLLARS: Final = re.compile(r"\$\w*\$")  # a quote in some dialects, a name in generic SQL
# With these a trigger's body begins.
_BODY: Final = words("BEGIN DECLARE INSERT UPDATE DELETE REPLACE SET CALL SELECT IF")


def created_routine(tokens: Tokens, place: int = 0) -> str:
    """PROCEDURE, FUNCTION, TRIGGER, PACKAGE or TASK when the statement makes one, else ""."""
    if word(tokens, place) not in ("CREATE", "ALTER"):
        return ""
    for at in range(place + 1, min(len(tokens), place + HEAD)):
        if word(tokens, at) in _OBJECTS:
            found = word(tokens, at)
            if found == "TABLE" and word(tokens, at + 1) == "FUNCTION":  # BigQuery
                return "FUNCTION"
            return ("PROCEDURE" if found == "PROC" else found) if found in ROUTINES else ""
    return ""


def after_head(tokens: Tokens, place: int) -> int | None:
    """Where the body of a procedure, function, trigger or package begins that is not in quotes.

    None for other statements, and where there is no body that could be told from the head.
    """
    if not created_routine(tokens, place):
        return None
    for at in outside(tokens, place + 1):
        text = word(tokens, at)
        if at < place + 3:
            continue
        if text in ("BEGIN", "DECLARE") or (
            text == "RETURN" and word(tokens, at + 1) in ("SELECT", "WITH", "(")
        ):
            return at
        if text in ("AS", "IS") and word(tokens, at + 1) and not DOLLARS.match(text_at(tokens, at + 1)):
            return at + 1
        if text == "ROW" and word(tokens, at - 1) == "EACH":
            return _after_row(tokens, at + 1)
    return None


def _after_row(tokens: Tokens, place: int) -> int | None:
    """A trigger's body after FOR EACH ROW [FOLLOWS other] [WHEN (condition)]."""
    for at in range(place, len(tokens)):
        text = word(tokens, at)
        if text in _BODY:
            return at
        if text == "EXECUTE":
            return len(tokens)
    return None
