"""Scopes bound to a catalogue: which column of which table each reference means."""

from __future__ import annotations

from collections.abc import Set
from functools import cache
from typing import Any, NamedTuple

from lineage.names import Identifier
from lineage.sql.absent import note_absent
from lineage.sql.catalogue import Catalogue
from lineage.sql.clauses import columns_at, compared_columns
from lineage.sql.columns import (
    AMBIGUOUS,
    STAR,
    Computed,
    OpenStar,
    Registry,
    ScopeColumns,
    Source,
    TableColumns,
    Ups,
)
from lineage.sql.combine import add, differ, join_by_name, join_by_position, merge, without_text
from lineage.sql.dialects import (
    clauses_with_aliases,
    is_system_column,
    names_rows,
    prefers_aliases,
    reuses_aliases,
)
from lineage.sql.program import (
    ANY_QUALIFIER,
    BY_NAME,
    CLAUSES,
    COPY,
    RECURSIVE,
    TABLE,
    UNION,
    VALUE,
    Program,
    Scope,
)
from lineage.sql.stars import expand
from lineage.sql.work import Work

_MANY_COLUMNS = 200  # of one expression: fewer are not worth counting
_MAX_ROUNDS = 12  # of a recursive query, until nothing new comes
_ORDER = frozenset([CLAUSES.index("order_by")])
# Here `a.b` is never the field b of a column a.
_NO_FIELDS = frozenset(
    {"postgres", "mysql", "tsql", "fabric", "oracle", "sqlite", "redshift", "teradata", "exasol"}
)


class UnknownTables(NamedTuple):
    """The sources of a scope that has tables only of which the catalogue knows nothing."""

    tables: frozenset[int]
    only: int | None  # the table where there is one
    rows: dict[str, Source]  # those whose name may stand for a row of them


class _Rules(NamedTuple):
    """What a dialect says of names in a query."""

    rows: bool  # a source's name stands for its rows
    reuses: bool  # an item may use the aliases of those before
    reuses_first: bool  # ... before a column of that name
    alias_clauses: frozenset[int]  # where an alias may stand
    alias_first: frozenset[int]  # ... before a column of that name


@cache
def _rules(dialect: str) -> _Rules:
    first = prefers_aliases(dialect)
    clauses = frozenset([CLAUSES.index(clause) for clause in clauses_with_aliases(dialect)])
    return _Rules(names_rows(dialect), reuses_aliases(dialect), first, clauses, clauses if first else _ORDER)


class Binder:
    """Binds the scopes of one program in order."""

    def __init__(self, program: Program, catalogue: Catalogue) -> None:
        dialect = program.dialect
        self.program = program
        self.dialect = dialect
        self.registry = Registry(program.identifier)
        self._catalogue = catalogue
        self.keys = program.keys
        self.results: list[ScopeColumns | None] = [None] * len(program.scopes)
        self.ambiguous: list[dict[str, tuple[int, frozenset[int]]]] = [{} for _ in program.scopes]
        # Columns that the catalogue says their table does not have.
        self.missing: list[dict[str, tuple[tuple[int, ...], Identifier]]] = [{} for _ in program.scopes]
        self.clauses: list[list[tuple[int, Ups]]] = [[] for _ in program.scopes]
        self._sources: list[list[Source] | None] = [None] * len(program.scopes)
        self.by_key: list[dict[str, Source] | None] = [None] * len(program.scopes)
        self.unknown: list[UnknownTables | None] = [None] * len(program.scopes)
        self._tables: dict[int, TableColumns] = {}
        rules = _rules(dialect)
        self._rows, self._reuses, self._reuses_first, self._alias_clauses, self._alias_first = rules
        self.work = Work()  # on this statement

    def table(self, number: int) -> TableColumns:
        """The columns of a real table."""
        found = self._tables.get(number)
        if found is None:
            names = self._catalogue.columns(number)
            found = self._tables[number] = TableColumns(self.registry, number, names, self.dialect)
        return found

    def forget(self, number: int) -> None:
        """The table's columns have changed."""
        self._tables.pop(number, None)

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

    # Sources

    def sources(self, number: int) -> list[Source]:
        """The sources of a scope that are bound by now."""
        cached = self._sources[number]
        if cached is not None:
            return cached
        out: list[Source] = []
        complete = all_unknown = True
        for alias, kind, target, aliases, using in self.program.scopes[number].sources:
            key = self.keys[alias] if alias >= 0 else ""
            if kind == TABLE:
                columns: Any = self.table(target)
                all_unknown = all_unknown and not columns.known and using is None and not aliases
            else:
                all_unknown = False
                columns = self.results[target]
                # A recursive scope's columns change from round to round.
                complete = complete and not self.program.scopes[target].flags & RECURSIVE
            if columns is None:
                complete = False
                continue
            if aliases:
                columns = self._renamed(columns, aliases)
            out.append(Source(key, columns, target if kind == TABLE else -1, using))
        if complete:
            self._sources[number] = out
            self.by_key[number] = {source.key: source for source in reversed(out)}
            if all_unknown and out:
                rows = {s.key: s for s in reversed(out) if self._rows and not self._is_bare_table(s)}
                tables = frozenset([source.table for source in out])
                self.unknown[number] = UnknownTables(tables, out[0].table if len(out) == 1 else None, rows)
        return out

    def _renamed(self, columns: Any, aliases: list[int]) -> ScopeColumns:
        items: list[Any] = []
        for place, item in enumerate(columns.items):
            if type(item) is OpenStar:
                rest = [self.whole(item)] * (len(aliases) - place)
                pairs = zip(aliases[place:], rest, strict=True)
                items += [(self.keys[alias], alias, ups) for alias, ups in pairs]
                break
            if place < len(aliases):
                item = (self.keys[aliases[place]], aliases[place], item[2])
            items.append(item)
        open_ups = getattr(columns, "open_ups", None)
        if open_ups is not None and len(items) < len(aliases):
            items += [(self.keys[a], a, open_ups) for a in aliases[len(items) :]]
        return ScopeColumns(items, open_ups)

    def whole(self, star: OpenStar) -> Ups:
        ups: Ups = {}
        for table in star.tables():
            ups[self.registry.number(table, "*", STAR)] = VALUE
        return ups

    # References

    def find(self, number: int, names: list[int], *, certain_only: bool = False) -> Ups | None:
        """What a reference means in a scope and, failing that, in those around it. AMBIGUOUS is an answer."""
        if len(names) == 1:
            return self._find_bare(number, names[0], certain_only)
        at = number
        while at >= 0:
            found = self._find_qualified(at, names)
            if found is not None:
                return found
            at = self.program.scopes[at].parent
        if self.program.scopes[number].flags & ANY_QUALIFIER:
            return self._find_bare(number, names[-1], certain_only)
        if self.keys[names[-1]] == "*":
            return None
        for source in self.sources(number):
            if type(source.columns) is TableColumns and source.columns.known:
                field = source.columns.find_path([self.keys[name] for name in names])
                if field is not None:
                    return field
        return self._find_bare(number, names[0], certain_only or self.dialect in _NO_FIELDS)

    def _find_qualified(self, number: int, names: list[int]) -> Ups | None:
        if len(names) == 2 and (by_key := self.by_key[number]) is not None:
            source = by_key.get(self.keys[names[0]])
            return None if source is None else self._column_of(number, source, names[1])
        sources = self.sources(number)
        wanted = self.keys[names[0]]
        for taken in range(len(names) - 1, 0, -1):
            for source in sources:
                if source.key == wanted if taken == 1 else self._is_named(source, names[:taken]):
                    return self._column_of(number, source, names[taken])
        return None

    def _column_of(self, number: int, source: Source, name: int) -> Ups:
        """A column that the text says is this source's."""
        key, columns = self.keys[name], source.columns
        if key == "*":
            return self._all_of(source)
        _, found = columns.find(key, name)
        if found is AMBIGUOUS:
            return self._give_up(number, name, columns.tables())
        if found is None and type(columns) is TableColumns:
            table = columns.table
            if not is_system_column(key):
                self.missing[number][f"{key} {table}"] = ((table,), self.program.identifier(name))
            found = {self.registry.number(table, key, name): VALUE}
        return found if found is not None else {}

    def _is_named(self, source: Source, names: list[int]) -> bool:
        """A qualifier of several parts is the source's own name, or its end."""
        if source.table < 0:
            return False
        own = [name for name in self.program.tables[source.table] if name >= 0]
        given = names[::-1]
        return all(self.keys[a] == self.keys[b] for a, b in zip(given, own, strict=False))

    def _all_of(self, source: Source) -> Ups:
        return self.all_ups(source.columns.items)

    def all_ups(self, items: list[Any]) -> Ups:
        """What all of these items depend on."""
        ups: Ups = {}
        for item in items:
            for column in self.whole(item) if type(item) is OpenStar else item[2]:
                ups[column] = VALUE
        return ups

    def _find_bare(self, number: int, name: int, certain_only: bool) -> Ups | None:
        at = number
        while at >= 0:
            found = self._find_here(at, name, certain_only)
            if found is not None:
                return found
            at = self.program.scopes[at].parent
        return None

    def _find_here(self, number: int, name: int, certain_only: bool) -> Ups | None:
        unknown = self.unknown[number]
        if unknown is not None:
            return self.find_in_unknown(number, unknown, name, certain_only)
        key = self.keys[name]
        sure: list[Ups] = []
        possible: list[Source] = []
        weak: list[Ups] = []
        merged = False
        sources = self._sources[number] or self.sources(number)
        self.work.done += len(sources)
        for source in sources:
            columns, using = source.columns, source.using
            if using is not None:
                if using is False:
                    continue
                merged = merged or using is True or any(self.keys[n] == key for n in using)
            if columns.__class__ is TableColumns:
                if not columns.known:
                    possible.append(source)
                elif (known := columns.find_known(key, name)) is not None:
                    sure.append(known)
                continue
            certain, found = columns.find(key, name)
            if found is None:
                continue
            if certain:
                sure.append(found)
            elif columns.open_ups is found:
                weak.append(found)
            else:
                possible.append(source)
        if sure and not merged:
            if len(sure) == 1:
                return sure[0]
            return self._give_up(number, name, {table for ups in sure for table in self._tables_of(ups)})
        if self._rows and not sure:
            for source in sources:
                if source.key == key and not self._is_bare_table(source):
                    return self._all_of(source)
        if sure or (possible and not certain_only):
            if not sure and (len(possible) > 1 and not merged):
                return self._give_up(number, name, {t for s in possible for t in s.columns.tables()})
            found_in = sure + [ups for s in possible if (ups := s.columns.find(key, name)[1]) is not None]
            if all(ups is not AMBIGUOUS for ups in found_in):
                return merge(found_in)
            return self._give_up(number, name, {t for s in possible for t in s.columns.tables()})
        if certain_only:
            return None
        if weak:
            return merge(weak)
        for source in sources:
            if source.key == key:  # a source's name stands for its whole row
                return self._all_of(source)
        return None

    def find_in_unknown(
        self, number: int, unknown: UnknownTables, name: int, certain_only: bool
    ) -> Ups | None:
        """The same where all sources are tables of which nothing is known, as they are without a schema."""
        key = self.keys[name]
        if key in unknown.rows:
            return self._all_of(unknown.rows[key])
        if certain_only:
            return None
        if unknown.only is not None:
            return {self.registry.number(unknown.only, key, name): VALUE}
        if key not in self.ambiguous[number]:
            self.ambiguous[number][key] = (name, unknown.tables)
        return {self.registry.number(-1, key, name): VALUE}

    def _is_bare_table(self, source: Source) -> bool:
        """A table under its own name: there a column of that name is likelier than the row."""
        return source.table >= 0 and self.keys[self.program.tables[source.table][0]] == source.key

    def _tables_of(self, ups: Ups) -> set[int]:
        return {self.registry.columns[column][0] for column in ups} - {-1}

    def _give_up(self, number: int, name: int, tables: Set[int]) -> Ups:
        """The column could come from several tables: remembered, and known by its name only."""
        found, key = self.ambiguous[number], self.keys[name]
        before = found.get(key)
        if before is None:
            found[key] = (name, frozenset(tables))
        elif not before[1] >= tables:
            found[key] = (before[0], before[1] | tables)
        return {self.registry.number(-1, key, name): VALUE}

    # Scopes

    def _bind_union(self, number: int, scope: Scope) -> None:
        parts: list[list[Any]] = []
        for _, _, target, aliases, _ in scope.sources:
            columns = self.results[target]
            if columns is not None:
                parts.append((self._renamed(columns, aliases) if aliases else columns).items)
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
        aliases_first = self._reuses_first
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
            ups = refs.gather(deps, self._reuses, aliases_first) if found is None else found
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
                use = clause in self._alias_clauses and not special
                found_clauses.append((clause, refs.columns(deps, use, use and clause in self._alias_first)))


class Refs:
    """What the references of one scope mean, each looked up once; `aliases` are its select list's so far."""

    def __init__(self, binder: Binder, number: int, scope: Scope) -> None:
        self.aliases: dict[str, Ups] = {}
        self._binder = binder
        self._number = number
        self._names = scope.refs
        self.resolved: list[Ups | None] = [None] * len(scope.refs)
        if scope.refs:
            self._find_early(scope)

    def _find_early(self, scope: Scope) -> None:
        """Looks up at once what can mean one thing only, and needs no schema: most of most queries."""
        binder, number, keys, resolved = self._binder, self._number, self._binder.keys, self.resolved
        binder.sources(number)
        by_key, unknown, registry = binder.by_key[number], binder.unknown[number], binder.registry
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
            ambiguous = binder.ambiguous[number] if table < 0 else None
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
                columns = self._binder.results[~target]
                for item in columns.items if columns is not None else ():
                    add(out, self._binder.whole(item) if type(item) is OpenStar else item[2], flags)
        if len(out) > _MANY_COLUMNS:
            self._binder.work.spend(len(out) * len(deps) // 2)
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
            self._binder.work.spend(len(out) * len(deps) // 2)
        return out

    def _look_up(self, target: int, use_aliases: bool, aliases_first: bool) -> Ups:
        binder, number, names = self._binder, self._number, self._names[target]
        alias = self.aliases.get(binder.keys[names[0]]) if use_aliases and self.aliases else None
        if alias is not None:
            # A qualifier is a source's name before it is an alias; so is a column that surely exists.
            sure = aliases_first and len(names) == 1
            certain = None if sure else binder.find(number, names, certain_only=True)
            return alias if certain is None else certain
        found = self.resolved[target]
        if found is None:
            unknown = binder.unknown[number] if len(names) == 1 else None
            if unknown is not None:
                found = binder.find_in_unknown(number, unknown, names[0], False)
            else:
                found = binder.find(number, names)
            if found is None:
                note_absent(binder, number, names)
                found = {}
            self.resolved[target] = found
        return found
