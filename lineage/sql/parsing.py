"""Text to trees: tokenize once, split into statements, parse each; a broken one does not hurt the others."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlglot import Dialect, ErrorLevel, exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import TokenType

from lineage.sql.budget import refusal_of_text, refusal_of_tokens
from lineage.sql.rewrites import rewrite
from lineage.sql.templates import neutralise

_BLOCK_WORDS = frozenset({"BEGIN", "PROCEDURE", "PROC", "WHILE", "LOOP", "IF", "FUNCTION"})
_BODY = frozenset({"BEGIN", "THEN", "ELSE", "LOOP", "DO"})
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
_BLANK = re.compile(r"[^\r\n]")
_PIECE = re.compile(r"[^;]*;?")
# Who else may read what a dialect's own parser cannot. Text of an unknown dialect may be any of these.
_FALLBACKS = {"": ("mysql", "tsql", "hive", "clickhouse"), "athena": ("hive",), "spark": ("snowflake",)}
_FALL_BACK_WITHIN = 200_000  # characters: further into a text a broken statement is only reported
_NO_SEPARATORS = frozenset({"tsql", "fabric"})
_MAX_IDLE = 20
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


def parse_text(sql: str, dialect: str) -> Iterator[Parsed]:
    """The statements of a text, in order. Never raises."""
    refusal = refusal_of_text(sql)
    if refusal:
        yield Parsed(None, [], message=refusal, reason="sql_budget")
        return
    text = neutralise(sql, dialect)
    try:
        tokens = _tokenize(dialect, text)
    except Exception as error:  # noqa: BLE001 - whatever the tokenizer says of foreign text is that text's error
        yield from _parse_pieces(text, dialect, error)
        return
    yield from _parse_tokens(text, tokens, dialect)


def parse_query(sql: str, dialect: str) -> Any:
    """The tree of a query that stands as a string in a statement. Raises ParseError."""
    for parsed in parse_text(sql, dialect):
        if parsed.tree is not None:
            return parsed.tree
        raise ParseError(parsed.message)
    raise ParseError("no query")


def _parse_pieces(text: str, dialect: str, error: Exception) -> Iterator[Parsed]:
    """The text as a whole cannot be tokenized: each part up to a semicolon by itself."""
    pieces = [match for match in _PIECE.finditer(text) if match.group().strip(" \t\r\n;")]
    if len(pieces) <= 1:
        yield _token_error(text, 0, error)
        return
    for piece in pieces:
        # Padding keeps the positions true.
        padded = _BLANK.sub(" ", text[: piece.start()]) + piece.group()
        try:
            tokens = _tokenize(dialect, padded)
        except Exception as broken:  # noqa: BLE001
            yield _token_error(text, piece.start(), broken)
            continue
        yield from _parse_tokens(padded, tokens, dialect)


def _token_error(text: str, at: int, error: Exception) -> Parsed:
    start = at + len(text[at:]) - len(text[at:].lstrip())
    line = text.count("\n", 0, start) + 1
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    message = str(error).split("'", 1)[0].strip() if isinstance(error, TokenError) else type(error).__name__
    return Parsed(None, [], message=f"cannot be read: {message or 'bad token'}", line=line, column=column)


def _parse_tokens(text: str, tokens: list[Any], dialect: str) -> Iterator[Parsed]:
    if not tokens:
        return
    chunks = _chunks(text, tokens)
    if len(chunks) > 1 and any(t.text.upper() in _BLOCK_WORDS for t in tokens if len(t.text) < 10):
        whole = _parse(text, tokens, dialect)
        if whole and not any(_is_cut(parsed.tree) for parsed in whole):
            yield from whole
            return
        for chunk in chunks:
            yield from _parse_chunk_of_block(text, chunk, dialect)
        return
    for chunk in chunks:
        yield from _parse_or_fall_back(text, chunk, dialect)


def _parse_or_fall_back(text: str, tokens: list[Any], dialect: str) -> list[Parsed]:
    """A statement that its dialect's parser cannot read may be readable to a relative's."""
    parsed = _parse(text, tokens, dialect)
    if parsed and (parsed[0].tree is not None or parsed[0].reason == "sql_budget"):
        return parsed
    if dialect in _NO_SEPARATORS:
        return _parse_unseparated(text, tokens, dialect, parsed)
    if (dialect == "spark" and "match_recognize" not in text.lower()) or tokens[0].start > _FALL_BACK_WITHIN:
        return parsed
    start, end = tokens[0].start, tokens[-1].end + 1
    for other in _FALLBACKS.get(dialect, ()):
        try:
            again = _tokenize(other, _BLANK.sub(" ", text[:start]) + text[start:end])
        except Exception:  # noqa: BLE001, S112 - the error told is the one of the text's own dialect
            continue
        second = _parse(text, again, other) if again else []
        if second and second[0].tree is not None and not isinstance(second[0].tree, exp.Command):
            return second
    return parsed


def _parse_unseparated(text: str, tokens: list[Any], dialect: str, parsed: list[Parsed]) -> list[Parsed]:
    """T-SQL needs no semicolons: where the parser stops at a word that begins a statement, one begins."""
    out: list[Parsed] = []
    idle = 0  # pieces in a row without a statement: IF 1 IF 1 ... is parsed to its end at every step
    while parsed and parsed[0].tree is None and idle < _MAX_IDLE:
        if len(tokens) > 2 and tokens[1].text.upper() in ("TRAN", "TRANSACTION"):
            place: int | None = 2
            head = [Parsed(exp.EndStatement(), tokens[:2])]
        else:
            at = (parsed[0].line, parsed[0].column)
            place = next((i for i, token in enumerate(tokens) if (token.line, _column(token)) == at), None)
            # The word may have been taken for an alias: then the parser stops at the next one.
            place = next((i for i in (place or 0, (place or 0) - 1) if i > 0 and _begins(tokens[i])), None)
            if place is None:
                break
            head = _parse(text, tokens[:place], dialect)
        idle = 0 if any(token.text.upper() in _STARTS for token in tokens[:place]) else idle + 1
        out += head
        tokens = tokens[place:]
        parsed = _parse(text, tokens, dialect)
    return out + parsed


def _begins(token: Any) -> bool:
    word = token.text.upper()
    return word in _STARTS or word in _CONTROL or word == "COMMIT"


def _is_cut(tree: Any) -> bool:
    """The parser gave up somewhere in a block."""
    if tree is None or isinstance(tree, exp.Command):
        return True
    return isinstance(tree, exp.Create) and isinstance(tree.args.get("expression"), exp.Command)


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


def _parse_chunk_of_block(text: str, chunk: list[Any], dialect: str) -> Iterator[Parsed]:
    """A piece of a procedural block: what stands before its statement is control flow."""
    words = [token.text.upper() for token in chunk]
    if words[0] in _CONTROL and not _STARTS.intersection(words):
        yield Parsed(exp.EndStatement(), chunk)
        return
    start = 0
    for i in range(len(words) - 1):
        if words[i] in _BODY and (words[i + 1] in _STARTS) and not _inside_case(words, i):
            start = i + 1
            if words[i] != "BEGIN":
                break
    if words[0] == "CREATE" and "PROCEDURE" not in words and "FUNCTION" not in words and "PROC" not in words:
        start = 0
    yield from _parse(text, chunk[start:], dialect)


def _inside_case(words: list[str], place: int) -> bool:
    return words[:place].count("CASE") > words[:place].count("END")


def _parse(text: str, tokens: list[Any], dialect: str) -> list[Parsed]:
    """The statements of one run of tokens: one, but for procedural blocks."""
    refusal = refusal_of_tokens(text, tokens)
    if refusal:
        first = tokens[0]
        return [Parsed(None, tokens, False, refusal, first.line, _column(first), "sql_budget")]
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
    except RecursionError:
        first = tokens[0]
        message = "nested too deep for the parser"
        return [Parsed(None, tokens, explained, message, first.line, _column(first), "sql_budget")]
    except Exception as error:  # noqa: BLE001 - the parser's own faults are reported with the statement
        first = tokens[0]
        message = f"the parser failed: {type(error).__name__}"
        return [Parsed(None, tokens, explained, message, first.line, _column(first))]
    return [Parsed(tree, tokens, explained) for tree in trees if tree is not None]


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
