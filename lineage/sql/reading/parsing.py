"""A text to its statements: tokenized once, split, each parsed; a broken one does not hurt the others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from sqlglot import exp
from sqlglot.errors import ParseError
from sqlglot.tokenizer_core import TokenType

from lineage.sql.reading.bodies import Body, placed, quoted_code
from lineage.sql.reading.procedural import read_piece
from lineage.sql.reading.routines import after_head, created_routine
from lineage.sql.reading.suspicion import Judge, refusal_of_text, suspicion_of_text
from lineage.sql.reading.templates import neutralise
from lineage.sql.reading.tokens import Tokens, pieces, words
from lineage.sql.reading.trees import Parsed, Text, open_command, parse_run, token_error, tokenize
from lineage.sql.reading.tsql import with_returned_tables, with_trigger_tables
from lineage.sql.reading.unseparated import (
    CONTROL,
    NO_SEPARATORS,
    USEFUL,
    is_cut,
    parse_unseparated,
    takes_more,
)

_BLOCK_WORDS: Final = words("BEGIN PROCEDURE PROC WHILE LOOP IF FUNCTION")
_SILENT: Final = CONTROL | words(
    "OPEN CLOSE FETCH NULL RAISE WHEN UNTIL LET LEAVE ITERATE EXIT CONTINUE SIGNAL"
)
_BLANK: Final = re.compile(r"[^\r\n]")
_PART: Final = re.compile(r"[^;]*;?")
# Who else may read what a dialect's own parser cannot. Text of an unknown dialect may be any of these.
_FALLBACKS: Final = {
    "": ("mysql", "tsql", "hive", "clickhouse"),
    "athena": ("hive",),
    "spark": ("snowflake",),
}
_FALL_BACK_WITHIN: Final = 200_000  # characters: further into a text a broken statement is only reported
# In their procedures EXECUTE runs a text.
_EXECUTES_TEXT: Final = frozenset({"postgres", "redshift", "materialize", "risingwave"})
_RUN: Final = frozenset({"EXECUTE", "EXEC", "LET"})
_HOLDERS: Final = words("DECLARE PREPARE DEALLOCATE LET RETURN OPEN FOR SET")


def parse_text(sql: str, dialect: str, judge: Judge) -> Iterator[Parsed]:
    """The statements of a text, in order. Raises nothing but what the judge raises."""
    refusal = refusal_of_text(sql) or judge(suspicion_of_text(sql))
    if refusal:
        yield Parsed(None, [], message=refusal, reason="sql_budget")
        return
    text = Text(neutralise(sql, dialect), dialect, judge)
    try:
        tokens = tokenize(dialect, text.sql)
    except Exception as error:  # noqa: BLE001 - whatever the tokenizer says of foreign text is that text's error
        yield from _parse_parts(text, error)
        return
    yield from _parse_tokens(text, tokens)


def parse_query(sql: str, dialect: str, judge: Judge) -> Any:
    """The tree of a query that stands as a string in a statement. Raises ParseError."""
    for parsed in parse_text(sql, dialect, judge):
        if parsed.tree is not None:
            return parsed.tree
        raise ParseError(parsed.message)
    raise ParseError("no query")


def parse_body(sql: str, body: Body, dialect: str, judge: Judge) -> Iterator[Parsed]:
    """The statements of SQL that stands in quotes in a text. Raises nothing but what the judge raises."""
    text = Text(sql, dialect, judge)
    try:
        tokens = placed(tokenize(dialect, body.text), body.places, sql)
    except Exception as error:  # noqa: BLE001 - whatever the tokenizer says of foreign text is that text's error
        yield token_error(sql, body.places[0] if body.places else 0, error)
        return
    if dialect in NO_SEPARATORS:
        yield from _parse_tokens(text, tokens)
        return
    for piece in pieces(tokens):
        yield from _parse_piece(text, piece, executes_text=dialect in _EXECUTES_TEXT)


def is_assignment(tree: Any) -> bool:
    """Whether a statement of procedural code only gives a variable its value."""
    return isinstance(tree, exp.Command) and tree.args["this"] == "LET"


def _parse_parts(text: Text, error: Exception) -> Iterator[Parsed]:
    """The text as a whole cannot be tokenized: each part up to a semicolon by itself."""
    sql = text.sql
    parts = [match for match in _PART.finditer(sql) if match.group().strip(" \t\r\n;")]
    if len(parts) <= 1:
        yield token_error(sql, 0, error)
        return
    line, start, counted = 1, 0, 0  # where the part's first line begins
    for part in parts:
        before = sql[counted : part.start()]
        line += before.count("\n")
        start = counted + before.rfind("\n") + 1 if "\n" in before else start
        counted = part.start()
        try:
            tokens = tokenize(text.dialect, part.group())
        except Exception as broken:  # noqa: BLE001
            yield token_error(sql, part.start(), broken)
            continue
        yield from _parse_tokens(text, [_moved(t, line - 1, counted - start, counted) for t in tokens])


def _moved(token: Any, lines: int, columns: int, characters: int) -> Any:
    """The token of a part, as it stands in the whole text."""
    return token.__class__(
        token.token_type,
        token.text,
        token.line + lines,
        token.col + (columns if token.line == 1 else 0),
        token.start + characters,
        token.end + characters,
        token.comments,
    )


def _parse_tokens(text: Text, tokens: Tokens) -> Iterator[Parsed]:
    if not tokens:
        return
    if text.dialect in NO_SEPARATORS:
        tokens = with_trigger_tables(tokens)
        if "returns" in text.sql.lower():
            tokens = with_returned_tables(tokens)
    statements = _split(text.sql, tokens)
    if (len(statements) > 1 and any(t.text.upper() in _BLOCK_WORDS for t in tokens if len(t.text) < 10)) or (
        tokens[0].text.upper() in ("FOR", "WHILE")
    ):
        yield from _parse_around_bodies(text, statements)
        return
    for piece in statements:
        yield from _parse_or_fall_back(text, piece)


def _split(sql: str, tokens: Tokens) -> list[Tokens]:
    if ";" in sql.rstrip().rstrip(";"):
        return list(pieces(tokens))
    last = len(tokens)
    while last and tokens[last - 1].token_type is TokenType.SEMICOLON:
        last -= 1
    return [tokens[:last]] if last else []


def _parse_around_bodies(text: Text, parts: list[Tokens]) -> Iterator[Parsed]:
    """A statement whose code stands in quotes is no part of a block."""
    around: list[Tokens] = []
    for piece in parts:
        if quoted_code(open_command(piece, text.sql, text.dialect)) is None:
            around.append(piece)
            continue
        yield from _parse_block(text, around)
        around = []
        yield from _parse_or_fall_back(text, piece)
    yield from _parse_block(text, around)


def _parse_block(text: Text, parts: list[Tokens]) -> Iterator[Parsed]:
    """Statements among which there may be procedural code."""
    if parts and text.dialect in NO_SEPARATORS:
        last = parts[0][-1]
        semicolon = last.__class__(TokenType.SEMICOLON, ";", last.line, last.col, last.end, last.end, [])
        whole = parse_run(text, [token for piece in parts for token in (*piece, semicolon)])
        if whole and not any(is_cut(parsed.tree) for parsed in whole):
            yield from whole
            return
    for piece in parts:
        yield from _parse_piece_of_block(text, piece)


def _parse_piece_of_block(text: Text, piece: Tokens) -> Iterator[Parsed]:
    """What stands before the statement of a piece is control flow."""
    present = [token.text.upper() for token in piece]
    if text.dialect in NO_SEPARATORS:
        if present[0] in CONTROL and not USEFUL.intersection(present):
            yield Parsed(exp.EndStatement(), piece)
        else:
            yield from _parse_or_fall_back(text, piece[after_head(piece, 0) or 0 :])
        return
    found = list(_parse_piece(text, piece))
    if found or _SILENT.intersection(present[:3]) or created_routine(piece):
        yield from found or [Parsed(exp.EndStatement(), piece)]
    else:
        yield from parse_run(text, piece)


def _parse_piece(text: Text, piece: Tokens, *, executes_text: bool = False) -> Iterator[Parsed]:
    """What a piece of procedural code does with data."""
    for run in read_piece(open_command(piece, text.sql, text.dialect), executes_text=executes_text):
        word = run[0].text.upper()
        if word in _RUN:
            yield Parsed(exp.Command(this=word), run)
        elif len(run) == len(piece):
            yield from parse_run(text, run)
        else:
            yield from _parse_or_fall_back(text, run)


def _parse_or_fall_back(text: Text, tokens: Tokens) -> list[Parsed]:
    """A statement that its dialect's parser cannot read may be readable to a relative's."""
    sql, dialect = text.sql, text.dialect
    parsed = parse_run(text, tokens)
    if dialect in NO_SEPARATORS:
        if parsed and takes_more(parsed[0].tree, tokens):
            return _parse_after_command(text, open_command(tokens, sql, dialect), parsed)
    elif parsed and isinstance(parsed[0].tree, exp.Command | None) and _may_hold_queries(tokens):
        parsed = _parse_holder(text, tokens, parsed)
    if parsed and (parsed[0].tree is not None or parsed[0].reason == "sql_budget"):
        return parsed
    if dialect in NO_SEPARATORS:
        return parse_unseparated(text, open_command(tokens, sql, dialect), parsed)
    if (dialect == "spark" and "match_recognize" not in sql.lower()) or tokens[0].start > _FALL_BACK_WITHIN:
        return parsed
    start, end = tokens[0].start, tokens[-1].end + 1
    for other in _FALLBACKS.get(dialect, ()):
        try:
            again = tokenize(other, _BLANK.sub(" ", sql[:start]) + sql[start:end])
        except Exception:  # noqa: BLE001, S112 - the error told is the one of the text's own dialect
            continue
        second = parse_run(Text(sql, other, text.judge), again) if again else []
        if second and second[0].tree is not None and not isinstance(second[0].tree, exp.Command):
            return second
    return parsed


def _parse_after_command(text: Text, tokens: Tokens, parsed: list[Parsed]) -> list[Parsed]:
    """T-SQL: the parser takes all that follows for the command's."""
    place = after_head(tokens, 0)
    if place is None or place >= len(tokens):
        return parse_unseparated(text, tokens, parsed)
    return [Parsed(exp.EndStatement(), tokens[:place]), *_parse_tokens(text, tokens[place:])]


def _may_hold_queries(tokens: Tokens) -> bool:
    return tokens[0].text.upper() in _HOLDERS or bool(created_routine(tokens) and not quoted_code(tokens))


def _parse_holder(text: Text, tokens: Tokens, parsed: list[Parsed]) -> list[Parsed]:
    """DECLARE, PREPARE and the like, of which the parser knows the first word: the queries in them."""
    found = list(_parse_piece(text, tokens))
    if not all(is_assignment(one.tree) for one in found):
        return found
    return [*found, *(parsed if parsed[0].tree is not None else [Parsed(exp.EndStatement(), tokens)])]
