"""Statements of which the parser knows the first word only, read by their shape."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

Name = tuple[str, bool]  # text, quoted

_PART: Final = r'(?:"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|[\w$#@]+)'
_TABLE: Final = rf"{_PART}(?:\s*\.\s*{_PART})*"
_UNLOAD: Final = re.compile(
    r"^\s*\(\s*(?:'(?P<text>(?:[^']|'')*)'|\$\$(?P<dollar>.*?)\$\$|(?P<plain>.*))\s*\)\s*to\s*'(?P<to>[^']*)'",
    re.I | re.S,
)
_STATEMENT: Final = re.compile(r"\b(?:select|with|insert|update|delete|merge|create)\b", re.I)
_RENAME: Final = re.compile(rf"({_TABLE})\s+to\s+({_TABLE})", re.I)
_APPEND: Final = re.compile(rf"^\s*table\s+({_TABLE})\s+append\s+from\s+({_TABLE})", re.I)
_EXCHANGE: Final = re.compile(
    rf"^\s*table\s+({_TABLE})\s+exchange\s+partition\b.*?\bwith\s+table\s+({_TABLE})", re.I | re.S
)


class Renames(NamedTuple):
    """RENAME TABLE old TO new, ..."""

    pairs: list[tuple[list[Name], list[Name]]]


class Moves(NamedTuple):
    """All rows of one table go to another."""

    source: list[Name]
    target: list[Name]


class Unload(NamedTuple):
    """A query's rows go to files."""

    query: str
    path: str


class Inner(NamedTuple):
    """Another statement, perhaps only explained."""

    text: str
    explained: bool


def command_text(node: Any) -> tuple[str, str]:
    """A command's first word, in capitals, and what follows it."""
    rest = node.args.get("expression")
    return str(node.this).upper(), rest if isinstance(rest, str) else rest.name if rest is not None else ""


def read_command(word: str, rest: str) -> Inner | Renames | Moves | Unload | None:
    """What a command does, or None when it is not one of those known."""
    if word == "REPLACE":
        return Inner("INSERT " + rest, False)
    if word == "EXPLAIN":
        start = _STATEMENT.search(rest)
        return Inner(rest[start.start() :], True) if start else None
    if word == "RENAME" and rest.lstrip()[:5].lower() == "table":
        return Renames([(names(old), names(new)) for old, new in _RENAME.findall(rest.lstrip()[5:])])
    if word == "ALTER":
        moved = _APPEND.match(rest) or _EXCHANGE.match(rest)
        return Moves(names(moved.group(2)), names(moved.group(1))) if moved else None
    if word == "UNLOAD":
        found = _UNLOAD.match(rest)
        if found:
            text = found.group("text")
            query = (
                text.replace("''", "'") if text is not None else found.group("dollar") or found.group("plain")
            )
            return Unload(query, found.group("to"))
    return None


def names(text: str) -> list[Name]:
    """The parts of a dotted name, outermost first."""
    out: list[Name] = []
    for part in re.findall(_PART, text):
        quoted = part[0] in '"`['
        out.append((part[1:-1].replace('""', '"') if quoted else part, quoted))
    return out
