"""The shape of SQL text: what stays the same when literals, white space, comments and letter case change.

Texts of one shape have one program, unless it says that its literals carry lineage (`Program.literals_matter`).
What opens a string, a comment or a quoted name is taken from the dialect's own tokenizer.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Any

from lineage.sql.dialects import sqlglot_name
from lineage.sql.masking import LITERALS

# In these an unquoted name is the same in any case; in others only its spelling tells which one is meant.
_FOLDS = frozenset(
    {
        *("postgres", "redshift", "materialize", "risingwave", "snowflake", "oracle", "exasol", "teradata"),
        *("duckdb", "sqlite", "trino", "presto", "athena", "hive", "spark", "spark2", "databricks"),
    }
)
# A word after `$` that is a value of a prepared statement; in Snowflake it is a column of a file.
_VALUES = frozenset({"postgres", "redshift", "duckdb", "materialize", "risingwave"})
_NUMBER = r"[0-9]*(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![\w$])"
_PUNCTUATION = ",()=<>+-*/;|%![]{}"
# What IN compares with, an array's items, and VALUES' rows: however many there are, nothing else changes. How many
# items a row has does, and so does how many literals a select list has.
_ITEM = r"(?:[-+] )?(?:\?|[0-9][0-9]?|null|true|false|default)"
_ITEMS = rf"{_ITEM}(?: , {_ITEM})*"
# The look behind stands behind the sign: what begins with a plain sign is found faster.
_LIST = re.compile(rf"\((?<=\bin \() {_ITEMS} \)", re.I)
_ARRAY = re.compile(rf"\[ {_ITEMS} \]", re.I)
_ROWS = re.compile(rf"\((?:(?<=\bvalues \()|(?<=\bin \( \()) ({_ITEMS}) \)(?: , \( {_ITEMS} \))*", re.I)
_BODY = re.compile(r"\s*(\$\w*\$)(?:(?!\1)(?s:.))*\1\s*")  # all in dollar quotes
# Before a number that means an item of the select list.
_PLACE = re.compile(r"(?:,|\bby|\bby\s*[-+]|\b(?:distinct|all)|\bon\s*\()\s*$", re.I)


def fingerprint(sql: str, dialect: str | None = None, *, positions: bool = False) -> bytes:
    """Sixteen bytes that are the same for texts of one shape and dialect.

    With `positions` texts of one shape differ when numbers do that may be places in a select list.
    """
    name = sqlglot_name(dialect)
    shape = f"{name}\0{_shapes(name).shape(sql, positions)}"
    return hashlib.blake2b(shape.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def shape_of(sql: str, dialect: str | None = None) -> str:
    """The shape itself: `?` for each literal and each list of them, one space between words, no comments.

    Quoted names stand behind it, where the dialect tells them from others.
    """
    return _shapes(sqlglot_name(dialect)).shape(sql)


def strings_in(sql: str, dialect: str | None = None) -> set[str]:
    """What stands in the text's strings, as far as it is written without escapes."""
    return _shapes(sqlglot_name(dialect)).strings(sql)


class _Shapes:
    """How the text of one dialect is cut."""

    def __init__(self, name: str) -> None:
        from sqlglot import Dialect

        self._dialect = Dialect.get_or_raise(name)
        rules = self._dialect.tokenizer_class
        self._folds = name in _FOLDS
        self._values = name in _VALUES
        self._dashes = name == "bigquery"  # my-project-1.data.t
        self._strings = frozenset(q for q in rules.QUOTES if isinstance(q, str) and len(q) == 1)
        self._commands = frozenset(rules.COMMANDS)
        self._empty = "''" if "'" in self._strings else min(self._strings) * 2
        self._comments = frozenset(c if isinstance(c, str) else c[0] for c in rules.COMMENTS)
        self._openings = [c if isinstance(c, str) else c[0] for c in rules.COMMENTS]
        self._nested = bool(rules.NESTED_COMMENTS)
        alternatives = [_quoted(q, q, rules.STRING_ESCAPES) for q in self._strings]
        for given in rules.IDENTIFIERS:
            opening, closing = (given, given) if isinstance(given, str) else given
            if opening not in self._strings:
                alternatives.append(_quoted(opening, closing, [closing, *rules.IDENTIFIER_ESCAPES]))
        for comment in rules.COMMENTS:
            if isinstance(comment, str):
                alternatives.append(rf"(?<={re.escape(comment[0])}){re.escape(comment[1:])}[^\r\n]*")
            else:
                opening, closing = comment
                alternatives.append(
                    rf"(?<={re.escape(opening[0])}){re.escape(opening[1:])}(?s:.*?){re.escape(closing)}"
                )
        alternatives.append(rf"(?<=[0-9]){_NUMBER}")
        first = {a for q in rules.QUOTES for a in q[:1]} | {c[0] for c in self._comments}
        first |= {given[0] for given in rules.IDENTIFIERS}
        # To begin with a set of characters is what makes the search fast.
        self._marks = re.compile(f"[0-9{re.escape(''.join(sorted(first)))}](?:{'|'.join(alternatives)})")
        self._signs, self._special = _special(rules)

    def shape(self, sql: str, positions: bool = False) -> str:
        if "{{" in sql:
            return sql  # a template's strings may be names
        commented = positions and any(sign in sql for sign in self._openings)
        # To find that a text lacks a sign is quicker than to search it for a pattern.
        special = any(sign in sql for sign in self._signs) and self._special.search(sql)
        shape = None if special else self._shape(sql, positions, commented)
        if shape is None:
            plain = self._with_plain_strings(sql)
            shape = None if plain is None else self._shape(plain, positions, commented)
        return sql if shape is None else shape

    def _shape(self, sql: str, positions: bool, commented: bool) -> str | None:
        """The shape of a text in which each string ends at its closing sign; None where comments are nested."""
        names: list[str] = []
        strings, comments = self._strings, self._comments
        nested = False

        def replace(match: re.Match[str]) -> str:
            nonlocal nested
            text = match.group()
            first = text[0]
            if first.isdigit():
                start = match.start()
                if self._is_in_name(sql, start):
                    return text
                place = positions and len(text) < 3 and (commented or _may_be_place(sql, start))
                return text if place else "?"
            if first in strings:
                return " ? "
            if first in comments or text[:2] in comments:
                nested = nested or (self._nested and "/*" in text[2:])
                return " "
            names.append(text)
            return ' "" '

        text = self._marks.sub(replace, sql)
        if nested:
            return None
        if self._folds:
            text = text.lower()
        for sign in _PUNCTUATION:
            text = text.replace(sign, f" {sign} ")
        return _finished(" ".join(text.split()).replace(" .?", " ?"), names)

    def strings(self, sql: str) -> set[str]:
        if any(sign in sql for sign in self._signs) and self._special.search(sql):
            from sqlglot.errors import SqlglotError

            try:
                tokens = self._dialect.tokenize(sql)
            except SqlglotError:
                return set()
            return {token.text for token in tokens if token.token_type in LITERALS}
        found = (match.group() for match in self._marks.finditer(sql))
        return {text[1:-1].replace(text[0] * 2, text[0]) for text in found if text[0] in self._strings}

    def _is_in_name(self, sql: str, start: int) -> bool:
        before = sql[start - 1] if start else " "
        if before == "$" and self._values:
            return False
        if before.isalnum() or before in "_$@#":
            return True
        return before == "-" and self._dashes and sql[start - 2 : start - 1].isalnum()

    def _with_plain_strings(self, sql: str) -> str | None:
        """The text with an empty string in the place of each string, and a space for each comment; slowly.

        For strings and comments of forms that only the tokenizer knows. None where it does not tell them either.
        """
        from sqlglot.errors import SqlglotError
        from sqlglot.tokenizer_core import TokenType

        try:
            tokens = self._dialect.tokenize(sql)
        except SqlglotError:
            return None
        pieces: list[str] = []
        at = 0
        for place, token in enumerate(tokens):
            is_rest = place > 0 and tokens[place - 1].token_type in self._commands
            if is_rest and token.token_type is TokenType.STRING:
                if not _BODY.fullmatch(sql, at, token.end + 1):
                    return None  # all the rest of a command is one token, names and all
                pieces.append(f" {self._empty}")
                at = token.end + 1
                continue
            gap = sql[at : token.start]
            if gap.strip() and not gap.lstrip().startswith(tuple(self._openings)):
                return None  # no comment: nothing of a text may be lost
            pieces.append(" " if gap.strip() else gap)
            text = sql[token.start : token.end + 1]
            is_string = token.token_type in LITERALS and not text[:1].isdigit() and text[:1] != "."
            pieces.append(self._empty if is_string else text)
            at = token.end + 1
        return "".join(pieces)


def _may_be_place(sql: str, start: int) -> bool:
    """Whether a number stands where one that means an item of the select list may. No comment is in the text."""
    before = sql[max(start - 40, 0) : start]
    return before.isspace() or _PLACE.search(before) is not None


def _finished(text: str, names: list[str]) -> str:
    if "( " in text:
        text = _LIST.sub("( ? )", text)
        lower = text.lower()
        if "values ( " in lower or "in ( ( " in lower:
            text = _ROWS.sub(_one_row, text)
    if "[ " in text:
        text = _ARRAY.sub("[ ? ]", text)
    return "\0".join([text, *names]) if names else text


def _one_row(rows: re.Match[str]) -> str:
    """Of rows of literals the first, by its length."""
    items = rows[1].count(" , ") + 1
    return f"( {' , '.join(['?'] * items)} )"


@lru_cache(maxsize=64)
def _shapes(name: str) -> _Shapes:
    return _Shapes(name)


def _quoted(opening: str, closing: str, escapes: list[str]) -> str:
    """What follows the opening sign, its closing one included."""
    end = re.escape(closing)
    ways = [end + end] if closing in escapes else []
    plain = f"[^{end}]"
    if "\\" in escapes:
        ways.append(r"\\(?s:.)")
        plain = rf"[^{end}\\]"
    more = f"(?:(?:{'|'.join(ways)}){plain}*)*" if ways else ""
    return rf"(?<={re.escape(opening)}){plain}*{more}{end}"


def _special(rules: Any) -> tuple[list[str], re.Pattern[str]]:
    """What finds strings whose end is not told by one sign: raw and long ones, those with escapes of their own.

    One of the signs stands in every text in which the pattern finds one.
    """
    openings = {q for q in rules.QUOTES if len(q) > 1}
    for kind in (rules.RAW_STRINGS, rules.BYTE_STRINGS, rules.UNICODE_STRINGS):
        openings |= {given if isinstance(given, str) else given[0] for given in kind}
    signs = sorted({opening[:2] if opening[0] in "qQ" else opening for opening in openings})
    # The look behind stands at the end: what begins with plain characters is found faster.
    parts = [rf"{re.escape(sign)}(?<!\w{re.escape(sign)})" for sign in signs]
    if rules.HEREDOC_STRINGS:
        signs.append("$")
        parts.append(r"\$\w*\$")
    return signs, re.compile("|".join(parts))
