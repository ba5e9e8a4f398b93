"""Scopes bound, each after those it reads: what its outputs and clauses depend on."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, NamedTuple

from lineage.sql.binding.catalogue import Catalogue
from lineage.sql.binding.clauses import columns_at, compared_columns
from lineage.sql.binding.columns import AMBIGUOUS, Computed, ScopeColumns, Ups
from lineage.sql.binding.combine import differ, join_by_name, join_by_position, without_text
from lineage.sql.binding.lookup import Lookup
from lineage.sql.binding.refs import Refs
from lineage.sql.binding.stars import expand
from lineage.sql.dialects import clauses_with_aliases, prefers_aliases, reuses_aliases
from lineage.sql.program import BY_NAME, CLAUSES, COPY, ORDER_BY, RECURSIVE, UNION, VALUE, Program, Scope

_MAX_ROUNDS: Final = 12  # of a recursive query, until nothing new comes
_ORDER: Final = frozenset([ORDER_BY])


class _Rules(NamedTuple):
    """What a dialect says of the aliases of a select list."""

    reuses: bool  # an item may use those of the items before
    reuses_first: bool  # ... before a column of that name
    clauses: frozenset[int]  # where one may stand
    first: frozenset[int]  # ... before a column of that name


@cache
def _rules(dialect: str) -> _Rules:
    first = prefers_aliases(dialect)
    clauses = frozenset([CLAUSES.index(clause) for clause in clauses_with_aliases(dialect)])
    return _Rules(reuses_aliases(dialect), first, clauses, clauses if first else _ORDER)


class ScopeBinder(Lookup):
    """Binds the scopes of one program in order."""

    def __init__(self, program: Program, catalogue: Catalogue) -> None:
        super().__init__(program, catalogue)
        self.clauses: list[list[tuple[int, Ups]]] = [[] for _ in program.scopes]
        self._rules = _rules(program.dialect)

    def run(self, start: int, end: int) -> None:
        """Bind the scopes of `order[start:end]`."""
        order = self.program.order
        rounds: dict[int, tuple[int, int]] = {}  # recursive scope -> where its second branch begins, round
        at = start
        while at < end:
            number = order[at]
            at += 1
            if number < 0:
                self.results[~number] = self.results[self.program.scopes[~number].sources[0][2]]
                rounds[~number] = (at, 0)
                continue
            scope = self.program.scopes[number]
            before = self.results[number]
            if scope.kind == UNION:
                self._bind_union(number, scope)
            else:
                self._bind_select(number, scope)
            self.work.spend_on_items(self.results[number].items)  # type: ignore[union-attr]
            if scope.flags & RECURSIVE and number in rounds:
                begin, done = rounds[number]
                if done < _MAX_ROUNDS and differ(before, self.results[number]):
                    rounds[number] = (begin, done + 1)
                    at = begin

    def _bind_union(self, number: int, scope: Scope) -> None:
        parts: list[list[Any]] = []
        for _, _, target, aliases, _ in scope.sources:
            columns = self.results[target]
            if columns is not None:
                parts.append((self.renamed(columns, aliases) if aliases else columns).items)
        by_name = scope.flags & BY_NAME
        items = (join_by_name(parts) if by_name else join_by_position(parts)) if parts else []
        result = self.results[number] = ScopeColumns(items)
        for clause, deps, *special in scope.clauses:
            ups: Ups = {}
            if deps is None and len(special) == 1:
                ups = columns_at(self, items, [], special[0])
            elif deps is None:
                ups = self.all_ups([item for part in parts[: special[0] + 1] for item in part])
            for target in deps[1::2] if deps is not None else ():
                if target >= 0 and len(scope.refs[target]) == 1:
                    name = scope.refs[target][0]
                    _, found = result.find(self.keys[name], name)
                    ups.update(found if found is not None and found is not AMBIGUOUS else {})
            self.clauses[number].append((clause, ups))

    def _bind_select(self, number: int, scope: Scope) -> None:
        self.ambiguous[number].clear()
        self.missing[number].clear()
        refs = Refs(self, number, scope)
        aliases, keys, resolved = refs.aliases, self.keys, refs.resolved
        reuses, aliases_first, alias_clauses, alias_first = self._rules
        items: list[Any] = []
        places: list[int] = []  # where the items of each output begin
        for output in scope.outputs:
            places.append(len(items))
            if output[0] == -2:
                items += expand(self, number, output, refs)
                self.work.spend(len(items))
                continue
            name, deps, text = output
            found = None
            if len(deps) == 2 and deps[0] == VALUE and deps[1] >= 0 and not aliases_first:
                found = resolved[deps[1]]
            ups = refs.gather(deps, reuses, aliases_first) if found is None else found
            if text != COPY:
                ups = Computed(ups, text) if text else without_text(ups)
            if name < 0:
                items.append((f"?{len(items)}", None, ups))
                continue
            key = keys[name]
            items.append((key, name, ups))
            aliases.setdefault(key, ups)
        open_ups = None
        if scope.open_deps is not None:
            open_ups = without_text(refs.gather(scope.open_deps, False, False))
        self.results[number] = ScopeColumns(items, open_ups)
        found_clauses = self.clauses[number]
        found_clauses.clear()
        for clause, deps, *special in scope.clauses:
            if deps is None and len(special) == 1:
                found_clauses.append((clause, columns_at(self, items, places, special[0])))
            elif deps is None:
                found_clauses.append((clause, compared_columns(self, number, *special)))
            else:
                use = clause in alias_clauses and not special
                found_clauses.append((clause, refs.columns(deps, use, use and clause in alias_first)))
