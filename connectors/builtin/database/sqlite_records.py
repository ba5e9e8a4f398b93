"""SQLite's records: rows of any types, held to the types that their columns were declared with."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pyarrow as pa

from connectors.builtin.database.records import CopiedColumn, CopiedTable, Copy
from connectors.errors import ConnectorError
from connectors.model.naming import quoted
from connectors.tables.batches import Batches, Built
from connectors.tables.column import Column
from connectors.tables.table import Table

_ROWS = 10_000


class SqliteCopies:
    """Reads each table over a connection of its own."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect

    @contextmanager
    def copy(self, table: CopiedTable) -> Iterator[Copy]:
        """Raises ConnectorError where the table cannot be read."""
        columns = [
            Column(column.name, _type_of(column.type), primary_key=column.name in table.keys)
            for column in table.columns
        ]
        batches = Batches(Table(table.id, columns))
        try:
            with closing(self._connect()) as connection:
                yield Copy(batches.schema, _read(connection, table, batches))
        except sqlite3.Error as error:
            raise ConnectorError(" ".join(str(error).split())) from None


def _read(connection: sqlite3.Connection, table: CopiedTable, batches: Batches) -> Iterator[Built]:
    names = [column.name for column in table.columns]
    columns = ", ".join(_selected(column) for column in table.columns)
    cursor = connection.execute(f"select {columns} from main.{quoted(table.key.table)}")  # noqa: S608 - quoted names
    while rows := cursor.fetchmany(_ROWS):
        batches.add([dict(zip(names, row, strict=True)) for row in rows])
        if whole := batches.cut():
            yield batches.build(*whole)
    if rest := batches.cut(rest=True):
        yield batches.build(*rest)


def _selected(column: CopiedColumn) -> str:
    """SQLite's booleans are the numbers 0 and 1."""
    name = quoted(column.name)
    if _type_of(column.type) != pa.bool_():
        return name
    return f"case {name} when 1 then 'true' when 0 then 'false' else {name} end"


def _type_of(declared: str) -> pa.DataType:
    """By SQLite's own rules of affinity (https://www.sqlite.org/datatype3.html), but that booleans, which have none of
    their own, are told as such; what was declared without a type or with any other is text.
    """
    name = declared.upper()
    if "BOOL" in name:
        return pa.bool_()
    if "INT" in name:
        return pa.int64()
    if any(part in name for part in ("CHAR", "CLOB", "TEXT")):
        return pa.string()
    if "BLOB" in name:
        return pa.binary()
    if any(part in name for part in ("REAL", "FLOA", "DOUB", "NUMERIC", "DECIMAL")):
        return pa.float64()
    return pa.string()
