"""Text to trees: tokenize once, split into statements, parse each; a broken one does not hurt the others."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlglot import Dialect, ErrorLevel, exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import TokenType

from lineage.sql.bodies import Body, opened, placed, quoted_code
from lineage.sql.budget import Judge, refusal_of_text, suspicion_of_text, suspicion_of_tokens
from lineage.sql.procedural import after_head, created_routine, pieces, queries_within, read_piece, words
from lineage.sql.rewrites import rewrite
from lineage.sql.templates import neutralise
from lineage.sql.tsql import BEGINS, SILENT, end_of_short, with_trigger_tables

_BLOCK_WORDS = frozenset({"BEGIN", "PROCEDURE", "PROC", "WHILE", "LOOP", "IF", "FUNCTION"})
_STARTS = frozenset(
    {
        "SELECT",
        "WITH",
        "INSERT",
        "UPDATE",
        "DELETE",
        "MERGE",
        "CREATE",
        "DROP",
        "ALTER",
        "TRUNCATE",
        "REPLACE",
        "COPY",
    }
)
_CONTROL = frozenset(
    {
        "END",
        "DECLARE",
        "BEGIN",
        "RETURN",
        "EXCEPTION",
        "IF",
        "ELSEIF",
        "ELSIF",
        "ELSE",
        "LOOP",
        "WHILE",
        "FOR",
        "REPEAT",
        "SET",
    }
)
_SILENT = _CONTROL | words("OPEN CLOSE FETCH NULL RAISE WHEN UNTIL LET LEAVE ITERATE EXIT CONTINUE SIGNAL")
_BLANK = re.compile(r"[^\r\n]")
_PIECE = re.compile(r"[^;]*;?")
# Who else may read what a dialect's own parser cannot. Text of an unknown dialect may be any of these.
_FALLBACKS = {"": ("mysql", "tsql", "hive", "clickhouse"), "athena": ("hive",), "spark": ("snowflake",)}
_FALL_BACK_WITHIN = 200_000  # characters: further into a text a broken statement is only reported
_NO_SEPARATORS = frozenset({"tsql", "fabric"})
_EXECUTES_TEXT = frozenset({"postgres", "redshift", "materialize", "risingwave"})  # in their procedures
_RUN = frozenset({"EXECUTE", "EXEC", "LET"})
_HOLDERS = frozenset({"DECLARE", "PREPARE", "DEALLOCATE", "LET", "RETURN", "OPEN", "FOR", "SET"})
_USEFUL = _STARTS | {"EXEC", "EXECUTE"}
_MAX_IDLE = 20
_WINDOW = 400  # tokens: most T-SQL statements are shorter than half of it
_local = threading.local()

# What falls back on a command is reported as `sql_unsupported`: the library's warning would repeat the text.
logging.getLogger("sqlglot").addFilter(
    lambda record: "Falling back to parsing as a 'Command'" not in record.getMessage()
)


@dataclass(slots=True)
class Parsed:
    """One statement: its tree, or why there is none."""

    tree: Any
    tokens: list[Any]
    explained: bool = False
    message: str = ""
    line: int | None = None
    column: int | None = None
    reason: str = "sql_parse_error"


def parse_text(sql: str, dialect: str, judge: Judge) -> Iterator[Parsed]:
    """The statements of a text, in order. Raises nothing but what the judge raises."""
    refusal = refusal_of_text(sql) or judge(suspicion_of_text(sql))
    if refusal:
        yield Parsed(None, [], message=refusal, reason="sql_budget")
        return
    text = neutralise(sql, dialect)
    try:
        tokens = _tokenize(dialect, text)
    except Exception as error:  # noqa: BLE001 - whatever the tokenizer says of foreign text is that text's error
        yield from _parse_pieces(text, dialect, error, judge)
        return
    yield from _parse_tokens(text, tokens, dialect, judge)


def parse_query(sql: str, dialect: str, judge: Judge) -> Any:
    """The tree of a query that stands as a string in a statement. Raises ParseError."""
    for parsed in parse_text(sql, dialect, judge):
        if parsed.tree is not None:
            return parsed.tree
        raise ParseError(parsed.message)
    raise ParseError("no query")


def _parse_pieces(text: str, dialect: str, error: Exception, judge: Judge) -> Iterator[Parsed]:
    """The text as a whole cannot be tokenized: each part up to a semicolon by itself."""
    pieces = [match for match in _PIECE.finditer(text) if match.group().strip(" \t\r\n;")]
    if len(pieces) <= 1:
        yield _token_error(text, 0, error)
        return
    line, start, counted = 1, 0, 0  # where the piece's first line begins
    for piece in pieces:
        before = text[counted : piece.start()]
        line += before.count("\n")
        start = counted + before.rfind("\n") + 1 if "\n" in before else start
        counted = piece.start()
        try:
            tokens = _tokenize(dialect, piece.group())
        except Exception as broken:  # noqa: BLE001
            yield _token_error(text, piece.start(), broken)
            continue
        column = counted - start
        yield from _parse_tokens(text, [_moved(t, line - 1, column, counted) for t in tokens], dialect, judge)


def _moved(token: Any, lines: int, columns: int, characters: int) -> Any:
    """The token of a piece, as it stands in the whole text."""
    return token.__class__(
        token.token_type,
        token.text,
        token.line + lines,
        token.col + (columns if token.line == 1 else 0),
        token.start + characters,
        token.end + characters,
        token.comments,
    )


def _token_error(text: str, at: int, error: Exception) -> Parsed:
    start = at + len(text[at:]) - len(text[at:].lstrip())
    line = text.count("\n", 0, start) + 1
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    message = str(error).split("'", 1)[0].strip() if isinstance(error, TokenError) else type(error).__name__
    return Parsed(None, [], message=f"cannot be read: {message or 'bad token'}", line=line, column=column)


def _parse_tokens(text: str, tokens: list[Any], dialect: str, judge: Judge) -> Iterator[Parsed]:
    if not tokens:
        return
    if dialect in _NO_SEPARATORS:
        tokens = with_trigger_tables(tokens)
    chunks = _chunks(text, tokens)
    if (len(chunks) > 1 and any(t.text.upper() in _BLOCK_WORDS for t in tokens if len(t.text) < 10)) or (
        tokens[0].text.upper() in ("FOR", "WHILE")
    ):
        yield from _parse_around_bodies(text, chunks, dialect, judge)
        return
    for chunk in chunks:
        yield from _parse_or_fall_back(text, chunk, dialect, judge)


def _parse_around_bodies(text: str, chunks: list[list[Any]], dialect: str, judge: Judge) -> Iterator[Parsed]:
    """A statement whose code stands in quotes is no part of a block."""
    around: list[list[Any]] = []
    for chunk in chunks:
        if quoted_code(open_command(chunk, text, dialect)) is None:
            around.append(chunk)
            continue
        yield from _parse_block(text, around, dialect, judge)
        around = []
        yield from _parse_or_fall_back(text, chunk, dialect, judge)
    yield from _parse_block(text, around, dialect, judge)


def _parse_block(text: str, chunks: list[list[Any]], dialect: str, judge: Judge) -> Iterator[Parsed]:
    """Statements among which there may be procedural code."""
    if chunks:
        semicolon = _semicolon_after(chunks[0])
        tokens = [token for chunk in chunks for token in (*chunk, semicolon)]
        whole = _parse(text, tokens, dialect, judge) if dialect in _NO_SEPARATORS else []
        if whole and not any(_is_cut(parsed.tree) for parsed in whole):
            yield from whole
            return
        for chunk in chunks:
            yield from _parse_chunk_of_block(text, chunk, dialect, judge)
        return
    for chunk in chunks:
        yield from _parse_or_fall_back(text, chunk, dialect, judge)


def _semicolon_after(tokens: list[Any]) -> Any:
    last = tokens[-1]
    return last.__class__(TokenType.SEMICOLON, ";", last.line, last.col, last.end, last.end, [])


def is_assignment(tree: Any) -> bool:
    """Whether a statement of procedural code only gives a variable its value."""
    return isinstance(tree, exp.Command) and tree.args["this"] == "LET"


def open_command(tokens: list[Any], text: str, dialect: str) -> list[Any]:
    """A statement's tokens, those of a bare command included. Empty when they cannot be read."""
    try:
        return opened(tokens, text, partial(_tokenize, dialect))
    except Exception:  # noqa: BLE001 - of a command nobody could read before: it says so itself
        return []


def parse_body(text: str, body: Body, dialect: str, judge: Judge) -> Iterator[Parsed]:
    """The statements of SQL that stands in quotes in a text. Raises nothing but what the judge raises."""
    try:
        tokens = placed(_tokenize(dialect, body.text), body.places, text)
    except Exception as error:  # noqa: BLE001 - whatever the tokenizer says of foreign text is that text's error
        yield _token_error(text, body.places[0] if body.places else 0, error)
        return
    if dialect in _NO_SEPARATORS:
        yield from _parse_tokens(text, tokens, dialect, judge)
        return
    for piece in pieces(tokens):
        yield from _parse_piece(text, piece, dialect, judge, executes_text=dialect in _EXECUTES_TEXT)


def _parse_piece(
    text: str, piece: list[Any], dialect: str, judge: Judge, *, executes_text: bool = False
) -> Iterator[Parsed]:
    """What a piece of procedural code does with data."""
    for run in read_piece(open_command(piece, text, dialect), executes_text=executes_text):
        word = run[0].text.upper()
        if word in _RUN:
            yield Parsed(exp.Command(this=word), run)
        elif len(run) == len(piece):
            yield from _parse(text, run, dialect, judge)
        else:
            yield from _parse_or_fall_back(text, run, dialect, judge)


def _parse_or_fall_back(text: str, tokens: list[Any], dialect: str, judge: Judge) -> list[Parsed]:
    """A statement that its dialect's parser cannot read may be readable to a relative's."""
    parsed = _parse(text, tokens, dialect, judge)
    if parsed and _is_unread(parsed[0].tree, dialect) and _may_hold_queries(tokens):
        parsed = _parse_holder(text, tokens, dialect, judge, parsed)
    if parsed and dialect in _NO_SEPARATORS and _takes_more(parsed[0].tree, tokens):
        return _parse_after_command(text, open_command(tokens, text, dialect), dialect, parsed, judge)
    if parsed and (parsed[0].tree is not None or parsed[0].reason == "sql_budget"):
        return parsed
    if dialect in _NO_SEPARATORS:
        return _parse_unseparated(text, open_command(tokens, text, dialect), dialect, parsed, judge)
    if (dialect == "spark" and "match_recognize" not in text.lower()) or tokens[0].start > _FALL_BACK_WITHIN:
        return parsed
    start, end = tokens[0].start, tokens[-1].end + 1
    for other in _FALLBACKS.get(dialect, ()):
        try:
            again = _tokenize(other, _BLANK.sub(" ", text[:start]) + text[start:end])
        except Exception:  # noqa: BLE001, S112 - the error told is the one of the text's own dialect
            continue
        second = _parse(text, again, other, judge) if again else []
        if second and second[0].tree is not None and not isinstance(second[0].tree, exp.Command):
            return second
    return parsed


def _takes_more(tree: Any, tokens: list[Any]) -> bool:
    """Whether the parser may have taken statements that follow for a part of this one."""
    if isinstance(tree, exp.Create):
        return bool(created_routine(tokens)) and _is_cut(tree)
    return isinstance(tree, exp.Command) or (
        isinstance(tree, exp.IfBlock | exp.WhileBlock) and end_of_short(tokens, 0) is not None
    )


def _parse_short(text: str, tokens: list[Any], dialect: str, judge: Judge) -> list[Parsed]:
    word = tokens[0].text.upper()
    if word in ("IF", "WHILE"):
        queries = [parsed for run in queries_within(tokens) for parsed in _parse(text, run, dialect, judge)]
        return queries or [Parsed(exp.EndStatement(), tokens)]
    if word in SILENT:
        return [Parsed(exp.Command(this=word), tokens)]
    if tokens[-1].token_type is TokenType.FOR:  # DECLARE c CURSOR FOR
        return [Parsed(exp.Command(this="DECLARE"), tokens)]
    return _parse(text, tokens, dialect, judge)


def _parse_after_command(
    text: str, tokens: list[Any], dialect: str, parsed: list[Parsed], judge: Judge
) -> list[Parsed]:
    """T-SQL: the parser takes all that follows for the command's."""
    place = after_head(tokens, 0)
    if place is None or place >= len(tokens):
        return _parse_unseparated(text, tokens, dialect, parsed, judge)
    return [Parsed(exp.EndStatement(), tokens[:place]), *_parse_tokens(text, tokens[place:], dialect, judge)]


def _is_unread(tree: Any, dialect: str) -> bool:
    return dialect not in _NO_SEPARATORS and isinstance(tree, exp.Command | None)


def _may_hold_queries(tokens: list[Any]) -> bool:
    return tokens[0].text.upper() in _HOLDERS or bool(created_routine(tokens) and not quoted_code(tokens))


def _parse_holder(
    text: str, tokens: list[Any], dialect: str, judge: Judge, parsed: list[Parsed]
) -> list[Parsed]:
    """DECLARE, PREPARE and the like, of which the parser knows the first word: the queries in them."""
    found = list(_parse_piece(text, tokens, dialect, judge))
    if not all(is_assignment(one.tree) for one in found):
        return found
    return [*found, *(parsed if parsed[0].tree is not None else [Parsed(exp.EndStatement(), tokens)])]


def _parse_unseparated(
    text: str, tokens: list[Any], dialect: str, parsed: list[Parsed], judge: Judge
) -> list[Parsed]:
    """T-SQL needs no semicolons: where the parser stops at a word that begins a statement, one begins."""
    out: list[Parsed] = []
    idle = 0  # pieces in a row without a statement: IF 1 IF 1 ... is parsed to its end at every step
    start = 0
    while True:
        if after := end_of_short(tokens, start):
            out += _parse_short(text, tokens[start:after], dialect, judge)
            start = after
            if start >= len(tokens):
                return out
            if end_of_short(tokens, start) is None:
                parsed = _parse_first(text, tokens, start, dialect, judge)
            continue
        if not parsed or parsed[0].tree is not None or parsed[0].reason == "sql_budget" or idle == _MAX_IDLE:
            break
        if len(tokens) - start > 2 and tokens[start + 1].text.upper() in ("TRAN", "TRANSACTION"):
            place = start + 2
            head = [Parsed(exp.EndStatement(), tokens[start:place])]
        else:
            stop = _place_of(parsed[0], tokens, start) or start
            # The word may have been taken for an alias: then the parser stops at the next one.
            place = next((i for i in (stop, stop - 1) if i > start and _begins(tokens[i])), start)
            if place == start:
                break
            head = _parse(text, tokens[start:place], dialect, judge)
        useful = any(token.text.upper() in _USEFUL for token in tokens[start:place])
        idle = 0 if useful else idle + 1
        out += head
        start = place
        if end_of_short(tokens, start) is None:
            parsed = _parse_first(text, tokens, start, dialect, judge)
    return out + parsed


def _parse_first(text: str, tokens: list[Any], start: int, dialect: str, judge: Judge) -> list[Parsed]:
    """The rest of the tokens parsed, but only as far as it takes to know where the parser stops."""
    size = _WINDOW
    while start + size < len(tokens):
        parsed = _parse(text, tokens[start : start + size], dialect, judge)
        if parsed and parsed[0].tree is None:
            place = _place_of(parsed[0], tokens, start, start + size)
            if place is not None and place < start + size - _WINDOW // 2:
                return parsed
        size *= 4
    return _parse(text, tokens[start:], dialect, judge)


def _place_of(parsed: Parsed, tokens: list[Any], start: int, end: int | None = None) -> int | None:
    """At which token the parser stopped."""
    at = (parsed.line, parsed.column)
    places = range(start, len(tokens) if end is None else end)
    return next((i for i in places if at in _starts(tokens[i])), None)


def _starts(token: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the token begins, without its quotes and with them."""
    return (token.line, _column(token)), (token.line, token.col - token.end + token.start)


def _begins(token: Any) -> bool:
    word = token.text.upper()
    return word in _STARTS or word in _CONTROL or word in BEGINS


def _is_cut(tree: Any) -> bool:
    """The parser gave up somewhere in a block."""
    if tree is None or isinstance(tree, exp.Command | exp.Column | exp.Alias):
        return True  # a column is no statement: it is what was left of one
    if isinstance(tree, exp.Create):
        body = tree.args.get("expression")
        return body is not None and _is_cut(body)
    if not isinstance(tree, exp.Block | exp.IfBlock | exp.WhileBlock):
        return False
    inner = [tree.args.get(key) for key in ("body", "true", "false")] + (tree.args.get("expressions") or [])
    return any(_is_cut(one) for one in inner if one is not None)


def _chunks(text: str, tokens: list[Any]) -> list[list[Any]]:
    if ";" not in text.rstrip().rstrip(";"):
        last = len(tokens)
        while last and tokens[last - 1].token_type is TokenType.SEMICOLON:
            last -= 1
        return [tokens[:last]] if last else []
    chunks: list[list[Any]] = [[]]
    for token in tokens:
        if token.token_type is TokenType.SEMICOLON:
            chunks.append([])
        else:
            chunks[-1].append(token)
    return [chunk for chunk in chunks if chunk]


def _parse_chunk_of_block(text: str, chunk: list[Any], dialect: str, judge: Judge) -> Iterator[Parsed]:
    """A piece of a procedural block: what stands before its statement is control flow."""
    words = [token.text.upper() for token in chunk]
    if dialect not in _NO_SEPARATORS:
        found = list(_parse_piece(text, chunk, dialect, judge))
        if found or _SILENT.intersection(words[:3]) or created_routine(chunk):
            yield from found or [Parsed(exp.EndStatement(), chunk)]
            return
        yield from _parse(text, chunk, dialect, judge)
        return
    if words[0] in _CONTROL and not (_USEFUL | {"SELECT"}).intersection(words):
        yield Parsed(exp.EndStatement(), chunk)
        return
    yield from _parse_or_fall_back(text, chunk[after_head(chunk, 0) or 0 :], dialect, judge)


def _parse(text: str, tokens: list[Any], dialect: str, judge: Judge) -> list[Parsed]:
    """The statements of one run of tokens: one, but for procedural blocks."""
    refusal = judge(suspicion_of_tokens(text, tokens))
    if refusal:
        return [_refused(tokens, refusal)]
    tokens = rewrite(text, tokens)
    explained = tokens[0].text.upper() == "EXPLAIN"
    if explained:
        place = next((i for i, token in enumerate(tokens) if token.text.upper() in _STARTS), None)
        tokens = tokens[place:] if place else tokens
        explained = bool(place)
    try:
        trees = _tools(dialect).parser.parse(tokens, text)
    except ParseError as error:
        return [_parse_error(tokens, error, explained)]
    except (RecursionError, MemoryError):
        return [_refused(tokens, judge("nested deep") or "needs more memory than a statement may have")]
    except Exception as error:  # noqa: BLE001 - the parser's own faults are reported with the statement
        first = tokens[0]
        message = f"the parser failed: {type(error).__name__}"
        return [Parsed(None, tokens, explained, message, first.line, _column(first))]
    return [Parsed(tree, tokens, explained) for tree in trees if tree is not None]


def _refused(tokens: list[Any], message: str) -> Parsed:
    first = tokens[0]
    return Parsed(None, tokens, False, message, first.line, _column(first), "sql_budget")


def _column(token: Any) -> int:
    return max(int(token.col) - len(token.text) + 1, 1)


def _parse_error(tokens: list[Any], error: ParseError, explained: bool) -> Parsed:
    detail = error.errors[0] if error.errors else {}
    message = str(detail.get("description") or error)
    line, column = detail.get("line"), detail.get("col")
    if not line or "SENTINEL" in str(detail.get("description")):
        line, column = tokens[-1].line, tokens[-1].col + 1
    elif column:
        column = max(int(column) - len(str(detail.get("highlight") or "")) + 1, 1)
    return Parsed(None, tokens, explained, message, line, column)


class _Tools:
    """A dialect's tokenizer and parser: making them costs more than a short statement."""

    def __init__(self, name: str) -> None:
        dialect = Dialect.get_or_raise(name)
        self.tokenizer = dialect.tokenizer()
        self.parser = dialect.parser(error_level=ErrorLevel.IMMEDIATE)


def _tools(name: str) -> _Tools:
    """This thread's tools: both hold state while they work."""
    tools: dict[str, _Tools] = _local.__dict__.setdefault("tools", {})
    found = tools.get(name)
    if found is None:
        found = tools[name] = _Tools(name)
    return found


def _tokenize(dialect: str, text: str) -> list[Any]:
    return _tools(dialect).tokenizer.tokenize(text)
