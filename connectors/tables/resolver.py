"""What reads a table: the class that an author subclasses, with the CloudQuery SDK's names and order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.errors import ConnectorError
from connectors.tables.cursors import Cursors, state_key
from connectors.tables.record import Record, value_of
from connectors.tables.table import Table


class TableResolver:
    """Reads a table. A subclass has a `resolve` that yields its rows; the rest may stay as it is."""

    def __init__(
        self,
        table: Table,
        child_resolvers: Sequence[TableResolver] | None = None,
        *,
        resolve: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        self._table = table
        self._child_resolvers = child_resolvers
        self._function = resolve
        self.state_client = Cursors({})

    @property
    def table(self) -> Table:
        return self._table

    @property
    def child_resolvers(self) -> Sequence[TableResolver]:
        """What reads the tables that hang from this one; by default their own resolvers."""
        if self._child_resolvers is None:
            self._child_resolvers = [table.resolver for table in self._table.relations]
        return self._child_resolvers

    def set_state_client(self, state_client: Cursors) -> None:
        """Gives it the cursors of its table's tree."""
        self.state_client = state_client

    def multiplex(self, client: Any) -> Sequence[Any]:
        """The clients for which the table is read, each by itself: accounts, regions."""
        return [client]

    def resolve(self, client: Any, parent_resource: Record | None) -> Any:
        """Yields the rows, as mappings or objects; may be an async generator. Each row of a parent table calls it with
        that row's record."""
        if self._function is None:
            raise ConnectorError(
                f"the table {self._table.name} has nothing that reads it",
                hint="give it a `resolver` property, or `resolve=` a generator",
            )
        return self._function(client, parent_resource)

    def pre_resource_resolve(self, client: Any, resource: Record) -> None:
        """Called with each row before its columns are set."""

    def resolve_column(self, client: Any, resource: Record, column_name: str) -> None:
        """Sets one column of a row: by default from the item's entry or attribute of that name."""
        value = value_of(resource.item, column_name, _ABSENT)
        if value is not _ABSENT:
            resource.set(column_name, value)

    def post_resource_resolve(self, client: Any, resource: Record) -> None:
        """Called with each row after its columns are set."""

    # -- cursors

    def get_cursor(self, client: Any = None, **part: str | int) -> str | None:
        """Where the table's last stored run left off, for this client and part, whatever this run sets."""
        return self.state_client.stored.get(self._cursor_key(client, part))

    def set_cursor(self, client: Any, value: str, **part: str | int) -> None:
        """Where the next run goes on, once this one's rows are stored. `part` tells what has a cursor of its own, such
        as `form=record.get("id")`.

        Raises ConnectorError where one cursor would stand for several: of clients without an `id()`, or of the parents
        of a table that hangs from another, which needs a `part`.
        """
        if self._table.parent is not None and not part:
            raise ConnectorError(
                f"{self._table.name} is read for many parents, and would have one cursor for all",
                hint="name the part: set_cursor(client, value, parent=record.get('id'))",
            )
        key = self._cursor_key(client, part)
        self.state_client.claim(key, client)
        self.state_client.set_key(key, value)

    def _cursor_key(self, client: Any, part: Mapping[str, str | int]) -> str:
        identity = getattr(client, "id", None)
        name = identity() if callable(identity) else identity
        return state_key(self._table.name, client_id=None if name is None else str(name), **part)


_ABSENT = object()
