"""The matching rule once more, written for reading and not for speed: what the engine is judged against."""

from __future__ import annotations

from typing import Any, NamedTuple


class Table(NamedTuple):
    id: str
    connection: str
    instance: str
    database: str | None
    schema: str | None
    title: str


class Reference(NamedTuple):
    connection: str
    instance: str | None
    database: str | None
    schema: str | None
    title: str


PARTS = ("instance", "database", "schema", "title")


def resolve(reference: Reference, tables: list[Table], defaults: dict[str, str]) -> tuple[str | None, Any]:
    """(id, how) for one table; (None, ids) for several; (None, []) for none. Declared references only."""
    given = [part for part in PARTS if getattr(reference, part) is not None]

    def fits(table: Table, fold: bool) -> bool:
        for part in given:
            a, b = getattr(table, part), getattr(reference, part)
            if a is None or (a.lower() != b.lower() if fold else a != b):
                return False
        return True

    how = "exact"
    found = [table for table in tables if fits(table, fold=False)]
    if not found:
        how = "casefold"
        found = [table for table in tables if fits(table, fold=True)]
    candidates = sorted(table.id for table in found)
    if len(found) > 1:
        own = [table for table in found if table.connection == reference.connection]
        found = own or found
        if len(found) > 1:
            how = "defaults"
            opened = [part for part in PARTS if part not in given and part in defaults]
            agreeing = [t for t in found if all(getattr(t, part) == defaults[part] for part in opened)]
            if not agreeing:
                agreeing = [
                    t
                    for t in found
                    if all((getattr(t, p) or "").lower() == defaults[p].lower() for p in opened)
                ]
            found = agreeing
    if len(found) == 1:
        return found[0].id, how
    return None, candidates
