"""What an error says: the parser's messages in words, and short ones that hold nothing of the text."""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"\x1b\[[\d;]*[A-Za-z]")
_MISSING = re.compile(r"Required keyword: '\w+' missing for <class '(?:\w+\.)*(\w+)'>")
_CLASS = re.compile(r"<class '(?:\w+\.)*(\w+)'>")
_SEEN = re.compile(r",? (?:but )?got\b.*|<[Tt]oken.*", re.S)  # the parser shows its own objects there
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SIGNS = {
    "Add": "+",
    "Alias": "AS",
    "DPipe": "||",
    "Div": "/",
    "EQ": "=",
    "GT": ">",
    "GTE": ">=",
    "LT": "<",
    "LTE": "<=",
    "Mod": "%",
    "Mul": "*",
    "NEQ": "<>",
    "Sub": "-",
}
# These say nothing of what stands in the text but its punctuation.
_CONSTANT = re.compile(
    r"Expecting \W{1,2}|Invalid expression / Unexpected token|something is missing (in|beside) [A-Z ]+"
    r"|something is missing beside \W{1,2}|Failed to parse any statement following CTE"
    r"|Expected CTE to have alias|the text holds no statement|cannot be read: Error tokenizing"
)
_SHORT = {"sql_parse_error": "cannot be parsed", "sql_unsupported": "not understood"}


def in_words(message: str) -> str:
    """The parser's message in one line, without its classes, objects and colours."""
    text = _ESCAPES.sub("", message)
    text = _MISSING.sub(lambda found: _missing(found[1]), text)
    text = _CLASS.sub(lambda found: _words(found[1]), text)
    text = _SEEN.sub("", text)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split()) or "cannot be parsed"


def without_text(message: str, reason: str) -> str:
    """The message, or where it may quote the text a shorter one."""
    return message if _CONSTANT.fullmatch(message) else _SHORT.get(reason, message)


def _missing(name: str) -> str:
    sign = _SIGNS.get(name)
    return f"something is missing beside {sign}" if sign else f"something is missing in {_words(name)}"


def _words(name: str) -> str:
    return _HUMPS.sub(" ", name).upper()
