"""A run of tokens to trees, or to the reason why there is none."""

from __future__ import annotations

import logging
import threading
from typing import Any, Final

from sqlglot import Dialect, ErrorLevel, exp
from sqlglot.errors import ParseError, TokenError

from lineage.sql.reading.bodies import opened
from lineage.sql.reading.rewrites import rewrite
from lineage.sql.reading.suspicion import Judge, suspicion_of_tokens
from lineage.sql.reading.tokens import Tokens, column_of, words

# Words that begin a statement in every dialect.
STARTS: Final = words("SELECT WITH INSERT UPDATE DELETE MERGE CREATE DROP ALTER TRUNCATE REPLACE COPY")

_local = threading.local()
_IDENTIFIER: Final = exp.Identifier
_LITERAL: Final = exp.Literal
_ARE_NODES: Final[dict[type, bool]] = {}  # classes of what trees hold, as they are met

# What the parser cannot read is reported with the statement; its warnings would quote the text, literals and all.
logging.getLogger("sqlglot").addFilter(lambda _: not getattr(_local, "parsing", False))


class Text:
    """What is read: the text, sqlglot's name of its dialect, and who says which statements are not parsed here."""

    __slots__ = ("dialect", "judge", "sql")

    def __init__(self, sql: str, dialect: str, judge: Judge) -> None:
        self.sql = sql
        self.dialect = dialect
        self.judge = judge


class Parsed:
    """One statement: its tree, or why there is none."""

    __slots__ = ("column", "explained", "line", "message", "reason", "tokens", "tree")

    def __init__(
        self,
        tree: Any,
        tokens: Tokens,
        explained: bool = False,
        message: str = "",
        line: int | None = None,
        column: int | None = None,
        reason: str = "sql_parse_error",
    ) -> None:
        self.tree = tree
        self.tokens = tokens
        self.explained = explained
        self.message = message
        self.line = line
        self.column = column
        self.reason = reason


def parse_run(text: Text, tokens: Tokens) -> list[Parsed]:
    """The statements of one run of tokens: one, but for procedural blocks."""
    refusal = text.judge(suspicion_of_tokens(text.sql, tokens))
    if refusal:
        return [_refused(tokens, refusal)]
    tokens = rewrite(text.sql, tokens)
    explained = tokens[0].text.upper() == "EXPLAIN"
    if explained:
        place = next((i for i, token in enumerate(tokens) if token.text.upper() in STARTS), None)
        tokens = tokens[place:] if place else tokens
        explained = bool(place)
    _local.parsing = True
    try:
        trees = _tools(text.dialect).parser.parse(tokens, text.sql)
    except ParseError as error:
        return [_parse_error(tokens, error, explained)]
    except (RecursionError, MemoryError):
        return [_refused(tokens, text.judge("nested deep") or "needs more memory than a statement may have")]
    except Exception as fault:  # noqa: BLE001 - the parser's own faults are reported with the statement
        first = tokens[0]
        message = f"the parser failed: {type(fault).__name__}"
        return [Parsed(None, tokens, explained, message, first.line, column_of(first))]
    finally:
        _local.parsing = False
    return [Parsed(tree, tokens, explained) for tree in trees if tree is not None]


def _refused(tokens: Tokens, message: str) -> Parsed:
    first = tokens[0]
    return Parsed(None, tokens, False, message, first.line, column_of(first), "sql_budget")


def _parse_error(tokens: Tokens, error: ParseError, explained: bool) -> Parsed:
    detail = error.errors[0] if error.errors else {}
    message = str(detail.get("description") or error)
    line, column = detail.get("line"), detail.get("col")
    if not line or "SENTINEL" in str(detail.get("description")):
        line, column = tokens[-1].line, tokens[-1].col + 1
    elif column:
        column = max(int(column) - len(str(detail.get("highlight") or "")) + 1, 1)
    return Parsed(None, tokens, explained, message, line, column)


def token_error(sql: str, at: int, error: Exception) -> Parsed:
    """What stands from `at` on is no run of tokens."""
    start = at + len(sql[at:]) - len(sql[at:].lstrip())
    line = sql.count("\n", 0, start) + 1
    column = start - (sql.rfind("\n", 0, start) + 1) + 1
    message = str(error).split("'", 1)[0].strip() if isinstance(error, TokenError) else type(error).__name__
    return Parsed(None, [], message=f"cannot be read: {message or 'bad token'}", line=line, column=column)


def unlink(tree: Any) -> None:
    """Cut a tree's nodes loose from their parents: with no cycles in it, it is freed when it is let go.

    The collector, which would have to find it, has nothing to do then, and the next text's tree takes its memory.
    """
    stack: list[Any] = [tree] if tree is not None else []
    while stack:
        node = stack.pop()
        node.parent = None
        args: dict[str, Any] = node.args
        for value in args.values():
            if value is None or value is True or value is False:
                continue
            kind = type(value)
            if kind is list:
                items: list[Any] = value
                for item in items:
                    _cut(item, type(item), stack)
            elif kind is not str:
                _cut(value, kind, stack)


def _cut(value: Any, kind: type, stack: list[Any]) -> None:
    if kind is _IDENTIFIER or kind is _LITERAL:  # which hold no nodes
        value.parent = None
        return
    is_node = _ARE_NODES.get(kind)
    if is_node is None:
        is_node = _ARE_NODES[kind] = issubclass(kind, exp.Expr)
    if is_node:
        stack.append(value)


def open_command(tokens: Tokens, sql: str, dialect: str) -> Tokens:
    """A statement's tokens, those of a bare command included. Empty when they cannot be read."""
    try:
        return opened(tokens, sql, _tools(dialect).tokenizer.tokenize)
    except Exception:  # noqa: BLE001 - of a command nobody could read before: it says so itself
        return []


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


def tokenize(dialect: str, sql: str) -> Tokens:
    return _tools(dialect).tokenizer.tokenize(sql)
