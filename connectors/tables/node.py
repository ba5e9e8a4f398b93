"""A table in one sync: what reads it, what hangs from it, and what became of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from connectors.errors import ConnectorError
from connectors.model import TableReport
from connectors.tables.batches import Batches
from connectors.tables.record import Record
from connectors.tables.resolver import TableResolver
from connectors.tables.table import Table, flatten_tables

if TYPE_CHECKING:
    from connectors.connector import Connector

_HOOKS = ("pre_resource_resolve", "resolve_column", "post_resource_resolve")


class Node:
    """A table in one sync, with its rows under way and its tasks that wait."""

    def __init__(self, table: Table, resolver: TableResolver, children: list[Node]) -> None:
        self.table = table
        self.resolver = resolver
        self.children = children
        self.dataset = table.dataset()
        self.batches = Batches(table)
        self.report = TableReport()
        self.waiting: deque[tuple[Any, Record | None]] = deque()
        self.running = 0
        self.errors: list[Exception] = []
        kind = type(resolver)
        hooked = any(getattr(kind, hook) is not getattr(TableResolver, hook) for hook in _HOOKS)
        self.by_row = hooked or any(column.resolver for column in table.columns)

    @property
    def free(self) -> bool:
        return self.table.concurrency is None or self.running < self.table.concurrency

    def tree(self) -> Iterator[Node]:
        """It and all that hang from it."""
        yield self
        for child in self.children:
            yield from child.tree()

    def settle_below(self, whole: bool) -> None:
        """It was read to its end if those that it hangs from were, too."""
        self.report.whole = whole and self.report.whole
        for child in self.children:
            child.settle_below(self.report.whole)


def announce(connector: Connector, root: Table) -> Node:
    """The node of a table, declared and announced with all that hangs from it. Raises HeadwaterError for one that
    cannot be read or stored.
    """
    tables = flatten_tables([root])
    for table in tables:
        for resource in table.resources():
            connector.declare_resource(resource)
    node = _node(root.resolver, root)
    for one in node.tree():
        if not one.table.columns:
            raise ConnectorError(f"the table {one.table.name} has no columns")
        connector.report.tables[one.table.name] = one.report
        connector.context.ingest.dataset(one.dataset, one.batches.schema)
    return node


def refuse_twins(tables: Sequence[Table]) -> None:
    """Raises ConnectorError for tables of one name."""

    def names(some: Sequence[Table]) -> Iterator[str]:
        for table in some:
            yield table.name
            yield from names(table.relations)

    if len(flatten_tables(tables)) != len(every := list(names(tables))):
        twice = sorted({name for name in every if every.count(name) > 1})
        raise ConnectorError(f"several tables are named {', '.join(twice)}")


def _node(resolver: TableResolver, table: Table) -> Node:
    """A table's node, with those of the relations that were chosen."""
    kept = {relation.name: relation for relation in table.relations}
    below = [child for child in resolver.child_resolvers if child.table.name in kept]
    return Node(table, resolver, [_node(child, kept[child.table.name]) for child in below])
