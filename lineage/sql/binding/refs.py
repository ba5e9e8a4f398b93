"""What the references of a scope mean."""

from __future__ import annotations

from typing import Final

from lineage.sql.binding.absent import note_absent
from lineage.sql.binding.columns import OpenStar, TableColumns, Ups
from lineage.sql.binding.combine import add
from lineage.sql.binding.lookup import Lookup
from lineage.sql.program import COPY, VALUE, Scope

_MANY_COLUMNS: Final = 200  # of one expression: fewer are not worth counting


class Refs:
    """What the references of one scope mean, each looked up once; `aliases` are its select list's so far."""

    def __init__(self, lookup: Lookup, number: int, scope: Scope) -> None:
        self.aliases: dict[str, Ups] = {}
        self._lookup = lookup
        self._number = number
        self._names = scope.refs
        self.resolved: list[Ups | None] = [None] * len(scope.refs)
        if scope.refs:
            self._find_early(scope)

    def _find_early(self, scope: Scope) -> None:
        """Looks up at once what can mean one thing only, and needs no schema: most of most queries."""
        lookup, number, keys, resolved = self._lookup, self._number, self._lookup.keys, self.resolved
        lookup.sources(number)
        by_key, unknown, registry = lookup.by_key[number], lookup.unknown[number], lookup.registry
        if by_key is None:
            return
        alone: dict[str, Ups] = {}
        hidden: set[str] = set()  # names that an alias may stand for
        if unknown is not None:
            hidden.update(unknown.rows)
            for name, deps, *rest in scope.outputs:
                if name >= 0 and not (rest[0] == COPY and scope.refs[deps[1]] == [name]):
                    hidden.add(keys[name])
            table = -1 if unknown.only is None else unknown.only
            ambiguous = lookup.ambiguous[number] if table < 0 else None
            alone = registry.alone(table)
        for place, names in enumerate(scope.refs):
            key = keys[names[-1]]
            if len(names) == 1:
                if unknown is None or key in hidden:
                    continue
                found = alone.get(key)
                if found is None:
                    found = alone[key] = {registry.number(table, key, names[0]): VALUE}
                resolved[place] = found
                if ambiguous is not None and key not in ambiguous:
                    ambiguous[key] = (names[0], unknown.tables)
            elif len(names) == 2 and key != "*":
                source = by_key.get(keys[names[0]])
                if source is not None and type(source.columns) is TableColumns and not source.columns.known:
                    known = registry.alone(source.table)
                    found = known.get(key)
                    if found is None:
                        found = known[key] = {registry.number(source.table, key, names[1]): VALUE}
                    resolved[place] = found

    def gather(self, deps: list[int], use_aliases: bool, aliases_first: bool) -> Ups:
        """What a list of dependencies comes to."""
        resolved = self.resolved
        if len(deps) == 2 and deps[0] == VALUE and deps[1] >= 0:
            found = None if aliases_first else resolved[deps[1]]
            return self._look_up(deps[1], use_aliases, aliases_first) if found is None else found
        out: Ups = {}
        pairs = iter(deps)
        for flags, target in zip(pairs, pairs, strict=True):
            if target >= 0:
                found = None if aliases_first else resolved[target]
                if found is None:
                    found = self._look_up(target, use_aliases, aliases_first)
                add(out, found, flags)
            elif flags:
                columns = self._lookup.results[~target]
                for item in columns.items if columns is not None else ():
                    add(out, self._lookup.whole(item) if type(item) is OpenStar else item[2], flags)
        if len(out) > _MANY_COLUMNS:
            self._lookup.work.spend(len(out) * len(deps) // 2)
        return out

    def columns(self, deps: list[int], use_aliases: bool, aliases_first: bool) -> Ups:
        """The columns among what a list of dependencies comes to; how they stand in it is not told."""
        resolved = self.resolved
        out: Ups = {}
        for place in range(1, len(deps), 2):
            target = deps[place]
            if target >= 0:
                found = None if aliases_first else resolved[target]
                out.update(self._look_up(target, use_aliases, aliases_first) if found is None else found)
            elif deps[place - 1]:
                out.update(self.gather([VALUE, target], False, False))
        if len(out) > _MANY_COLUMNS:
            self._lookup.work.spend(len(out) * len(deps) // 2)
        return out

    def _look_up(self, target: int, use_aliases: bool, aliases_first: bool) -> Ups:
        lookup, number, names = self._lookup, self._number, self._names[target]
        alias = self.aliases.get(lookup.keys[names[0]]) if use_aliases and self.aliases else None
        if alias is not None:
            # A qualifier is a source's name before it is an alias; so is a column that surely exists.
            sure = aliases_first and len(names) == 1
            certain = None if sure else lookup.find(number, names, certain_only=True)
            return alias if certain is None else certain
        found = self.resolved[target]
        if found is None:
            unknown = lookup.unknown[number] if len(names) == 1 else None
            if unknown is not None:
                found = lookup.find_in_unknown(number, unknown, names[0], False)
            else:
                found = lookup.find(number, names)
            if found is None:
                note_absent(lookup, number, names)
                found = {}
            self.resolved[target] = found
        return found
