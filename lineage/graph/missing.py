"""What SQL names and the graph does not have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lineage.graph.unresolved import Unresolved
from lineage.graph.uses import Use, Uses
from lineage.names import Identifier, TableName
from lineage.sql import StatementBinding

_PARTS = ("cluster", "database", "schema", "table")


@dataclass(frozen=True)
class Reason:
    """Where SQL stands: the source and the declaration or statement that carries it, and its place there."""

    source: int
    digest: str
    query: str
    location: str | None


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
        if ref is None or match is None or match.id is not None:
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
        for table_id, column in _absent_columns(uses, use, statement):
            reference = {"type": "external_column", "table": table_id, "column": column}
            message = f"the table is {table_id}, which has no column {column}"
            yield entry(reference, "from", "not_found", message, (table_id,))


def _reference(uses: Uses, use: Use, name: TableName) -> dict[str, str]:
    texts = uses.parts(use, name)[::2]
    given = {part: text for part, text in zip(_PARTS, texts, strict=True) if text is not None}
    return {"type": "external_table"} | given


def _absent_columns(uses: Uses, use: Use, statement: StatementBinding) -> Iterator[tuple[str, str]]:
    """Columns that are read of tables whose columns are known, and are not among them."""
    read: list[tuple[TableName, Identifier]] = [(e.upstream, e.upstream_column) for e in statement.edges]
    read += [(one.table, one.column) for one in statement.indirect]
    for name, column in dict.fromkeys(read):
        table = uses.table(use, name)
        if table and table[0].columns and uses.column(use, name, column) is None:
            yield table[0].id, column.text
