"""The columns that a source offers to a query: of a table, known or not, or of another scope."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from lineage.names import Identifier, stored
from lineage.sql.binding.stored import StoredColumns, index_of
from lineage.sql.dialects import columns_fold, key_of
from lineage.sql.program import VALUE

_QUOTES: Final = ('"', "'")  # PIVOT names a column after a literal: 'jan', quotes included
Spelled = int | Identifier  # a name's number in the program, or a name from the catalogue
Ups = dict[int, int]  # column number -> the flags of all the ways it is used
STAR: Final = Identifier("*")


class Computed(Ups):
    """What an expression depends on, with its text (as the program holds it); plain copies of it are the same
    object.

    In a set operation every branch has its own: `texts` by column, and `text` is that of the first branch.
    """

    __slots__ = ("text", "texts")

    def __init__(self, ups: Ups, text: str | int | None, texts: dict[int, str | int] | None = None) -> None:
        super().__init__(ups)
        self.text = text
        self.texts = texts


class Twin(Ups):
    """A column that only its spelling tells from another one of its table."""

    __slots__ = ("table",)

    def __init__(self, ups: Ups, table: TableColumns) -> None:
        super().__init__(ups)
        self.table = table


# Several unknown tables behind one name: told apart by identity, never merged into other dependencies.
AMBIGUOUS: Final[Ups] = {-1: 0}


class Registry:
    """Numbers for the columns met while binding. `identify` gives a name as it was written."""

    def __init__(self, identify: Callable[[Spelled], Identifier]) -> None:
        self.identify = identify
        self.columns: list[tuple[int, Spelled]] = []  # table number (-1: not certain), name
        self._numbers: dict[tuple[int, str], int] = {}
        self._alone: dict[int, dict[str, Ups]] = {}

    def number(self, table: int, key: str, name: Spelled) -> int:
        found = self._numbers.get((table, key))
        if found is None:
            found = self._numbers[table, key] = len(self.columns)
            self.columns.append((table, name))
        return found

    def alone(self, table: int) -> dict[str, Ups]:
        """By key the columns of a table that were met so, each as what depends on it alone."""
        return self._alone.setdefault(table, {})


class TableColumns:
    """A real table. `names` are its columns as the catalogue stores them, None where it does not know it."""

    __slots__ = (
        *("_dialect", "_items", "_names", "_stored", "_twins", "_ups"),
        *("known", "registry", "table"),
    )

    def __init__(self, registry: Registry, table: int, names: Sequence[str] | None, dialect: str) -> None:
        self.registry = registry
        self.table = table
        self.known = names is not None
        self._names = names or ()
        self._dialect = dialect
        self._stored: dict[str, str] | None = None  # key -> name
        self._twins: dict[str, list[str]] = {}  # folded name -> names, of those that only case tells apart
        self._ups: dict[str, Ups] = {}
        self._items: list[Any] | None = None

    @property
    def items(self) -> list[Any]:
        """(key, name, ups) of each column, or an open star."""
        if not self.known:
            return [OpenStar(self)]  # which knows its table: kept here it would make a cycle
        if self._items is None:
            ups_of = self._ups_of
            self._items = [(key, self._identifier(n), ups_of(n)) for key, n in self._calling_keys()]
        return self._items

    def find(self, key: str, name: Spelled) -> tuple[bool, Ups | None]:
        """Whether it is certain, and what the column depends on; None when there is no such column."""
        if not self.known:
            return False, {self.registry.number(self.table, key, name): VALUE}
        return True, self.find_known(key, name)

    def find_known(self, key: str, name: Spelled) -> Ups | None:
        """The same, of a table that the catalogue knows.

        A name that several columns answer to equally is of this table, under the name as it is written.
        """
        found = self._by_key().get(key)
        if self._twins and (twins := self._twins.get(key.lstrip('"').lower())):
            written = self.registry.identify(name)
            text = stored(written, self._dialect)
            fitting = [twin for twin in twins if twin == text]
            if not fitting and columns_fold(written.quoted, self._dialect):
                fitting = twins
            if len(fitting) > 1:
                return {self.registry.number(self.table, key, name): VALUE}
            found = fitting[0] if fitting else None
        return None if found is None else self._ups.get(found) or self._ups_of(found)

    def _by_key(self) -> dict[str, str]:
        if self._stored is None:
            names, dialect = self._names, self._dialect
            found = names.keyed(dialect) if isinstance(names, StoredColumns) else index_of(names, dialect)
            self._stored, self._twins = found
        return self._stored

    def _identifier(self, name: str) -> Identifier:
        """A stored name as one would write it: in quotes where only they tell it from another one."""
        return Identifier(name, name.lower() in self._twins)

    def find_path(self, keys: list[str]) -> Ups | None:
        """The field of a struct, where the catalogue lists fields by their whole path."""
        path = ".".join(keys)
        return self.find_known(path, Identifier(path)) if self.known else None

    def tables(self) -> set[int]:
        return {self.table}

    def _ups_of(self, stored: str) -> Ups:
        ups = self._ups.get(stored)
        if ups is None:
            number = self.registry.number(self.table, '"' + stored, self._identifier(stored))
            ups = {number: VALUE}
            if stored.lower() in self._twins:
                ups = Twin(ups, self)
            self._ups[stored] = ups
        return ups

    def _calling_keys(self) -> Iterator[tuple[str, str]]:
        """By which key queries call each column: the one of the unquoted name, if that finds it."""
        stored = self._by_key()
        for name in self._names:
            bare = key_of(name, False, self._dialect)
            yield (bare if stored.get(bare) == name else key_of(name, True, self._dialect)), name


class OpenStar:
    """All columns of a table that the catalogue does not know, but for some.

    `also` are the stars that stand at the same place in the other branches of a set operation.
    """

    __slots__ = ("also", "except_", "renamed", "table", "weight")

    def __init__(
        self,
        table: TableColumns,
        except_: frozenset[str] = frozenset(),
        renamed: dict[str, tuple[str, Spelled]] | None = None,
        also: tuple[OpenStar, ...] = (),
    ) -> None:
        self.table = table
        self.except_ = except_
        self.renamed = renamed
        self.also = also
        self.weight: int = 1 + sum(star.weight for star in also)  # how many stars it is

    def without(self, names: frozenset[str], renamed: dict[str, tuple[str, Spelled]]) -> OpenStar:
        """The same star with fewer columns, and some under new names."""
        also = tuple(star.without(names, renamed) for star in self.also)
        return OpenStar(self.table, self.except_ | names, {**(self.renamed or {}), **renamed} or None, also)

    def beside(self, other: OpenStar) -> OpenStar:
        """The star of a set operation of two."""
        return OpenStar(self.table, self.except_, self.renamed, (*self.also, other))

    def find(self, key: str, name: Spelled) -> Ups | None:
        """What a column depends on, None when it is not among these; in a set operation it is of every branch."""
        found = self._find_own(key, name)
        for star in self.also:
            other = star.find(key, name)
            if other is not None:
                found = other if found is None else {**found, **other}
        return found

    def _find_own(self, key: str, name: Spelled) -> Ups | None:
        if key in self.except_:
            return None
        if self.renamed and key in self.renamed:
            key, name = self.renamed[key]
        return {self.table.registry.number(self.table.table, key, name): VALUE}

    def tables(self) -> set[int]:
        return self.table.tables().union(*[star.tables() for star in self.also])


class ScopeColumns:
    """The outputs of a scope: items are (key, name or None, ups) or an OpenStar."""

    __slots__ = ("_indexed", "by_key", "items", "open_ups", "stars", "twins")

    def __init__(self, items: list[Any], open_ups: Ups | None = None) -> None:
        self.items = items
        self.open_ups = open_ups
        self._indexed = False  # nobody asks the outermost query's

    def _index(self) -> None:
        self._indexed = True
        self.by_key: dict[str, Ups] = {}
        self.stars: list[OpenStar] = []
        self.twins: dict[str, TableColumns] = {}  # by key the table that must tell such columns apart
        by_key = self.by_key
        for item in self.items:
            if type(item) is OpenStar:
                self.stars.append(item)
            elif item[0] not in by_key:
                by_key[item[0]] = item[2]
                if item[0][:1] in _QUOTES:
                    by_key.setdefault(item[0].strip("\"'").lower(), item[2])
            elif type(item[2]) is Twin and item[2].table is getattr(by_key[item[0]], "table", None):
                self.twins[item[0]] = item[2].table

    def find(self, key: str, name: Spelled) -> tuple[bool, Ups | None]:
        if not self._indexed:
            self._index()
        if key in self.twins:
            return True, self.twins[key].find_known(key, name)
        ups = self.by_key.get(key)
        if ups is None and key[:1] == '"':
            ups = self.by_key.get(key[1:].lower())
        if ups is not None:
            return True, ups
        return False, self._find_in_stars(key, name) if self.stars else self.open_ups

    def _find_in_stars(self, key: str, name: Spelled) -> Ups | None:
        possible = [found for star in self.stars if (found := star.find(key, name)) is not None]
        if not possible:
            return self.open_ups
        return possible[0] if len(possible) == 1 else AMBIGUOUS

    def tables(self) -> set[int]:
        if not self._indexed:
            self._index()
        return set[int]().union(*[star.tables() for star in self.stars])


class Source:
    """A source of a scope, as bound: under which key, and what columns it offers.

    `table` is its number when it is a real table, else -1.
    """

    __slots__ = ("columns", "key", "table", "using")

    def __init__(self, key: str, columns: Any, table: int, using: Any) -> None:
        self.key = key
        self.columns = columns
        self.table = table
        self.using = using
