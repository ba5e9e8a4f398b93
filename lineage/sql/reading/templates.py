"""Text as it is found in the wild: templates and parameters are replaced, length for length, by plain SQL.

Every replacement is as long as what it replaces and keeps its line breaks: positions in errors stay true.
"""

from __future__ import annotations

import re
from typing import Final

# Stands for a name that only the template's engine knows. A table whose name holds it is no table.
UNKNOWN: Final = "ª"

# Each alternative stops at another opening of its kind, so that text which never closes costs one pass.
_TEMPLATE: Final = re.compile(
    r"\{\{(?P<expression>[^{}]*(?:[{}](?![{}])[^{}]*)*)\}\}"
    r"|\{%-?\s*(?P<tag>\w+)(?:[^%{]|%(?!\})|\{(?!%))*%\}"
    r"|\{#(?:[^#{]|#(?!\})|\{(?!#))*#\}"
    r"|\$\{(?P<variable>[^{}]*)\}"
    r"|%\(\w+\)s"
)
_GO: Final = re.compile(r"^[ \t]*GO(?:[ \t]+\d+)?[ \t]*;?[ \t]*$", re.I | re.M)
_REF: Final = re.compile(
    r"^[-\s]*(?:ref|source)\s*\(\s*(?P<args>(?:'[^']*'|\"[^\"]*\"|[,\s])+)[^()]*\)[-\s]*$"
)
_STRING: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_STAR: Final = re.compile(r"\bstar\s*\(")
_BEFORE_TABLE: Final = re.compile(
    r"(?:\b(?:from|join|into|update|table|view|exists|using|overwrite)|\.)\s*$", re.I
)
_STATEMENT_START: Final = re.compile(r"(?:^|;)\s*$")
_BREAK: Final = re.compile(r"[^\r\n]")


def neutralise(sql: str, dialect: str) -> str:
    """The text with templates and parameters made harmless, of the same length."""
    if dialect in ("tsql", "fabric", "") and "\n" in sql and "go" in sql.lower():
        sql = _GO.sub(lambda match: ";" + _blank(match.group()[1:]), sql)
    if "{" not in sql and "%(" not in sql:
        return sql
    pieces: list[str] = []
    at, skipping = 0, 0
    for match in _TEMPLATE.finditer(sql):
        between = sql[at : match.start()]
        pieces.append(_blank(between) if skipping else between)
        at = match.end()
        tag = match.group("tag")
        skipping = _skipping(tag, skipping) if tag else skipping
        if tag or skipping or match.group().startswith("{#"):
            pieces.append(_blank(match.group()))
        else:
            pieces.append(_replacement(match, "".join(pieces[-4:])[-80:], sql[at : at + 1]))
    pieces.append(_blank(sql[at:]) if skipping else sql[at:])
    return "".join(pieces)


def _skipping(tag: str, depth: int) -> int:
    """Of `{% if %} A {% else %} B {% endif %}` only A is read: how deep in the others we are."""
    if tag == "if":
        return depth + 1 if depth else 0
    if tag in ("else", "elif"):
        return depth or 1
    return max(depth - 1, 0) if tag == "endif" else depth


def _blank(text: str) -> str:
    return _BREAK.sub(" ", text)


def _replacement(match: re.Match[str], before: str, after: str) -> str:
    text = match.group()
    expression = match.group("expression") or ""
    ref = _REF.match(expression)
    if ref:
        name = ".".join(a or b for a, b in _STRING.findall(ref.group("args")))
        return _fit(name, text)
    if (
        (before[-1:].isalnum() or before[-1:] in ("_", '"', "`", "[", "'", "-", "$"))
        or after.isalnum()
        or after in ("_", ".")
    ):
        return _fill(text)
    if _STATEMENT_START.search(before) and expression:
        return _blank(text)
    if _STAR.search(expression):
        return _fit("*", text)
    return _fill(text) if _BEFORE_TABLE.search(before) else _fit("0", text)


def _fill(text: str) -> str:
    return _BREAK.sub(UNKNOWN, text)


def _fit(word: str, text: str) -> str:
    rest = _blank(text)
    return word + rest[len(word) :] if len(word) <= len(text) else _fill(text)
