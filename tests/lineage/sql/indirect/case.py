"""One statement with all that decides about its rows and values, written short.

`direct` and `indirect` are complete. `a <- t.a t.b` is what an output holds. `where t.b` decides about the rows
of the statement's target (`into`; none for a query), `case t.a -> x` about the values of one output. An arrow
to `x.` or `x.a` names another target, and its column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from lineage.sql import analyze

Pair = tuple[str | None, str | None, str, str]  # downstream table and column, upstream table and column
Decider = tuple[str, str, str, str | None, str | None]  # clause, table, column, downstream table and column


class Case(NamedTuple):
    """`meaning` says in words what the dialect's manual says."""

    meaning: str
    sql: str
    direct: str = ""
    indirect: str = ""
    into: str | None = None
    schemas: Mapping[str, Sequence[str]] | None = None


def check(case: Case, dialect: str) -> None:
    """The engine finds exactly what the case lists."""
    found = analyze(case.sql, dialect, schemas=case.schemas).to_dict()
    assert found["errors"] == []
    direct = {
        (entry["downstream"]["table"], entry["downstream"]["column"], up["table"], up["column"])
        for entry in found["column_lineage"]
        for up in entry["upstreams"]
    }
    assert direct == set(_direct(case))
    indirect = [
        (e["clause"], e["table"], e["column"], e["downstream"]["table"], e["downstream"]["column"])
        for e in found["indirect"]
    ]
    assert set(indirect) == set(_indirect(case))
    assert len(indirect) == len(set(indirect))


def _direct(case: Case) -> Iterator[Pair]:
    for part in filter(None, case.direct.split("; ")):
        output, upstreams = part.split(" <- ")
        for upstream in upstreams.split():
            yield (*_target(output, case.into), *_column(upstream))


def _indirect(case: Case) -> Iterator[Decider]:
    for part in filter(None, case.indirect.split("; ")):
        deciders, _, output = part.partition(" -> ")
        clause, *columns = deciders.split()
        for column in columns:
            yield (clause, *_column(column), *_target(output, case.into))


def _target(text: str, into: str | None) -> tuple[str | None, str | None]:
    table, dot, column = text.rpartition(".")
    return table if dot else into, column or None


def _column(text: str) -> tuple[str, str]:
    table, _, column = text.rpartition(".")
    return table, column
