"""How the parts of a name become a key, and how SQL is told a name."""

from __future__ import annotations


def dotted(*parts: str | None) -> str:
    """Parts joined by dots; one with a dot, a double quote or white space is written in double quotes."""
    return ".".join(_part(part) for part in parts if part is not None)


def quoted(name: str) -> str:
    """A name as standard SQL quotes it, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def _part(part: str) -> str:
    if not part or "." in part or '"' in part or any(c.isspace() for c in part):
        return quoted(part)
    return part
