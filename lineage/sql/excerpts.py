"""The texts of a statement's outputs, cut out of the statement itself."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, Final

from sqlglot.tokenizer_core import TokenType

from lineage.sql.reading.tokens import CLOSE, OPEN, closing, kinds

_LIST_ENDS: Final = kinds("FROM INTO SEMICOLON UNION WHERE")
_LIST_HEADS: Final = kinds("DISTINCT ALL PERCENT")


class Excerpts:
    """The outputs' texts of one program, by numbers from 1. A text is cut out when it is first asked for."""

    def __init__(self) -> None:
        # Each output's scope, where an identifier in its expression begins, that identifier, the output's own name.
        self._places: list[tuple[int, int, str, str]] = []
        self._ends: list[tuple[int, list[Any]]] = []  # up to which number the outputs are in these tokens
        self._texts: list[str | None] | None = None
        self._sql = ""

    def add(self, scope: int, anchor: Any, name: str) -> int | None:
        """The number of the text of an output, given an identifier in it; None for one that a rewrite made up."""
        meta = anchor.meta
        start = meta.get("start")
        if start is None:
            return None
        written = anchor.args["this"]
        self._places.append((scope, start + bool(anchor.args.get("quoted")), written, name))
        return len(self._places)

    def end_statement(self, tokens: list[Any], sql: str) -> None:
        """The outputs so far stand in these tokens of the text."""
        self._ends.append((len(self._places), tokens))
        self._sql = sql

    def text(self, number: int) -> str | None:
        """A text; None where the output is not written in the text itself, but in a string in it."""
        if self._texts is None:
            self._texts = self._cut()
        return self._texts[number - 1]

    def _cut(self) -> list[str | None]:
        texts: list[str | None] = []
        for end, tokens in self._ends:
            lists: dict[int, list[tuple[int, int, str]]] = {}  # by scope
            for place in self._places[len(texts) : end]:
                texts.append(self._one(place, tokens, lists))
        texts += [None] * (len(self._places) - len(texts))  # of a statement that could not be compiled
        self._ends.clear()
        return texts

    def _one(
        self,
        place: tuple[int, int, str, str],
        tokens: list[Any],
        lists: dict[int, list[tuple[int, int, str]]],
    ) -> str | None:
        scope, start, written, name = place
        if not self._sql.startswith(written, start):
            return None  # of a query that stands in the statement as a string
        items = lists.get(scope)
        if items is None:
            items = lists[scope] = _select_list(tokens, start, self._sql)
        found = bisect_right(items, start, key=lambda item: item[0]) - 1
        if found >= 0 and start <= items[found][1]:
            return _without_alias(tokens, items[found], name)
        return None


def _select_list(tokens: list[Any], start: int, sql: str) -> list[tuple[int, int, str]]:
    """The items of the select list around the token at `start`: where each begins and ends, its text."""
    at = _after_head(tokens, _select_before(tokens, bisect_right(tokens, start, key=lambda t: t.start) - 1))
    items: list[tuple[int, int, str]] = []
    depth, first, last = 0, None, None
    for place in range(at, len(tokens)):
        token = tokens[place]
        kind = token.token_type
        if kind in OPEN:
            depth += 1
        elif kind in CLOSE:
            depth -= 1
            if depth < 0:
                break
        elif depth == 0:
            if kind in _LIST_ENDS:
                break
            if kind is TokenType.COMMA:
                if first is not None and last is not None:
                    items.append((first.start, last.end, sql[first.start : last.end + 1]))
                first = last = None
                continue
            if kind is TokenType.ALIAS:
                continue
        first = first or token
        if last is None or depth or kind in CLOSE or tokens[place - 1].token_type is not TokenType.ALIAS:
            last = token
    if first is not None and last is not None:
        items.append((first.start, last.end, sql[first.start : last.end + 1]))
    return items


def _without_alias(tokens: list[Any], item: tuple[int, int, str], name: str) -> str:
    """The item's text without an alias that follows it with no AS between."""
    begin, end, text = item
    place = bisect_right(tokens, end, key=lambda token: token.start) - 1
    if (
        tokens[place].start > begin
        and tokens[place].text == name
        and tokens[place - 1].token_type is not TokenType.DOT
    ):
        return text[: tokens[place - 1].end + 1 - begin]
    return text


def _select_before(tokens: list[Any], at: int) -> int:
    """Where the list begins: after the SELECT that is not in brackets closed before `at`."""
    depth = 0
    for place in range(min(at, len(tokens)) - 1, -1, -1):
        kind = tokens[place].token_type
        if kind in CLOSE:
            depth += 1
        elif kind in OPEN:
            depth -= 1
        elif kind is TokenType.SELECT and depth <= 0:
            return place + 1
    return len(tokens)


def _after_head(tokens: list[Any], at: int) -> int:
    """Where the first item begins, after DISTINCT, DISTINCT ON (...) or TOP (n) PERCENT WITH TIES."""
    while at < len(tokens) - 1:
        kind, after = tokens[at].token_type, tokens[at + 1].token_type
        if kind in (TokenType.ON, TokenType.TOP) and after is TokenType.L_PAREN:
            at = closing(tokens, at + 1) + 1
        elif (kind is TokenType.TOP and after is TokenType.NUMBER) or kind is TokenType.WITH:
            at += 2
        elif kind in _LIST_HEADS:
            at += 1
        else:
            break
    return at
