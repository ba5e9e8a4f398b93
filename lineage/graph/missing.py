"""What SQL names and the graph does not have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from lineage.graph.unresolved import Unresolved
from lineage.graph.uses import Use, Uses
from lineage.names import TableName
from lineage.sql import Binding
from lineage.sql.binding.results import Missing
from lineage.sql.dialects import is_system_column

_PARTS = ("cluster", "database", "schema", "table")


@dataclass(frozen=True)
class Reason:
    """Where SQL stands: the reason's number, the source, and the declaration or statement that carries it."""

    number: int
    source: int
    digest: str
    query: str


def missing_of(
    uses: Uses,
    use: Use,
    reason: Reason,
    counterpart: str | None,
    guesses: Mapping[int, list[str]],
    *,
    reads_only: bool,
) -> Iterator[Unresolved]:
    """An entry for each statement that was not understood, each table and column that was not found."""

    def entry(
        reference: Mapping[str, str],
        side: str,
        why: str,
        message: str,
        candidates: tuple[str, ...] = (),
        *,
        guessed: bool = False,
    ) -> Unresolved:
        return Unresolved(
            reference,
            side,
            counterpart,
            why,
            message,
            reason.source,
            candidates,
            reason.query,
            reason.digest,
            guessed,
        )

    binding = uses.binding(use)
    for error in binding.errors:
        where = f" (line {error.line}, column {error.column})" if error.line else ""
        yield entry({"type": "tables_from_query"}, "from", error.reason, f"{error.message}{where}")
    sides = {name: "from" for s in binding.statements for name in s.reads}
    if not reads_only:
        sides = {name: "to" for s in binding.statements for name in s.writes} | sides
    for name, side in sides.items():
        ref = uses.reference(use, name)
        match = uses.match(ref) if ref is not None else None
        if ref is None or match is None or match.num is not None:
            continue
        reference = _reference(uses, use, name)
        text = ".".join(reference[part] for part in _PARTS if part in reference)
        if match.candidates:
            message = f"{text} could be {match.total} tables; qualify it, or set the connection's defaults"
            yield entry(reference, side, "ambiguous", message, tuple(match.candidates))
        else:
            near = tuple(guesses.get(ref, ()))
            message = f"no connection owns {text}" + ("; the candidates are guesses by name" if near else "")
            yield entry(reference, side, "not_found", message, near, guessed=bool(near))
    for statement in binding.statements:
        for one in statement.ambiguous:
            tables = sorted(t[0].id if (t := uses.table(use, n)) else str(n) for n in one.candidates)
            reference = {"type": "external_column", "column": one.column.text}
            message = f"column {one.column.text} could be of {len(tables)} tables; qualify it"
            yield entry(reference, "from", "ambiguous_column", message, tuple(tables))
    for problem in _column_problems(uses, use, binding, reads_only=reads_only):
        reference = {"type": "external_column", "column": problem.column}
        if len(problem.tables) == 1:
            reference["table"] = problem.tables[0]
        yield entry(reference, problem.side, problem.reason, problem.message, problem.candidates)


def _reference(uses: Uses, use: Use, name: TableName) -> dict[str, str]:
    texts = uses.parts(use, name)[::2]
    given = {part: text for part, text in zip(_PARTS, texts, strict=True) if text is not None}
    return {"type": "external_table"} | given


class _Problem(NamedTuple):
    """A column that is not exactly one of the tables' where SQL names it."""

    tables: tuple[str, ...]
    column: str
    side: str
    reason: str
    message: str
    candidates: tuple[str, ...]


def _column_problems(uses: Uses, use: Use, binding: Binding, *, reads_only: bool) -> Iterator[_Problem]:
    """Columns that tables do not have, or have several of, each once."""
    told: set[tuple[tuple[str, ...], str, str]] = set()
    for one, is_claim in dict.fromkeys(_named(binding, reads_only=reads_only)):
        targets = [t[0] for name in one.tables if (t := uses.table(use, name)) and t[0].columns]
        tables = tuple(sorted({target.id for target in targets}))
        side = "to" if one.written else "from"
        if not tables or is_system_column(one.column.text.lower()) or (tables, one.column.text, side) in told:
            continue
        dialect = uses.program(use).dialect
        ids = sorted({field.id for target in targets for field in target.named(one.column, dialect)[0]})
        if len(ids) == 1 or not (ids or is_claim):
            continue
        told.add((tables, one.column.text, side))
        text, where = one.column.text, " or ".join(tables)
        if ids:
            message = (
                f"column {text} of {where} could be {len(ids)} columns; no single one is spelled exactly so"
            )
            yield _Problem(tables, text, side, "ambiguous", message, tuple(ids))
        elif len(tables) == 1:
            message = f"the table is {where}, which has no column {text}"
            yield _Problem(tables, text, side, "not_found", message, tables)
        else:
            message = f"none of the {len(tables)} known tables that it could be of has a column {text}"
            yield _Problem(tables, text, side, "not_found", message, tables)


def _named(binding: Binding, *, reads_only: bool) -> Iterator[tuple[Missing, bool]]:
    """What the binding says is missing, and every column that is read or written and may be.

    With each whether the text claims that the table has it: a query's own names are no claim.
    """
    for statement in binding.statements:
        yield from ((one, True) for one in statement.missing if not (one.written and reads_only))
        for edge in statement.edges:
            yield Missing((edge.upstream,), edge.upstream_column), True
            if edge.downstream and edge.column and not reads_only:
                yield Missing((edge.downstream,), edge.column, True), False
        for indirect in statement.indirect:
            yield Missing((indirect.table,), indirect.column), True
