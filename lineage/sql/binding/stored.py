"""A stored table's columns, and how they are found by name in a dialect."""

from __future__ import annotations

from collections.abc import Sequence

from lineage.sql.dialects import columns_by_key

# Stored names by key; by folded name those that only case tells apart.
Index = tuple[dict[str, str], dict[str, list[str]]]


def index_of(names: Sequence[str], dialect: str) -> Index:
    twins: dict[str, list[str]] = {}
    if len(set(map(str.lower, names))) < len(names):
        for name in names:
            twins.setdefault(name.lower(), []).append(name)
    return columns_by_key(names, dialect), {key: named for key, named in twins.items() if len(named) > 1}


class StoredColumns(tuple[str, ...]):
    """A table's columns for a catalogue to which many programs are bound: how they are found is worked out once."""

    def keyed(self, dialect: str) -> Index:
        """The names by the keys that find them, in a dialect."""
        known: dict[str, Index] = self.__dict__.setdefault("known", {})
        if dialect not in known:
            known[dialect] = index_of(self, dialect)
        return known[dialect]
