"""T-SQL, which needs no semicolons: where one statement ends and another begins."""

from __future__ import annotations

from typing import Any, Final

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from lineage.sql.reading.procedural import queries_within
from lineage.sql.reading.routines import created_routine
from lineage.sql.reading.tokens import CLOSE, OPEN, Tokens, column_of, outside, word, words
from lineage.sql.reading.trees import STARTS, Parsed, Text, parse_run

NO_SEPARATORS: Final = frozenset({"tsql", "fabric"})
CONTROL: Final = words("END DECLARE BEGIN RETURN EXCEPTION IF ELSEIF ELSIF ELSE LOOP WHILE FOR REPEAT SET")
USEFUL: Final = STARTS | {"EXEC", "EXECUTE"}

_BEGINS: Final = (
    STARTS
    | CONTROL
    | words("COMMIT ROLLBACK EXEC EXECUTE PRINT FETCH OPEN CLOSE DEALLOCATE USE RAISERROR THROW WAITFOR")
)
# Statements that end where another begins: the parser takes all that follows for theirs.
_SILENT: Final = words("PRINT FETCH OPEN CLOSE DEALLOCATE RAISERROR THROW WAITFOR BEGIN END ELSE")
_SHORT: Final = _SILENT | {"DECLARE", "SET", "RETURN", "USE"}
# Those of them that T-SQL has.
_FOLLOW: Final = _BEGINS - words("REPLACE COPY EXCEPTION ELSEIF ELSIF LOOP FOR REPEAT")
_MAX_IDLE: Final = 20
_WINDOW: Final = 400  # tokens: most T-SQL statements are shorter than half of it


def end_of_short(tokens: Tokens, start: int) -> int | None:
    """Where the statement after a DECLARE, SET, PRINT and the like begins; None when there is none."""
    first = tokens[start].text.upper()
    if first not in _SHORT:
        return _before_exec(tokens, start) if first in ("IF", "WHILE") else None
    last = len(tokens) if first in _SILENT else None
    depth = cases = 0
    for at in range(start + 1, len(tokens)):
        kind, text = tokens[at].token_type, tokens[at].text.upper()
        depth += (kind in OPEN) - (kind in CLOSE)
        if kind is TokenType.CASE:
            cases += 1
        elif kind is TokenType.END and cases:
            cases -= 1
        elif depth == 0 and cases == 0 and text == "CURSOR":
            query = next((i + 1 for i in range(at, len(tokens)) if tokens[i].text.upper() == "FOR"), None)
            return query if query is not None and query < len(tokens) else None
        elif depth == 0 and cases == 0 and word(tokens, at) in _FOLLOW:
            return at
    return last


def _before_exec(tokens: Tokens, start: int) -> int | None:
    """Of `IF condition EXEC ...`, which the parser takes for an alias, where EXEC stands; or a BEGIN with no END."""
    for at in outside(tokens, start + 1):
        text = word(tokens, at)
        if text in _FOLLOW:
            cut = text == "BEGIN" and all(token.token_type is not TokenType.END for token in tokens[at:])
            return at if cut or text in ("EXEC", "EXECUTE") else None
    return None


def takes_more(tree: Any, tokens: Tokens) -> bool:
    """Whether the parser may have taken statements that follow for a part of this one."""
    if isinstance(tree, exp.Create):
        return bool(created_routine(tokens)) and is_cut(tree)
    return isinstance(tree, exp.Command) or (
        isinstance(tree, exp.IfBlock | exp.WhileBlock) and end_of_short(tokens, 0) is not None
    )


def is_cut(tree: Any) -> bool:
    """The parser gave up somewhere in a block."""
    if tree is None or isinstance(tree, exp.Command | exp.Column | exp.Alias):
        return True  # a column is no statement: it is what was left of one
    if isinstance(tree, exp.Create):
        body = tree.args.get("expression")
        return body is not None and is_cut(body)
    if not isinstance(tree, exp.Block | exp.IfBlock | exp.WhileBlock):
        return False
    inner = [tree.args.get(key) for key in ("body", "true", "false")] + (tree.args.get("expressions") or [])
    return any(is_cut(one) for one in inner if one is not None)


def parse_unseparated(text: Text, tokens: Tokens, parsed: list[Parsed]) -> list[Parsed]:
    """The statements of a run, of which the parser has made `parsed`.

    Where the parser stops at a word that begins a statement, one begins.
    """
    out: list[Parsed] = []
    idle = 0  # pieces in a row without a statement: IF 1 IF 1 ... is parsed to its end at every step
    start = 0
    while True:
        if after := end_of_short(tokens, start):
            out += _parse_short(text, tokens[start:after])
            if after >= len(tokens):
                return out
            place = after
        else:
            if (
                not parsed
                or parsed[0].tree is not None
                or parsed[0].reason == "sql_budget"
                or idle == _MAX_IDLE
            ):
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
                head = parse_run(text, tokens[start:place])
            useful = any(token.text.upper() in USEFUL for token in tokens[start:place])
            idle = 0 if useful else idle + 1
            out += head
        start = place
        if end_of_short(tokens, start) is None:
            parsed = _parse_first(text, tokens, start)
    return out + parsed


def _parse_short(text: Text, tokens: Tokens) -> list[Parsed]:
    word = tokens[0].text.upper()
    if word in ("IF", "WHILE"):
        queries = [parsed for run in queries_within(tokens) for parsed in parse_run(text, run)]
        return queries or [Parsed(exp.EndStatement(), tokens)]
    if word in _SILENT:
        return [Parsed(exp.Command(this=word), tokens)]
    if tokens[-1].token_type is TokenType.FOR:  # DECLARE c CURSOR FOR
        return [Parsed(exp.Command(this="DECLARE"), tokens)]
    return parse_run(text, tokens)


def _parse_first(text: Text, tokens: Tokens, start: int) -> list[Parsed]:
    """The rest of the tokens parsed, but only as far as it takes to know where the parser stops."""
    size = _WINDOW
    while start + size < len(tokens):
        parsed = parse_run(text, tokens[start : start + size])
        if parsed and parsed[0].tree is None:
            place = _place_of(parsed[0], tokens, start, start + size)
            if place is not None and place < start + size - _WINDOW // 2:
                return parsed
        size *= 4
    return parse_run(text, tokens[start:])


def _place_of(parsed: Parsed, tokens: Tokens, start: int, end: int | None = None) -> int | None:
    """At which token the parser stopped."""
    at = (parsed.line, parsed.column)
    places = range(start, len(tokens) if end is None else end)
    return next((i for i in places if at in _starts(tokens[i])), None)


def _starts(token: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the token begins, without its quotes and with them."""
    return (token.line, column_of(token)), (token.line, token.col - token.end + token.start)


def _begins(token: Any) -> bool:
    return token.text.upper() in _BEGINS
