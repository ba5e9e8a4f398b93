"""What is not parsed in this process: text that could take it down, or hold it for seconds.

sqlglot's parser is compiled. Nesting thousands deep overflows the C stack instead of raising, and in some places
it reads the inside of a bracket twice before it knows what the bracket is, once more for each one around it.
Nothing can interrupt it. So a statement that could cost much is *suspicious*: `isolated` compiles it in a child
process that has limits.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlglot.tokenizer_core import TokenType

from lineage.sql.reading.tokens import kinds

MAX_CHARACTERS: Final = 20_000_000  # of a text; what is longer is refused unread

# In this process: below these a statement takes at most some tenths of a second, and a small part of the stack.
_LONG_TEXT: Final = 1_000_000  # characters
_SHORT: Final = 28  # tokens of a statement: in so few there is no room for anything
_LONG: Final = 20_000
_LONG_UNGUARDED: Final = (
    1_000  # the same where Python's own limit would not stop a recursion before the stack's end
)
_FRAMES: Final = 3_000
_DEEP: Final = 64  # brackets, CASE and BEGIN, one in the other
_PIPES: Final = 50  # `|>`: each wraps all before it
_COST: Final = 50_000  # tokens, each counted as often as it may be read

# Told of each statement why it is suspicious, or None: gives the error that refuses it, or None to have it parsed.
Judge = Callable[[str | None], str | None]

_BRACKETS: Final = kinds("L_PAREN L_BRACKET L_BRACE LT")
_OPEN: Final = _BRACKETS | {TokenType.CASE, TokenType.BEGIN}
_CLOSE: Final = kinds("R_PAREN R_BRACKET R_BRACE END GT")
_MARKS: Final = _OPEN | _CLOSE | {TokenType.PIPE_GT}
# A bracket after one of these is read once. After other words it may turn out a type's, and is read again.
_READ_ONCE: Final = _OPEN | kinds(
    "COMMA VAR IDENTIFIER NUMBER STRING R_PAREN R_BRACKET R_BRACE END DOT COLON DCOLON ARROW FARROW SEMICOLON",
    "EQ NEQ GT GTE LTE PLUS DASH STAR SLASH MOD DPIPE AND OR NOT IN LIKE BETWEEN EXISTS ANY SOME ALL DISTINCT",
    "ALIAS SELECT FROM JOIN ON USING WHERE GROUP_BY HAVING QUALIFY ORDER_BY PARTITION_BY OVER UNION EXCEPT",
    "INTERSECT WITH VALUES WHEN THEN ELSE TABLE INTO SET RETURNING",
)
# Snowflake\'s DIV0 and DIV0NULL: the tree holds their arguments several times.
_COPIES: Final = re.compile(r"div0", re.I)
_NO_MARKS: Final = bytes(code for code in range(256) if chr(code) not in "()[]{}<'\"`\\$#")
_ROUNDS: Final = 8
_FEW: Final = 6


class Suspicious(BaseException):
    """A text must be compiled by the child. No Exception: nothing on the way may take it for the text's fault."""


def refusal_of_text(sql: str) -> str | None:
    """Why the text is not even tokenized, or None."""
    if len(sql) > MAX_CHARACTERS:
        return f"the text has {len(sql)} characters; at most {MAX_CHARACTERS} are read"
    return None


def suspicion_of_text(sql: str) -> str | None:
    """Why the text is not tokenized in this process, or None."""
    return f"of {len(sql)} characters" if len(sql) > _LONG_TEXT else None


def suspicion_of_tokens(sql: str, tokens: Sequence[Any]) -> str | None:
    """Why the statement is not parsed in this process, or None."""
    count = len(tokens)
    if count <= _SHORT:
        return None
    if count > _LONG_UNGUARDED and (count > _LONG or sys.getrecursionlimit() > _FRAMES):
        return f"of {count} tokens"
    text = sql[tokens[0].start : tokens[-1].end + 1]  # of a script only this statement
    depth = _depth(text)
    if depth >= 0 and count << depth <= _COST and "|>" not in text:
        return None
    return _suspicion(tokens)


def _depth(text: str) -> int:
    """How deep brackets are nested in a text at most, -1 where that takes a closer look.

    Brackets are counted wherever they stand. Where one stands in a string, its quote stays behind.
    """
    marks = text.encode("utf-8", "replace").translate(None, _NO_MARKS)
    opened = marks.count(b"(") + marks.count(b"[") + marks.count(b"{") + marks.count(b"<")
    if opened <= _FEW:
        return opened  # at most, wherever they stand
    if "--" in text or "/*" in text or "//" in text:
        return -1  # perhaps a comment
    marks = marks.replace(b"''", b"").replace(b'""', b"").replace(b"``", b"")
    depth = marks.count(b"<")
    if depth:
        marks = marks.replace(b"<", b"")
    while marks:
        depth += 1
        if depth > _ROUNDS:
            return -1
        marks = marks.replace(b"()", b"").replace(b"[]", b"").replace(b"{}", b"")
    return depth


def _suspicion(tokens: Sequence[Any]) -> str | None:
    deepest = pipes = at = 0
    cost, factor = 0, 1  # how often what stands here may be read
    around: list[tuple[bool, int]] = []  # of each that is open: whether it is `<`, the factor before it
    previous = None
    for place, token in enumerate(tokens):
        kind = token.token_type
        if kind in _MARKS:
            cost += (place - at) * factor
            at = place
            if kind is TokenType.PIPE_GT:
                pipes += 1
            elif kind in _OPEN:
                of_type = kind is TokenType.LT
                if of_type and previous in _READ_ONCE:
                    continue  # a comparison
                around.append((of_type, factor))
                deepest = max(deepest, len(around))
                if kind in _BRACKETS and place:
                    factor *= _factor(tokens[place - 1], previous)
                    if factor > _COST:
                        break
            elif kind is TokenType.GT:
                if around and around[-1][0]:
                    _, factor = around.pop()
            else:
                while around and around[-1][0]:
                    around.pop()
                if around:
                    _, factor = around.pop()
        previous = kind
    cost += (len(tokens) - at) * factor
    if deepest > _DEEP:
        return f"nested {deepest} deep"
    if pipes > _PIPES:
        return f"of {pipes} pipes"
    return "of brackets that may be read in many ways" if cost > _COST else None


def _factor(before: Any, kind: Any) -> int:
    if kind is TokenType.VAR:
        return 4 if _COPIES.match(before.text) else 1
    return 1 if kind in _READ_ONCE else 2
