"""A table that a connector reads, and those that hang from it."""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from connectors.errors import ConfigError, ConnectorError
from connectors.model import Dataset, Resource
from connectors.tables.column import Column

if TYPE_CHECKING:
    from connectors.tables.resolver import TableResolver

_NAME, _TITLE, _DESCRIPTION = b"cq:table_name", b"cq:table_title", b"cq:table_description"
_PARENT, _INCREMENTAL = b"cq:table_depends_on", b"cq:extension:incremental"


class Table:
    """A table, with the CloudQuery SDK's arguments in their order. Raises ConnectorError where they contradict.

    How it is read: a subclass has a `resolver` property; or `resolve` is the generator itself, called with the
    client and the parent's record. `concurrency` bounds how many of its reads run at once; None leaves it to the
    connection.
    """

    def __init__(
        self,
        name: str,
        columns: Sequence[Column],
        title: str = "",
        description: str = "",
        parent: Table | None = None,
        relations: Iterable[Table] = (),
        is_incremental: bool = False,
        *,
        resolve: Callable[[Any, Any], Any] | None = None,
        concurrency: int | None = None,
    ) -> None:
        self.name = name
        self.columns = list(columns)
        self.title = title
        self.description = description
        self.parent = parent
        self.relations = list(relations or ())
        self.is_incremental = is_incremental
        self.concurrency = concurrency
        self._resolve = resolve
        for relation in self.relations:
            relation.parent = self
        if not name:
            raise ConnectorError("a table has no name")
        names = [column.name for column in self.columns]
        if twice := sorted({one for one in names if names.count(one) > 1}):
            raise ConnectorError(f"the table {name} has several columns named {', '.join(twice)}")
        if concurrency is not None and concurrency < 1:
            raise ConnectorError(f"the table {name} has a concurrency of {concurrency}; it is at least 1")

    def __repr__(self) -> str:
        return f"Table({self.name!r}, {len(self.columns)} columns)"

    @property
    def resolver(self) -> TableResolver:
        """What reads the table."""
        from connectors.tables.resolver import TableResolver

        return TableResolver(self, resolve=self._resolve)

    @property
    def primary_keys(self) -> list[str]:
        return [column.name for column in self.columns if column.primary_key]

    @property
    def incremental_keys(self) -> list[str]:
        return [column.name for column in self.columns if column.incremental_key]

    def index_column(self, column_name: str) -> int:
        """The place of a column. Raises ValueError when there is none of the name."""
        for place, column in enumerate(self.columns):
            if column.name == column_name:
                return place
        raise ValueError(f"the table {self.name} has no column {column_name}")

    def dataset(self) -> Dataset:
        """What the store must know of it.

        What hangs from an incremental table is incremental, whether it says so or not: it is read for new parents only.
        """
        above: Table | None = self
        while above is not None and not above.is_incremental:
            above = above.parent
        parent = self.parent.name if self.parent else None
        return Dataset(self.name, tuple(self.primary_keys), above is not None, parent)

    def resources(self) -> Iterator[Resource]:
        """The catalogue's entries for the table and its columns."""
        yield Resource(
            entity_type="table",
            databuilder_id=self.name,
            title=self.title or self.name,
            description=self.description or None,
        )
        for order, column in enumerate(self.columns):
            yield Resource(
                entity_type="column",
                databuilder_id=f"{self.name}.{column.name}",
                parent_databuilder_id=self.name,
                title=column.name,
                description=column.description or None,
                type=str(column.type),
                is_pk=column.primary_key,
                sort_order=order,
            )

    def to_arrow_schema(self) -> pa.Schema:
        """The table as an Arrow schema, with CloudQuery's metadata."""
        metadata = {
            _NAME: self.name,
            _DESCRIPTION: self.description,
            _TITLE: self.title,
            _PARENT: self.parent.name if self.parent else "",
            _INCREMENTAL: "true" if self.is_incremental else "false",
        }
        return pa.schema([column.to_arrow_field() for column in self.columns], metadata=metadata)

    @classmethod
    def from_arrow_schema(cls, schema: pa.Schema) -> Table:
        """The table that a schema with CloudQuery's metadata describes; its parent is known by name alone."""
        told = {key: value.decode("utf-8", "replace") for key, value in (schema.metadata or {}).items()}
        parent = told.get(_PARENT, "")
        return cls(
            told.get(_NAME, ""),
            [Column.from_arrow_field(field) for field in schema],
            title=told.get(_TITLE, ""),
            description=told.get(_DESCRIPTION, ""),
            parent=Table(parent, []) if parent else None,
            is_incremental=told.get(_INCREMENTAL) == "true",
        )


def flatten_tables(tables: Iterable[Table]) -> list[Table]:
    """The tables and all that hang from them, each before its relations; of one name the first."""
    found: dict[str, Table] = {}

    def walk(some: Iterable[Table]) -> None:
        for table in some:
            found.setdefault(table.name, table)
            walk(table.relations)

    walk(tables)
    return list(found.values())


def select_tables(
    tables: Iterable[Table],
    wanted: Sequence[str] = ("*",),
    skipped: Sequence[str] = (),
    skip_dependent: bool = False,
) -> list[Table]:
    """The tables whose names match a pattern of `wanted` and none of `skipped`, by CloudQuery's rules.

    A table brings its relations, unless `skip_dependent`; a relation that is asked for brings its parents; without a
    table, all below it are skipped. Unlike there, a relation brings no sibling that nobody asked for. Raises
    ConfigError for a pattern that matches none.
    """
    tables = list(tables)
    names = [table.name for table in flatten_tables(tables)]
    for key, patterns in (("tables", wanted), ("skip_tables", skipped)):
        for pattern in patterns:
            if not fnmatch.filter(names, pattern):
                raise ConfigError(
                    f"{key}: no table matches {pattern}", hint=f"there are {', '.join(names[:10]) or 'none'}"
                )
    chosen = (_selected(table, False, wanted, skipped, skip_dependent) for table in tables)
    return [table for table in chosen if table is not None]


def _selected(
    table: Table, above: bool, wanted: Sequence[str], skipped: Sequence[str], skip_dependent: bool
) -> Table | None:
    def matches(patterns: Sequence[str]) -> bool:
        return any(fnmatch.fnmatchcase(table.name, pattern) for pattern in patterns)

    if matches(skipped):
        return None
    taken = (above and not skip_dependent) or matches(wanted)
    relations = [_selected(one, taken, wanted, skipped, skip_dependent) for one in table.relations]
    kept = [one for one in relations if one is not None]
    if not taken and not kept:
        return None
    selected = copy.copy(table)
    selected.relations = kept
    for relation in kept:
        relation.parent = selected
    return selected
