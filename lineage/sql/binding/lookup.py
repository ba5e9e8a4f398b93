"""What a name means in a scope: which columns of which source, seen from there."""

from __future__ import annotations

from collections.abc import Set
from typing import Any, Final

from lineage.names import Identifier
from lineage.sql.binding.catalogue import Catalogue
from lineage.sql.binding.columns import (
    AMBIGUOUS,
    STAR,
    OpenStar,
    Registry,
    ScopeColumns,
    Source,
    TableColumns,
    Ups,
)
from lineage.sql.binding.combine import merge
from lineage.sql.binding.work import Work
from lineage.sql.dialects import is_system_column, names_rows
from lineage.sql.program import ANY_QUALIFIER, RECURSIVE, TABLE, VALUE, Program

# Here `a.b` is never the field b of a column a.
_NO_FIELDS: Final = frozenset(
    {"postgres", "mysql", "tsql", "fabric", "oracle", "sqlite", "redshift", "teradata", "exasol"}
)


class UnknownTables:
    """The sources of a scope that has tables only of which the catalogue knows nothing.

    `only` is the table where there is one; `rows` are those whose name may stand for a row of them.
    """

    __slots__ = ("only", "rows", "tables")

    def __init__(self, tables: frozenset[int], only: int | None, rows: dict[str, Source]) -> None:
        self.tables = tables
        self.only = only
        self.rows = rows


class Lookup:
    """The scopes of one program as far as they are bound, and the tables they read."""

    def __init__(self, program: Program, catalogue: Catalogue) -> None:
        self.program = program
        self.dialect = program.dialect
        self.registry = Registry(program.identifier)
        self._catalogue = catalogue
        self.keys = program.keys
        self.results: list[ScopeColumns | None] = [None] * len(program.scopes)
        self.ambiguous: list[dict[str, tuple[int, frozenset[int]]]] = [{} for _ in program.scopes]
        # Columns that the catalogue says their table does not have.
        self.missing: list[dict[str, tuple[tuple[int, ...], Identifier]]] = [{} for _ in program.scopes]
        self._sources: list[list[Source] | None] = [None] * len(program.scopes)
        self.by_key: list[dict[str, Source] | None] = [None] * len(program.scopes)
        self.unknown: list[UnknownTables | None] = [None] * len(program.scopes)
        self._tables: dict[int, TableColumns] = {}
        self._rows = names_rows(program.dialect)
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
                columns = self.renamed(columns, aliases)
            out.append(Source(key, columns, target if kind == TABLE else -1, using))
        if complete:
            self._sources[number] = out
            self.by_key[number] = {source.key: source for source in reversed(out)}
            if all_unknown and out:
                rows = {s.key: s for s in reversed(out) if self._rows and not self._is_bare_table(s)}
                tables = frozenset([source.table for source in out])
                self.unknown[number] = UnknownTables(tables, out[0].table if len(out) == 1 else None, rows)
        return out

    def renamed(self, columns: Any, aliases: list[int]) -> ScopeColumns:
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
            if type(columns) is TableColumns:
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
