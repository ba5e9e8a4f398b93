"""Names of columns, functions and relations: finding them, and the nearest to one that is not there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from connectors.errors import DatasetError

# Columns and relations that start so are for working, and never in what comes out.
RESERVED = "_headwater_"


def literal(text: str) -> str:
    """The text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def nearest(name: str, known: Collection[str], likeness: float = 0.6) -> str | None:
    """The known name that is most like `name`, if one is like it at all."""
    folded = {one.casefold(): one for one in known}
    near = get_close_matches(name.casefold(), list(folded), n=1, cutoff=likeness)
    return folded[near[0]] if near else None


def suggestion(name: str, known: Collection[str]) -> str:
    """A hint for a name that is not known."""
    near = nearest(name, known)
    if near is not None:
        return f"did you mean {near}?"
    listed = sorted(known)
    more = f" and {len(listed) - 12} more" if len(listed) > 12 else ""
    return f"there are {', '.join(listed[:12]) or 'none'}{more}"


def check_distinct(names: Iterable[str], path: tuple[str, ...]) -> None:
    """Raise DatasetError for a name that stands twice, differs in case only, is empty or is reserved."""
    seen: dict[str, str] = {}
    for name in names:
        if not name:
            raise DatasetError("a column has no name", hint="give it one", path=path)
        if name.casefold().startswith(RESERVED):
            raise DatasetError(
                f"{name} is no name for a column",
                hint=f"names that begin with {RESERVED} are reserved",
                path=path,
            )
        other = seen.setdefault(name.casefold(), name)
        if other is name:
            continue
        if other == name:
            raise DatasetError(
                f"the column {name} would stand twice", hint="give one another name", path=path
            )
        raise DatasetError(
            f"the columns {other} and {name} differ in case only", hint="give one another name", path=path
        )
