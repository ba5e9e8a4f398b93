"""The columns of a program's tables: as the catalogue has them, and as the text itself changes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from lineage.names import TableName
from lineage.sql.program import Program

Key = tuple[str, ...]


class Catalogue:
    """Columns by a table's number. `unordered` are the tables of which no place means a column."""

    def __init__(
        self,
        program: Program,
        known: Mapping[TableName, Sequence[str]],
        unordered: Collection[TableName],
    ) -> None:
        self._program = program
        self._known = known
        self._unordered = unordered
        self._defined: dict[Key, list[str]] = {}
        self._numbers: dict[Key, list[int]] = {}  # of the tables, made when first asked for

    def columns(self, table: int) -> Sequence[str] | None:
        """The columns' names as they are stored, in order; None where they are not known."""
        defined = self._defined.get(self._key(table)) if self._defined else None
        if defined is not None:
            return defined
        return self._known.get(self._program.all_tables[table]) if self._known else None

    def is_ordered(self, table: int) -> bool:
        """Whether a place in the columns means one of them."""
        return self._program.all_tables[table] not in self._unordered or self._key(table) in self._defined

    def define(self, table: int, names: list[str] | None) -> list[int]:
        """From here on the table has these columns; None: those that the catalogue knows.

        Gives the numbers of all tables that this holds for: one is written in several ways.
        """
        key = self._key(table)
        if names is None:
            self._defined.pop(key, None)
        else:
            self._defined[key] = names
        return self._tables_by_key()[key]

    def _key(self, table: int) -> Key:
        keys = self._program.keys
        names = self._program.tables[table]
        last = max([place for place, name in enumerate(names) if name >= 0], default=-1)
        return tuple([keys[name] if name >= 0 else "" for name in names[: last + 1]])

    def _tables_by_key(self) -> dict[Key, list[int]]:
        if not self._numbers:
            for table in range(len(self._program.tables)):
                self._numbers.setdefault(self._key(table), []).append(table)
        return self._numbers
