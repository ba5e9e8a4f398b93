"""SQL text without its literals, for storing where they may hold personal data."""

from __future__ import annotations

import re

from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from lineage.sql.credentials import carries_credentials
from lineage.sql.dialects import sqlglot_name

MASK = "?"
# The words in which a value is a password though it stands in no quotes, or in those of a name.
_BEFORE_VALUE = re.compile(
    r"\bidentified\s+(?:\w+\s+){0,2}by\s*$|\breplace\s*$|(?:password|passwd|passphrase|pwd)\s*=?\s*$"
    r"|\bset\s[^;]*(?:key|secret|token|credential)[\w.:]*\s*(?:=|\bto\b)\s*$|\bpragma\s[^;]*\bkey\s*=\s*$"
    r"|^\s*connect\s[^;]*$",
    re.I,
)
LITERALS = frozenset(
    {
        TokenType.STRING,
        TokenType.NUMBER,
        TokenType.BIT_STRING,
        TokenType.BYTE_STRING,
        TokenType.HEX_STRING,
        TokenType.HEREDOC_STRING,
        TokenType.NATIONAL_STRING,
        TokenType.RAW_STRING,
        TokenType.UNICODE_STRING,
    }
)
_ENDS = frozenset({TokenType.SEMICOLON, TokenType.COMMA, TokenType.R_PAREN})


def mask_literals(sql: str, dialect: str | None) -> str | None:
    """The text with every string and number literal replaced by `?`, comments left out; passwords too that the
    text writes as names are.

    None when the text cannot be read as tokens of the dialect, or a word follows a string with no space between, so
    that quotes are not where they seem to be ('O'Brien'): then nothing of it may be stored.
    """
    try:
        tokens = Dialect.get_or_raise(sqlglot_name(dialect) or None).tokenize(sql)
    except SqlglotError:
        return None
    guarded = carries_credentials(sql)
    parts: list[str] = []
    end = -1
    after_string = False
    hidden = False  # the token before was a password, which goes on to the next space
    for token in tokens:
        gap = sql[end + 1 : token.start]
        if sql[end] in "'\"" and end + 1 == token.start and after_string and sql[token.start].isalnum():
            return None
        after_string = token.token_type in LITERALS
        parts.append(
            " " if gap and not gap.isspace() else gap
        )  # what lies between tokens is space or comment
        hides = token.token_type in LITERALS
        if guarded and not hides:
            hidden = hides = (hidden and not gap and token.token_type not in _ENDS) or (
                token.token_type not in _ENDS and _is_password(sql, parts, token.start, token.end)
            )
        parts.append(MASK if hides else sql[token.start : token.end + 1])
        end = token.end
    return "".join(parts)


def _is_password(sql: str, before: list[str], start: int, end: int) -> bool:
    """Whether the word that stands there is a value after words that tell a password."""
    if sql[start : end + 1] == "=" or not _BEFORE_VALUE.search("".join(before[-60:])):
        return False
    quoted = sql[start] in '"`['
    word = re.search(r"(\w+)\s*$", "".join(before[-60:]))
    # After the word alone, with no sign between, only what stands in quotes: it may be a column's name.
    return quoted or word is None or not re.fullmatch(r"\w*(?:password|passwd|passphrase|pwd)", word[1], re.I)
