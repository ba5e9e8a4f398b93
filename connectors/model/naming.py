"""The one rule by which the parts of a name become a key."""

from __future__ import annotations


def dotted(*parts: str | None) -> str:
    """Parts joined by dots; one with a dot, a double quote or white space is written in double quotes."""
    return ".".join(_part(part) for part in parts if part is not None)


def _part(part: str) -> str:
    if not part or "." in part or '"' in part or any(c.isspace() for c in part):
        return '"' + part.replace('"', '""') + '"'
    return part
