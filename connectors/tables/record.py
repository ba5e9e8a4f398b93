"""One row as its resolvers see it: what the source gave, what the columns became, and its parent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connectors.tables.table import Table


class Record:
    """A row under way. `item` is what the table's `resolve` gave; `parent` is the row it hangs from, or None."""

    __slots__ = ("_set", "item", "parent", "table")

    def __init__(self, table: Table, parent: Record | None, item: Any) -> None:
        self.table = table
        self.parent = parent
        self.item = item
        self._set: dict[str, Any] | None = None

    def set(self, column_name: str, value: Any) -> None:
        """Gives a column its value. Raises ValueError when the table has no such column."""
        self.table.index_column(column_name)
        if self._set is None:
            self._set = {}
        self._set[column_name] = value

    def get(self, name: str, default: Any = None) -> Any:
        """A column's value as it was set, else the item's entry or attribute of the name."""
        if self._set is not None and name in self._set:
            return self._set[name]
        return value_of(self.item, name, default)

    def values(self) -> dict[str, Any]:
        """What was set, by column."""
        return {} if self._set is None else self._set


def value_of(item: Any, name: str, default: Any = None) -> Any:
    """An item's entry or attribute."""
    if isinstance(item, Mapping):
        return item.get(name, default)
    return getattr(item, name, default)


def parent(name: str) -> Any:
    """A column resolver: the parent record's value of a name. `Column("order_id", t, resolver=parent("id"))`."""

    def resolve(client: Any, record: Record, column: Any) -> Any:
        return None if record.parent is None else record.parent.get(name)

    return resolve


def path(dotted: str) -> Any:
    """A column resolver: what lies in the item at a path, such as "owner.name"; None where a part is absent."""
    names = dotted.split(".")

    def resolve(client: Any, record: Record, column: Any) -> Any:
        value = record.item
        for name in names:
            if value is None:
                return None
            value = value_of(value, name)
        return value

    return resolve
