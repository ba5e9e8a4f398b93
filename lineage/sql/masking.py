"""SQL text without its literals, for storing where they may hold personal data."""

from __future__ import annotations

MASK = "?"


def mask_literals(sql: str, dialect: str | None) -> str | None:
    """The text with every string and number literal replaced by `?`, comments left out.

    None when the text cannot be read as tokens of the dialect: then nothing of it may be stored.
    """
    from sqlglot.dialects.dialect import Dialect
    from sqlglot.errors import SqlglotError
    from sqlglot.tokenizer_core import TokenType

    from lineage.sql.dialects import sqlglot_name

    literal = {
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
        parts.append(MASK if token.token_type in literal else sql[token.start : token.end + 1])
        end = token.end
    return "".join(parts)
