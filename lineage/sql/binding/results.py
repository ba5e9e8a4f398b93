"""What binding a program to a catalogue gives: lineage, with names as objects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

from lineage.names import Identifier, TableName
from lineage.sql.program import SqlError


class Upstream(NamedTuple):
    """A column that an output depends on. `clauses` holds `case` or `window` when it stands in one.

    `table` is None when several tables could give the column: then it is also among the ambiguous ones.
    `expression` is the text that makes the output of it (in a set operation its branch's), None for a copy.
    """

    table: TableName | None
    column: Identifier
    clauses: tuple[str, ...] = ()
    expression: str | None = None


class Output(NamedTuple):
    """One column that a statement's query gives, at its place from 0; a `star` stands for unknown columns.

    `name` is the column of `table` that it fills when it fills one; None when the dialect makes a name up.
    `expression` is its text, through copies of it; in a set operation the first branch's.
    """

    position: int
    name: Identifier | None
    upstreams: tuple[Upstream, ...] = ()
    expression: str | None = None
    star: bool = False


class Indirect(NamedTuple):
    """A column that decides about rows (or, for `case` and `window`, about one output), in a clause."""

    table: TableName
    column: Identifier
    clause: str
    downstream: TableName | None
    downstream_column: Identifier | None = None


class Ambiguous(NamedTuple):
    """A column that several tables could give, with no schema to decide."""

    column: Identifier
    candidates: tuple[TableName, ...]


class Missing(NamedTuple):
    """A column that none of the catalogue's tables has: an error in the text, or a catalogue out of date.

    `tables` are the known ones in sight. Where the text itself names the table (`t.c`), it is that one, and the
    column is among the upstreams all the same. `written` says that the column is written, not read.
    """

    tables: tuple[TableName, ...]
    column: Identifier
    written: bool = False


class Flow(NamedTuple):
    """Where outputs go: into a table, or, with None, to whoever ran the query.

    `listed` says that the text lists the columns they fill.
    """

    table: TableName | None
    outputs: tuple[Output, ...]
    listed: bool = False


class ColumnEdge(NamedTuple):
    """One pair of columns. `position` is the output's place in its query."""

    downstream: TableName | None
    column: Identifier | None
    position: int
    upstream: TableName
    upstream_column: Identifier
    clauses: tuple[str, ...]
    expression: str | None


class Resolved(Protocol):
    """What the binder has found out of a statement, by numbers; it makes names of them."""

    def reads(self) -> tuple[TableName, ...]: ...
    def writes(self) -> tuple[TableName, ...]: ...
    def flows(self) -> tuple[Flow, ...]: ...
    def indirect(self, flows: tuple[Flow, ...]) -> tuple[Indirect, ...]: ...
    def ambiguous(self) -> tuple[Ambiguous, ...]: ...
    def missing(self) -> tuple[Missing, ...]: ...


class StatementBinding:
    """The lineage of one statement. Tables that live in the text only are gone through, not named.

    Columns get their names when they are first asked for.
    """

    def __init__(self, index: int, kind: str, resolved: Resolved) -> None:
        self.index = index
        self.kind = kind
        self._resolved = resolved

    @cached_property
    def reads(self) -> tuple[TableName, ...]:
        """The tables that it reads, each once."""
        return self._resolved.reads()

    @cached_property
    def writes(self) -> tuple[TableName, ...]:
        """The tables that it writes, each once."""
        return self._resolved.writes()

    @cached_property
    def flows(self) -> tuple[Flow, ...]:
        """Where the outputs of each of the statement's queries go."""
        return self._resolved.flows()

    @cached_property
    def indirect(self) -> tuple[Indirect, ...]:
        """The columns that decide about rows or, in `case` and `window`, about an output."""
        return self._resolved.indirect(self.flows)

    @cached_property
    def ambiguous(self) -> tuple[Ambiguous, ...]:
        """Columns that several tables could give."""
        return self._resolved.ambiguous()

    @cached_property
    def missing(self) -> tuple[Missing, ...]:
        """Columns that none of the known tables has."""
        return self._resolved.missing()

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The outputs of the statement's query: of its first flow."""
        return self.flows[0].outputs if self.flows else ()

    @property
    def edges(self) -> tuple[ColumnEdge, ...]:
        """Every pair of columns that is certain."""
        return tuple(
            ColumnEdge(flow.table, out.name, out.position, up.table, up.column, up.clauses, up.expression)
            for flow in self.flows
            for out in flow.outputs
            for up in out.upstreams
            if up.table is not None and up.column.text != "*"
        )


@dataclass(frozen=True, slots=True)
class Binding:
    """The lineage of a text."""

    dialect: str
    statements: tuple[StatementBinding, ...]
    errors: tuple[SqlError, ...]
