"""SQL text without its literals, for storing where they may hold personal data."""

from __future__ import annotations

import re

from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import TokenType

from lineage.sql.dialects import sqlglot_name

MASK = "?"
# Words before a literal that is a password, a key or a token; and a URL with a password in it.
_CREDENTIALS = re.compile(
    r"\b(?:pass(?:word|wd|phrase)?|pwd|identified\s+(?:\w+\s+){0,2}by|credentials?|secrets?|(?:secret|access|private|api|"
    r"account|shared|encryption|master)[\s_]?\w*[\s_]?keys?(?:[\s_]id)?|aws_\w+|azure_\w+|\w*_?token|sas|"
    r"authorization|bearer)\b\W{0,12}['\"$]|://[^\s/:@'\"]+:[^\s/@'\"]+@|\bsp_(?:addlogin|password)\b|"
    r"\bpass(?:word|wd|phrase)\b[^'\"$]*['\"$=]",
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


def carries_credentials(sql: str) -> bool:
    """Whether a statement seems to hold a password, a key or a token: rather once too often."""
    return _CREDENTIALS.search(sql) is not None


def mask_literals(sql: str, dialect: str | None) -> str | None:
    """The text with every string and number literal replaced by `?`, comments left out.

    None when the text cannot be read as tokens of the dialect: then nothing of it may be stored.
    """
    try:
        tokens = Dialect.get_or_raise(sqlglot_name(dialect) or None).tokenize(sql)
    except SqlglotError:
        return None
    parts: list[str] = []
    end = -1
    for token in tokens:
        gap = sql[end + 1 : token.start]
        parts.append(
            " " if gap and not gap.isspace() else gap
        )  # what lies between tokens is space or comment
        parts.append(MASK if token.token_type in LITERALS else sql[token.start : token.end + 1])
        end = token.end
    return "".join(parts)
