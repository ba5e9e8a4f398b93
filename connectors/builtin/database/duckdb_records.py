"""DuckDB's records, which are Arrow already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from connectors.builtin.database.records import CopiedTable, Copy
from connectors.errors import ConnectorError
from connectors.model.naming import quoted
from connectors.tables.batches import Built

_ROWS = 100_000


class DuckDBCopies:
    """Reads tables over a connection's own cursors."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @contextmanager
    def copy(self, table: CopiedTable) -> Iterator[Copy]:
        """Raises ConnectorError where the table cannot be read."""
        import duckdb

        columns = ", ".join(quoted(column.name) for column in table.columns)
        query = f"select {columns} from {quoted(table.key.schema)}.{quoted(table.key.table)}"  # noqa: S608 - quoted names
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("set TimeZone = 'UTC'")
                reader = cursor.sql(query).to_arrow_reader(_ROWS)
                yield Copy(reader.schema, (Built([batch], [], 0) for batch in reader))
        except duckdb.Error as error:
            raise ConnectorError(" ".join(str(error).split())[:300]) from None
