"""What extracts gave, compared: rows as they are stored, and differences in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from connectors.testing.run import Extract

SHOWN = 3  # differences that a message tells


def content(found: Extract) -> dict[str, list[str]]:
    """What an extract gave, as texts."""
    return {
        "resources": [repr(one) for one in found.resources],
        "declarations": [repr(one) for one in found.declarations],
        "statements": [repr(one) for one in found.statements],
        "runs": [repr(one) for one in found.runs],
    } | {f"rows of {name}": [repr(row) for row in found.rows(name)] for name in found.datasets}


def ids_of(found: Extract) -> list[str]:
    """The keys of all resources."""
    return [resource.databuilder_id for resource in found.resources]


def keys_of(found: Extract, table: str) -> list[str]:
    """The primary keys of a table's rows, as texts."""
    names = found.datasets[table].keys
    return [", ".join(repr(row[name]) for name in names) for row in found.rows(table)]


def merged(table: str, *extracts: Extract) -> Iterator[str]:
    """The rows of several runs as they are stored: of one key the last; all, where there are no keys."""
    rows: dict[Any, str] = {}
    for run, found in enumerate(extracts):
        keys = keys_of(found, table)
        for place, row in enumerate(found.rows(table)):
            rows[keys[place] if found.datasets[table].keys else (run, place)] = repr(row)
    return iter(rows.values())


def assert_untouched(found: Extract, whole: Extract, path: str) -> None:
    """Asserts that tables in whose tree nothing failed were read as without the trouble."""

    def root(name: str) -> str:
        above = found.datasets[name].parent
        return root(above) if above in found.datasets else name

    failed = {root(name) for name, report in found.report.tables.items() if not report.complete}
    for name, report in found.report.tables.items():
        if root(name) not in failed:
            assert report.complete, f"{path} was denied, and {name} is not whole"
            assert_same(
                f"rows of {name}, though only {path} was denied,",
                content(found)[f"rows of {name}"],
                content(whole)[f"rows of {name}"],
            )


def assert_same(what: str, first: Iterable[str], second: Iterable[str]) -> None:
    """Asserts that two runs gave the same, in any order; `second` is what there should be."""
    ours, theirs = Counter(first), Counter(second)
    if ours != theirs:
        less, more = (_few(one.elements()) for one in (theirs - ours, ours - theirs))
        raise AssertionError(f"the {what} differ: too few {less}; too many {more}")


def twice(names: Iterable[str]) -> str:
    """Those that occur more than once."""
    return _few(name for name, count in Counter(names).items() if count > 1)


def _few(texts: Iterable[str]) -> str:
    return ", ".join(text[:200] for text in islice(texts, SHOWN)) or "none"
