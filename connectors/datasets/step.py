"""One operation of a transform as SQL: plain, and guarded against records that make DuckDB fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.datasets.names import RESERVED, literal
from connectors.datasets.syntax import Tree
from connectors.model.naming import quoted


@dataclass(frozen=True)
class Guard:
    """An expression that may fail for a record; `column` is what a fault is told of."""

    column: str
    sql: str


@dataclass(frozen=True)
class Item:
    """A column that comes out of an operation: its SQL over what came in, its origin, and how far it grew."""

    name: str
    sql: str | Guard
    made: Tree
    size: float


@dataclass(frozen=True)
class Step:
    """What an operation does: the columns that come out, and which records."""

    items: Sequence[Item]
    condition: Guard | None = None
    join: str = ""
    qualify: str = ""
    distinct: bool = False
    unique: tuple[str, tuple[str, ...]] | None = None
    # Where, within the operation as it is written, the SQL stands that a person wrote.
    place: tuple[str, ...] = ()

    @property
    def guards(self) -> list[Guard]:
        """What may fail, in order."""
        found = [item.sql for item in self.items if isinstance(item.sql, Guard)]
        return [*found, self.condition] if self.condition else found

    def plain(self, source: str) -> str:
        """The SELECT that fails as a whole when one record does."""
        where = f" WHERE {self.condition.sql}" if self.condition else ""
        shown = [
            (item.name, item.sql.sql if isinstance(item.sql, Guard) else item.sql) for item in self.items
        ]
        return self._select(shown, f"{quoted(source)}{self.join}{where}{self.qualify}")

    def tried(self, source: str, names: Sequence[str]) -> str:
        """The SELECT of what came in, and each guarded value in a list of one; NULL where it failed."""
        shown = [(name, quoted(name)) for name in names]
        # TRY gives NULL for what failed, and for what is NULL a list that holds one.
        shown += [(_held(place), f"TRY([{guard.sql}])") for place, guard in enumerate(self.guards)]
        return selected(shown, quoted(source))

    def passed(self, tried: str) -> str:
        """The SELECT, over `tried`, of the records of which nothing failed."""
        count, shown = 0, []
        for item in self.items:
            sql = item.sql
            if isinstance(sql, Guard):
                sql, count = f"{quoted(_held(count))}[1]", count + 1
            shown.append((item.name, sql))
        held = [f"{quoted(_held(place))} IS NOT NULL" for place in range(len(self.guards))]
        if self.condition:
            held.append(f"{quoted(_held(count))}[1]")
        return self._select(shown, f"{quoted(tried)} WHERE {' AND '.join(held)}")

    def faults(self, tried: str, names: Sequence[str], index: int) -> str:
        """The SELECT, over `tried`, of the records of which something failed."""
        held = [(f"{quoted(_held(place))} IS NULL", guard.column) for place, guard in enumerate(self.guards)]
        column = " ".join(f"WHEN {failed} THEN {literal(name)}" for failed, name in held)
        record = ", ".join(f"{quoted(name)} := {quoted(name)}" for name in names)
        shown = [
            ("operation", f"CAST({index} AS INTEGER)"),
            ("column", f"CASE {column} END"),
            ("record", f"CAST(to_json(struct_pack({record})) AS VARCHAR)"),
        ]
        return selected(shown, f"{quoted(tried)} WHERE {' OR '.join(failed for failed, _ in held)}")

    def _select(self, shown: Sequence[tuple[str, str]], rest: str) -> str:
        return selected(shown, rest, "SELECT DISTINCT" if self.distinct else "SELECT")


def selected(shown: Sequence[tuple[str, str]], rest: str, verb: str = "SELECT") -> str:
    """A SELECT of named values; `rest` is what stands after FROM."""
    columns = ", ".join(sql if sql == quoted(name) else f"{sql} AS {quoted(name)}" for name, sql in shown)
    return f"{verb} {columns} FROM {rest}"


def _held(place: int) -> str:
    return f"{RESERVED}try_{place}"
