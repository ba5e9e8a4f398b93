"""Program and catalogue to lineage. Parses nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from lineage.names import TableName
from lineage.sql.binding.catalogue import Catalogue
from lineage.sql.binding.columns import Spelled
from lineage.sql.binding.resolved import BoundFlow, ResolvedStatement, named_items
from lineage.sql.binding.results import Binding, Missing, StatementBinding
from lineage.sql.binding.scopes import ScopeBinder
from lineage.sql.binding.work import TooMuchWork, Work
from lineage.sql.program import Program, SqlError, StatementProgram


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
    return _StatementBinder(program, Catalogue(program, catalogue, unordered)).bind()


class _StatementBinder:
    def __init__(self, program: Program, catalogue: Catalogue) -> None:
        self.program = program
        self.catalogue = catalogue
        self.binder = ScopeBinder(program, catalogue)

    def bind(self) -> Binding:
        statements = []
        errors = list(self.program.errors)
        start = 0
        for index, statement in enumerate(self.program.statements):
            self.binder.work = Work()
            try:
                self.binder.run(start, statement.ends)
                statements.append(self._statement(index, statement))
            except TooMuchWork as error:
                errors.append(SqlError(index, str(error), None, None, "sql_budget"))
                statements.append(self._without_columns(index, statement))
            start = statement.ends
        return Binding(self.program.dialect, tuple(statements), tuple(errors))

    def _without_columns(self, index: int, statement: StatementProgram) -> StatementBinding:
        return StatementBinding(index, statement.kind, ResolvedStatement(self.binder, statement, [], []))

    def _statement(self, index: int, statement: StatementProgram) -> StatementBinding:
        flows = []
        absent: list[Missing] = []
        for table, columns, scope, by_position in statement.flows:
            names: Sequence[Spelled] | None = columns
            if columns is None and by_position and table >= 0:
                target = self.binder.table(table)
                if target.known and self.catalogue.is_ordered(table):
                    names = [item[1] for item in target.items]
            flows.append(BoundFlow(table, columns is not None, scope, names))
            if table >= 0 and statement.kind.startswith("create"):
                self._define(table, scope, names)
            elif table >= 0:
                absent += self._absent_written(table, columns, scope, by_position)
        for table, listed in statement.columns:
            self._set_columns(
                table, [self.program.identifier(n).text for n in listed] if listed is not None else None
            )
        resolved = ResolvedStatement(self.binder, statement, flows, absent)
        return StatementBinding(index, statement.kind, resolved)

    def _define(self, table: int, scope: int, names: Sequence[Spelled] | None) -> None:
        """A table that the text itself makes has the columns that the text gives it."""
        named = list(named_items(self.binder, scope, names))
        identifier = self.program.identifier
        if not any(name is not None and identifier(name).text == "*" for name, _ in named):
            columns = [identifier(n).text if n is not None else f"_col_{i}" for i, (n, _) in enumerate(named)]
            self._set_columns(table, columns)

    def _set_columns(self, table: int, names: list[str] | None) -> None:
        """From here on the table has these columns; None: those that the catalogue knows."""
        for same in self.catalogue.define(table, names):
            self.binder.forget(same)

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
            Missing((self.program.all_tables[table],), identifier(name), True)
            for name in columns
            if target.find_known(keys[name], name) is None
        ]
