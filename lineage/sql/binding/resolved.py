"""What a statement's columns are called: the binder's numbers made names, when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from lineage.names import Identifier, TableName
from lineage.sql.binding.columns import STAR, OpenStar, Spelled, Ups
from lineage.sql.binding.combine import text_of
from lineage.sql.binding.results import Ambiguous, Flow, Indirect, Missing, Output, Upstream
from lineage.sql.binding.scopes import ScopeBinder
from lineage.sql.program import CLAUSES, DISTINCT, SCOPE, Scope, StatementProgram

_WAYS: Final[tuple[tuple[str, ...], ...]] = (
    (), (), ("case",), ("case",), ("window",), ("window",), ("case", "window"), ("case", "window")
)  # fmt: skip


class BoundFlow:
    """A flow of the program. `names` are those of the columns that its outputs fill, where places tell them."""

    __slots__ = ("listed", "names", "scope", "table")

    def __init__(self, table: int, listed: bool, scope: int, names: Sequence[Spelled] | None) -> None:
        self.table = table
        self.listed = listed
        self.scope = scope
        self.names = names


def named_items(
    binder: ScopeBinder, scope: int, names: Sequence[Spelled] | None
) -> Iterator[tuple[Spelled | None, Any]]:
    """The outputs of a scope: each one's name, and its dependencies or an open star."""
    result = binder.results[scope]
    for place, item in enumerate(result.items if result is not None else ()):
        if type(item) is OpenStar:
            names = None  # from here on places mean nothing
            yield STAR, item
        else:
            yield (names[place] if names is not None and place < len(names) else item[1]), item[2]


class ResolvedStatement:
    """One statement as its binder leaves it. Later statements change nothing of it."""

    def __init__(
        self, binder: ScopeBinder, statement: StatementProgram, flows: list[BoundFlow], absent: list[Missing]
    ) -> None:
        self._binder = binder
        self._program = binder.program
        self._statement = statement
        self._flows = flows
        self._absent = absent
        self._scopes_of_flows: list[list[int]] = []

    def reads(self) -> tuple[TableName, ...]:
        return tuple([self._tables[number] for number in self._statement.reads])

    def writes(self) -> tuple[TableName, ...]:
        return tuple([self._tables[number] for number in self._statement.writes])

    @property
    def _tables(self) -> Sequence[TableName]:
        return self._program.all_tables

    def flows(self) -> tuple[Flow, ...]:
        tables = self._tables
        return tuple(
            [
                Flow(
                    tables[one.table] if one.table >= 0 else None,
                    self._outputs(one.scope, one.names),
                    one.listed,
                )
                for one in self._flows
            ]
        )

    def _outputs(self, scope: int, names: Sequence[Spelled] | None) -> tuple[Output, ...]:
        identifier, text = self._program.identifier, self._program.text
        outputs = []
        for place, (name, ups) in enumerate(named_items(self._binder, scope, names)):
            if type(ups) is OpenStar:
                star = self._upstreams(self._binder.whole(ups))
                outputs.append(Output(place, STAR, star, None, True))
                continue
            shown = identifier(name) if name is not None else None
            is_star = shown is not None and shown.text == "*"
            outputs.append(Output(place, shown, self._upstreams(ups), text(text_of(ups)), is_star))
        return tuple(outputs)

    def _upstreams(self, ups: Ups) -> tuple[Upstream, ...]:
        columns, tables = self._binder.registry.columns, self._tables
        identifier, text = self._program.identifier, self._program.text
        return tuple(
            [
                Upstream(
                    tables[table] if table >= 0 else None,
                    identifier(name),
                    _WAYS[ways],
                    text(text_of(ups, column)),
                )
                for (table, name), ways, column in [(columns[c], ways, c) for c, ways in ups.items()]
            ]
        )

    def indirect(self, flows: tuple[Flow, ...]) -> tuple[Indirect, ...]:
        columns, tables, identifier = self._binder.registry.columns, self._tables, self._program.identifier
        out: list[Indirect] = []
        for flow, bound, numbers in zip(flows, self._flows, self._reached(), strict=True):
            seen: set[tuple[int, int]] = set()  # numbers, because names are slow to compare
            distinct: list[Ups] = []
            for number in numbers:
                for clause, ups in self._binder.clauses[number]:
                    if clause == DISTINCT:
                        distinct.append(ups)
                        continue
                    for column in ups:
                        table, spelled = columns[column]
                        if table < 0 or (column, clause) in seen:
                            continue
                        seen.add((column, clause))
                        name = identifier(spelled)
                        if name.text != "*":
                            out.append(Indirect(tables[table], name, CLAUSES[clause], flow.table))
            for column in self._only_distinct(bound, seen, distinct) if distinct else ():
                table, spelled = columns[column]
                out.append(Indirect(tables[table], identifier(spelled), "group_by", flow.table))
            for output in flow.outputs:
                for up in output.upstreams:
                    for clause_name in up.clauses:
                        if up.table is not None and up.column.text != "*":
                            name = output.name or Identifier(f"_col_{output.position}")
                            out.append(Indirect(up.table, up.column, clause_name, flow.table, name))
        return tuple(out) if len(flows) <= 1 else tuple(dict.fromkeys(out))

    def _only_distinct(
        self, flow: BoundFlow, seen: set[tuple[int, int]], distinct: list[Ups]
    ) -> Iterator[int]:
        """The columns that only tell rows apart: no output holds them, and no clause names them."""
        used = {column for column, _ in seen}
        for _, ups in named_items(self._binder, flow.scope, None):
            used.update(() if type(ups) is OpenStar else ups)
        for column in dict.fromkeys(column for ups in distinct for column in ups):
            table, spelled = self._binder.registry.columns[column]
            if column not in used and table >= 0 and self._program.identifier(spelled).text != "*":
                yield column

    def ambiguous(self) -> tuple[Ambiguous, ...]:
        found: dict[tuple[int, frozenset[int]], None] = {}
        for number in self._all_reached():
            for name, candidates in self._binder.ambiguous[number].values():
                found[name, candidates] = None
        identifier, tables = self._program.identifier, self._tables
        return tuple(
            [
                Ambiguous(identifier(name), tuple([tables[table] for table in sorted(candidates)]))
                for name, candidates in found
            ]
        )

    def missing(self) -> tuple[Missing, ...]:
        out: dict[Missing, None] = {}
        for number in self._all_reached():
            for tables, column in self._binder.missing[number].values():
                out[Missing(tuple([self._tables[table] for table in tables]), column)] = None
        out.update(dict.fromkeys(self._absent))
        return tuple(out)

    def _reached(self) -> list[list[int]]:
        """Of each flow the scopes that its rows pass through; worked out once."""
        if len(self._scopes_of_flows) < len(self._flows):
            self._scopes_of_flows = [self._reachable(flow.scope) for flow in self._flows]
        return self._scopes_of_flows

    def _all_reached(self) -> list[int]:
        return list(dict.fromkeys([number for numbers in self._reached() for number in numbers]))

    def _reachable(self, scope: int) -> list[int]:
        """The scopes that a flow's rows pass through, those of tables of this text included."""
        scopes = self._program.scopes
        seen: set[int] = set()
        stack = [scope]
        while stack:
            number = stack.pop()
            if number in seen:
                continue
            seen.add(number)
            one = scopes[number]
            stack += [source[2] for source in one.sources if source[1] == SCOPE]
            for deps in _all_deps(one):
                if min(deps, default=0) < 0:
                    stack += [~target for target in deps[1::2] if target < 0]
        return sorted(seen)


def _all_deps(scope: Scope) -> list[list[int]]:
    deps = [clause[1] for clause in scope.clauses if clause[1] is not None]
    for output in scope.outputs:
        if output[0] == -2:
            deps += [replaced[1] for replaced in output[3]]
        else:
            deps.append(output[1])
    if scope.open_deps is not None:
        deps.append(scope.open_deps)
    return deps
