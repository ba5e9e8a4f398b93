"""Tokens put into a form that the parser knows, where a dialect says the same in its own way.

Each rewrite looks at the text first, so that what does not need it pays a search for a word.
"""

from __future__ import annotations

import re
from typing import Any, Final

from sqlglot.tokenizer_core import TokenType

from lineage.sql.reading.commands import names
from lineage.sql.reading.open_joins import close_joins
from lineage.sql.reading.tokens import kinds, like
from lineage.sql.reading.tsql import OUTPUTS, RUNS_TEXT, with_plain_outputs, with_run_texts

_MERGE: Final = TokenType.MERGE
_SELECT: Final = TokenType.SELECT
_UPDATE: Final = TokenType.UPDATE
_COMPOUND: Final = re.compile(r"[-+*/%&|^]=")
_NO_VARIABLES: Final = kinds("FROM L_PAREN SELECT VALUES SEMICOLON")
_ONE_STRING: Final = [TokenType.L_PAREN, TokenType.STRING, TokenType.R_PAREN]
_OPERATORS: Final = frozenset({"+", "-", "*", "/", "%", "&", "|", "^"})
_WINDOW_TABLE: Final = re.compile(r"\bdescriptor\s*\(", re.I)
_DELETE_WHERE: Final = re.compile(r"\bdelete\s+where\b", re.I)
_REMOVE_DUPLICATES: Final = re.compile(r"\bremove\s+duplicates\s*$", re.I)
_TIME_WINDOW: Final = re.compile(r"\bwindow\s*\(", re.I)
_INTO_VARIABLES: Final = re.compile(r"\binto\s+[@:]?[\w$#.]+\s*,", re.I)
_INTO_VARIABLES_LAST: Final = re.compile(r"\binto\s+@\w+(?:\s*,\s*@\w+)*\s*$", re.I)  # MySQL
NAMED_BY_TEXT: Final = re.compile(r"\bidentifier\s*\(\s*['\"]", re.I)
_WHOLE_WORDS: Final = {
    ("ORDER", "BY"): TokenType.ORDER_BY,
    ("GROUP", "BY"): TokenType.GROUP_BY,
    ("PARTITION", "BY"): TokenType.PARTITION_BY,
    ("CLUSTER", "BY"): TokenType.CLUSTER_BY,
    ("SORT", "BY"): TokenType.SORT_BY,
    ("DISTRIBUTE", "BY"): TokenType.DISTRIBUTE_BY,
    ("GROUPING", "SETS"): TokenType.GROUPING_SETS,
}
_PARTED: Final = re.compile(
    r"\b(?:order|group|partition|cluster|sort|distribute|grouping)\s*(?:--|/\*|#)", re.I
)
_WITHIN: Final = re.compile(r"\)\s*within\s+interval\b", re.I)


def rewrite(sql: str, tokens: list[Any]) -> list[Any]:
    """The statement's tokens, made readable to the parser."""
    first = tokens[0]
    kind = first.token_type
    sql = sql[first.start : tokens[-1].end + 1]  # a script's other statements are not looked through again
    upper = sql.upper()  # that a word is nowhere is found faster than where a pattern is
    if first.text.upper() == "REPLACE" and len(tokens) > 2:  # MySQL, SQLite: REPLACE [INTO] t
        tokens = [like(first, TokenType.INSERT, "INSERT"), *tokens[1:]]
    if kind is _UPDATE and _COMPOUND.search(sql):
        tokens = _without_compound_assignments(tokens)
    if "DESCRIPTOR" in upper and _WINDOW_TABLE.search(sql):
        tokens = _with_table_arguments(tokens)
    if "WITHIN" in upper and _WITHIN.search(sql):
        tokens = _without_within(tokens)
    if kind is _MERGE and _DELETE_WHERE.search(sql):
        tokens = _without_deletes(tokens)
    if kind is _MERGE and _REMOVE_DUPLICATES.search(sql):
        tokens = _with_insert_of_all(tokens)
    if kind is _UPDATE:
        tokens = _with_alias_before_set(tokens)
    if "WINDOW" in upper and _TIME_WINDOW.search(sql):
        tokens = _with_time_windows(tokens)
    if "IDENTIFIER" in upper and NAMED_BY_TEXT.search(sql):
        tokens = _with_names_of_texts(tokens)
    if "OUTPUT" in upper and OUTPUTS.search(sql):
        tokens = with_plain_outputs(sql, tokens, first.start)
    if "EXEC" in upper and RUNS_TEXT.search(sql):
        tokens = with_run_texts(tokens)
    if kind is _SELECT and "INTO" in upper and _INTO_VARIABLES_LAST.search(sql):
        tokens = tokens[: max(i for i, token in enumerate(tokens) if token.token_type is TokenType.INTO)]
    if _stands(_INTO_VARIABLES, "INTO", upper, sql):
        tokens = _without_variables(tokens)
    if ("--" in sql or "/*" in sql or "#" in sql) and _PARTED.search(sql):
        tokens = _with_whole_words(tokens)
    return close_joins(upper, tokens)


def _stands(pattern: re.Pattern[str], word: str, upper: str, sql: str) -> bool:
    """Whether the pattern, which begins with the word, is in the text: looked for only where the word is."""
    if len(upper) != len(sql):  # a letter that is two in capitals: places differ
        return pattern.search(sql) is not None
    at = upper.find(word)
    while at >= 0:
        if pattern.match(sql, at):
            return True
        at = upper.find(word, at + 1)
    return False


def _without_compound_assignments(tokens: list[Any]) -> list[Any]:
    """T-SQL: `SET a += b` reads as `SET a = b`."""
    return [
        token
        for token, after in zip(tokens, [*tokens[1:], tokens[-1]], strict=True)
        if not (
            token.text in _OPERATORS and after.token_type is TokenType.EQ and after.start == token.end + 1
        )
    ]


def _with_table_arguments(tokens: list[Any]) -> list[Any]:
    """Flink: `TUMBLE(TABLE t, ...)` reads as `TUMBLE((SELECT * FROM t), ...)`."""
    out: list[Any] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        place += 1
        inside = out and (out[-1].token_type in (TokenType.L_PAREN, TokenType.COMMA) or out[-1].text == "=>")
        if token.token_type is not TokenType.TABLE or not inside or tokens[place : place + 1] == []:
            out.append(token)
            continue
        if tokens[place].token_type is TokenType.L_PAREN:  # TABLE(function(...))
            out.append(token)
            continue
        end = place + 1
        while end + 1 < len(tokens) and tokens[end].token_type is TokenType.DOT:
            end += 2
        out += [
            like(token, TokenType.L_PAREN, "("),
            like(token, TokenType.SELECT, "SELECT"),
            like(token, TokenType.STAR, "*"),
            like(token, TokenType.FROM, "FROM"),
            *tokens[place:end],
            like(tokens[end - 1], TokenType.R_PAREN, ")"),
        ]
        place = end
    return out


def _without_within(tokens: list[Any]) -> list[Any]:
    """Flink: PATTERN (...) WITHIN INTERVAL '1' HOUR; the limit says nothing of columns."""
    out: list[Any] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        if (
            token.text.upper() == "WITHIN"
            and place + 3 < len(tokens)
            and tokens[place + 1].text.upper() == "INTERVAL"
        ):
            place += 4
            continue
        out.append(token)
        place += 1
    return out


def _without_deletes(tokens: list[Any]) -> list[Any]:
    """Oracle's MERGE: `UPDATE SET ... [WHERE a] DELETE WHERE b` reads as `UPDATE SET ... WHERE a AND b`."""
    out: list[Any] = []
    filtered = False  # whether the action has had a WHERE
    skip = False
    for token, after in zip(tokens, [*tokens[1:], tokens[-1]], strict=True):
        kind = token.token_type
        if skip:
            skip = False
            continue
        if kind is TokenType.WHEN:
            filtered = False
        elif kind is TokenType.DELETE and after.token_type is TokenType.WHERE:
            if filtered:
                out.append(like(token, TokenType.AND, "AND"))
                skip = True
            continue
        filtered = filtered or kind is TokenType.WHERE
        out.append(token)
    return out


def _with_alias_before_set(tokens: list[Any]) -> list[Any]:
    """Teradata: `UPDATE x FROM s SET ...` reads as `UPDATE x FROM s AS s SET ...`, lest SET be the alias."""
    for place, token in enumerate(tokens[:-1]):
        if token.token_type is TokenType.SET:
            name, before = tokens[place - 1], tokens[place - 2]
            froms = [t for t in tokens[:place] if t.token_type is TokenType.FROM]
            if froms and before.token_type in (TokenType.FROM, TokenType.COMMA, TokenType.DOT):
                return [*tokens[:place], like(name, TokenType.ALIAS, "AS"), name, *tokens[place:]]
            break
    return tokens


def _with_time_windows(tokens: list[Any]) -> list[Any]:
    """Spark: `GROUP BY window(time, '1 hour')` calls a function; a WINDOW clause has a name before the bracket."""
    return [
        like(token, TokenType.VAR, token.text)
        if token.token_type is TokenType.WINDOW and after.token_type is TokenType.L_PAREN
        else token
        for token, after in zip(tokens, [*tokens[1:], tokens[-1]], strict=True)
    ]


def _without_variables(tokens: list[Any]) -> list[Any]:
    """In procedures `SELECT a, b INTO x, y FROM t` fills variables: no table has two names."""
    for place, token in enumerate(tokens):
        if token.token_type is not TokenType.INTO:
            continue
        end = place + 1
        while end < len(tokens) and tokens[end].token_type not in _NO_VARIABLES:
            end += 1
        kinds = {one.token_type for one in tokens[place:end]}
        if TokenType.COMMA in kinds and end < len(tokens) and tokens[end].token_type is TokenType.FROM:
            return [*tokens[:place], *_without_variables(tokens[end:])]
    return tokens


def _with_names_of_texts(tokens: list[Any]) -> list[Any]:
    """Snowflake, Databricks: `IDENTIFIER('a.b')` reads as `a.b`."""
    out: list[Any] = []
    place = 0
    while place < len(tokens):
        token, inner = tokens[place], tokens[place + 1 : place + 4]
        text = inner[1].text if len(inner) == 3 else ""
        kinds = [one.token_type for one in inner]
        if token.text.upper() != "IDENTIFIER" or not text or kinds != _ONE_STRING:
            out.append(token)
            place += 1
            continue
        for at, (name, quoted) in enumerate(names(text)):
            if at:
                out.append(like(inner[1], TokenType.DOT, "."))
            out.append(like(inner[1], TokenType.IDENTIFIER if quoted else TokenType.VAR, name))
        place += 4
    return out


def _with_whole_words(tokens: list[Any]) -> list[Any]:
    """The tokenizer knows ORDER BY as one word, and does not see it where a comment stands within."""
    out: list[Any] = []
    for token in tokens:
        if out and token.token_type is not TokenType.IDENTIFIER:
            kind = _WHOLE_WORDS.get((out[-1].text.upper(), token.text.upper()))
            if kind is not None and out[-1].token_type is not TokenType.IDENTIFIER:
                first = out.pop()
                token = first.__class__(
                    kind, f"{first.text} {token.text}", first.line, first.col, first.start, token.end, []
                )
        out.append(token)
    return out


def _with_insert_of_all(tokens: list[Any]) -> list[Any]:
    """Redshift: `MERGE ... REMOVE DUPLICATES` replaces or adds whole rows of the source."""
    at = tokens[-1]
    words = (
        (TokenType.WHEN, "WHEN"),
        (TokenType.NOT, "NOT"),
        (TokenType.VAR, "MATCHED"),
        (TokenType.THEN, "THEN"),
        (TokenType.INSERT, "INSERT"),
        (TokenType.STAR, "*"),
    )
    return [*tokens[:-2], *[like(at, kind, text) for kind, text in words]]
