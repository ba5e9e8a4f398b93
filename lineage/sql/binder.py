"""Program and catalogue to lineage. Parses nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lineage.names import Identifier, TableName
from lineage.sql.binding import (
    Ambiguous,
    Binding,
    Flow,
    Indirect,
    Missing,
    Output,
    StatementBinding,
    Upstream,
)
from lineage.sql.columns import OpenStar, Ups
from lineage.sql.combine import text_of
from lineage.sql.lookup import Binder
from lineage.sql.program import CLAUSES, SCOPE, Program, StatementProgram

_WAYS: tuple[tuple[str, ...], ...] = (
    (), (), ("case",), ("case",), ("window",), ("window",), ("case", "window"), ("case", "window")
)  # fmt: skip


def bind(
    program: Program,
    catalogue: Mapping[TableName, Sequence[str]],
    unordered: Collection[TableName] = (),
) -> Binding:
    """The lineage of a program's statements.

    `catalogue` gives, for the tables of `program.table_names` that are known, the columns' names as they are
    stored, in order; `unordered` are the tables whose order is not known: no place in them means a column. A
    table that is not in the catalogue has unknown columns: none is invented for it.
    """
    return _StatementBinder(program, catalogue, unordered).bind()


class _StatementBinder:
    def __init__(
        self,
        program: Program,
        catalogue: Mapping[TableName, Sequence[str]],
        unordered: Collection[TableName],
    ) -> None:
        self.program = program
        self.tables = program.all_tables
        self.catalogue = catalogue
        self.unordered = unordered
        self.binder = Binder(program, self._stored_columns)
        self._defined: dict[tuple[str, ...], list[str]] = {}

    def bind(self) -> Binding:
        statements = []
        start = 0
        for index, statement in enumerate(self.program.statements):
            self.binder.run(start, statement.ends)
            start = statement.ends
            statements.append(self._statement(index, statement))
        return Binding(self.program.dialect, tuple(statements), self.program.errors)

    def _stored_columns(self, table: int) -> Sequence[str] | None:
        defined = self._defined.get(self._table_key(table)) if self._defined else None
        return defined if defined is not None else self.catalogue.get(self.tables[table])

    def _order_is_known(self, table: int) -> bool:
        return self.tables[table] not in self.unordered or self._table_key(table) in self._defined

    def _table_key(self, table: int) -> tuple[str, ...]:
        keys = self.binder.keys
        return tuple(keys[name] for name in self.program.tables[table] if name >= 0)

    def _statement(self, index: int, statement: StatementProgram) -> StatementBinding:
        tables = self.tables
        flows = []
        absent: list[Missing] = []
        for table, columns, scope, by_position in statement.flows:
            outputs = self._outputs(table, columns, scope, by_position)
            flows.append(Flow(tables[table] if table >= 0 else None, outputs, columns is not None))
            if table >= 0 and statement.kind.startswith("create"):
                self._define(table, outputs)
            elif table >= 0:
                absent += self._absent_written(table, columns, scope, by_position)
        for table, names in statement.columns:
            self._set_columns(
                table, [self.program.identifier(n).text for n in names] if names is not None else None
            )
        reached = [self._reachable(flow[2]) for flow in statement.flows]
        return StatementBinding(
            index,
            statement.kind,
            tuple(tables[number] for number in statement.reads),
            tuple(tables[number] for number in statement.writes),
            tuple(flows),
            self._indirect(flows, reached),
            self._ambiguous(reached),
            tuple(dict.fromkeys([*self._missing(reached), *absent])),
        )

    def _outputs(
        self, table: int, columns: list[int] | None, scope: int, by_position: bool
    ) -> tuple[Output, ...]:
        result, identifier = self.binder.results[scope], self.program.identifier
        items = result.items if result is not None else []
        names: list[Any] | None = None
        if columns is not None:
            names = columns
        elif by_position and table >= 0:
            target = self.binder.table(table)
            if target.known and self._order_is_known(table):
                names = [item[1] for item in target.items]
        outputs = []
        for place, item in enumerate(items):
            if type(item) is OpenStar:
                names = None  # from here on places mean nothing
                star = self._upstreams(self.binder.whole(item))
                outputs.append(Output(place, Identifier("*"), star, None, True))
                continue
            _, name, ups = item
            if names is not None and place < len(names):
                name = names[place]
            shown = identifier(name) if name is not None else None
            is_star = shown is not None and shown.text == "*"
            outputs.append(Output(place, shown, self._upstreams(ups), text_of(ups), is_star))
        return tuple(outputs)

    def _upstreams(self, ups: Ups) -> tuple[Upstream, ...]:
        columns, tables, identifier = self.binder.registry.columns, self.tables, self.program.identifier
        return tuple(
            [
                Upstream(
                    tables[table] if table >= 0 else None, identifier(name), _WAYS[ways], text_of(ups, column)
                )
                for (table, name), ways, column in [(columns[c], ways, c) for c, ways in ups.items()]
            ]
        )

    def _define(self, table: int, outputs: tuple[Output, ...]) -> None:
        """A table that the text itself makes has the columns that the text gives it."""
        if not any(output.star for output in outputs):
            self._set_columns(table, [o.name.text if o.name else f"_col_{o.position}" for o in outputs])

    def _set_columns(self, table: int, names: list[str] | None) -> None:
        """From here on the table has these columns; None: those that the catalogue knows."""
        key = self._table_key(table)
        if names is None:
            self._defined.pop(key, None)
        else:
            self._defined[key] = names
        for other in range(len(self.tables)):
            if self._table_key(other) == key:
                self.binder.forget(other)

    def _reachable(self, scope: int) -> list[int]:
        """The scopes that a flow's rows pass through, those of tables of this text included."""
        scopes = self.program.scopes
        seen: dict[int, None] = {}
        stack = [scope]
        while stack:
            number = stack.pop()
            if number in seen:
                continue
            seen[number] = None
            one = scopes[number]
            stack += [source[2] for source in one.sources if source[1] == SCOPE]
            for deps in _all_deps(one):
                stack += [~target for target in deps[1::2] if target < 0]
        return sorted(seen)

    def _indirect(self, flows: list[Flow], reached: list[list[int]]) -> tuple[Indirect, ...]:
        columns, tables, identifier = self.binder.registry.columns, self.tables, self.program.identifier
        out: list[Indirect] = []
        for flow, numbers in zip(flows, reached, strict=True):
            seen: set[tuple[int, int]] = set()  # numbers, because names are slow to compare
            for number in numbers:
                for clause, ups in self.binder.clauses[number]:
                    for column in ups:
                        table, spelled = columns[column]
                        if table < 0 or (column, clause) in seen:
                            continue
                        seen.add((column, clause))
                        name = identifier(spelled)
                        if name.text != "*":
                            out.append(Indirect(tables[table], name, CLAUSES[clause], flow.table))
            for output in flow.outputs:
                for up in output.upstreams:
                    for clause_name in up.clauses:
                        if up.table is not None and up.column.text != "*":
                            out.append(Indirect(up.table, up.column, clause_name, flow.table, output.name))
        return tuple(out) if len(flows) <= 1 else tuple(dict.fromkeys(out))

    def _ambiguous(self, reached: list[list[int]]) -> tuple[Ambiguous, ...]:
        out: dict[Ambiguous, None] = {}
        for number in dict.fromkeys(number for numbers in reached for number in numbers):
            for name, candidates in self.binder.ambiguous[number].values():
                out[
                    Ambiguous(
                        self.program.identifier(name),
                        tuple(self.tables[table] for table in sorted(candidates)),
                    )
                ] = None
        return tuple(out)

    def _missing(self, reached: list[list[int]]) -> tuple[Missing, ...]:
        out: dict[Missing, None] = {}
        for number in dict.fromkeys(number for numbers in reached for number in numbers):
            for tables, column in self.binder.missing[number].values():
                out[Missing(tuple(self.tables[table] for table in tables), column)] = None
        return tuple(out)

    def _absent_written(
        self, table: int, columns: list[int] | None, scope: int, by_position: bool
    ) -> list[Missing]:
        """The columns that the text says it writes, and that the table does not have."""
        target = self.binder.table(table)
        outputs = self.program.scopes[scope].outputs
        if columns is None and not by_position and not any(output[0] == -2 for output in outputs):
            columns = [output[0] for output in outputs if output[0] >= 0]
        if not target.known or not columns:
            return []
        keys, identifier = self.binder.keys, self.program.identifier
        return [
            Missing((self.tables[table],), identifier(name), True)
            for name in columns
            if target.find_known(keys[name], name) is None
        ]


def _all_deps(scope: Any) -> list[list[int]]:
    deps = [clause[1] for clause in scope.clauses if clause[1] is not None]
    for output in scope.outputs:
        if output[0] == -2:
            deps += [replaced[1] for replaced in output[3]]
        else:
            deps.append(output[1])
    if scope.open_deps is not None:
        deps.append(scope.open_deps)
    return deps
