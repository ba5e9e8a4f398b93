"""PostgreSQL's records: binary COPY into Arrow, in the snapshot that the catalogue was read in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import URL, Connection, text

from connectors.builtin.database.records import CopiedColumn, CopiedTable, Copy
from connectors.config.secrets import Redactor
from connectors.errors import ConnectorError
from connectors.model.naming import quoted
from connectors.tables.batches import Built

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

_NATIVE = {
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
    "bytea": pa.binary(),
    "text": pa.string(),
}
# Arrow has no infinite times; they are told as null.
_TIMES = {
    "date": pa.date32(),
    "timestamp without time zone": pa.timestamp("us"),
    "timestamp with time zone": pa.timestamp("us", "UTC"),
}
_NUMERIC = re.compile(r"numeric\((\d+),(-?\d+)\)")
_MOST_DIGITS = 38  # of Arrow's decimal
_HINT_BYTES = 4 * 1024 * 1024  # of one batch, as the driver gathers it


class PostgresCopies:
    """Opens a connection for each table, so that what one fails with does not end the next."""

    def __init__(self, url: URL, connection: Connection, redact: Redactor) -> None:
        self._uri = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._snapshot = str(connection.execute(text("select pg_export_snapshot()")).scalar_one())
        self._redact = redact

    @contextmanager
    def copy(self, table: CopiedTable) -> Iterator[Copy]:
        """Raises ConnectorError where the table cannot be read."""
        from adbc_driver_manager import Error
        from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]  # it has none

        try:
            with dbapi.connect(self._uri, autocommit=False) as connection:
                self._begin(connection)
                with connection.cursor() as cursor:
                    cursor.adbc_statement.set_options(
                        **{"adbc.postgresql.batch_size_hint_bytes": str(_HINT_BYTES)}
                    )
                    cursor.execute(_query(table))
                    reader = cursor.fetch_record_batch()
                    schema = pa.schema([(column.name, _type_of(column)) for column in table.columns])
                    yield Copy(schema, _converted(reader, schema, table))
        except Error as error:
            # Not chained: a driver's error may hold the connection string.
            raise ConnectorError(self._redact(" ".join(str(error).split())[:300])) from None

    def _begin(self, connection: AdbcConnection) -> None:
        with connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read, read only")
            cursor.execute(f"set transaction snapshot '{self._snapshot}'")
            cursor.execute("set local search_path = pg_catalog")
            cursor.execute("set local statement_timeout = 0")


def _query(table: CopiedTable) -> str:
    columns = ", ".join(f"{_selected(column)} as {quoted(column.name)}" for column in table.columns)
    return f"select {columns} from {quoted(table.key.schema)}.{quoted(table.key.table)}"  # noqa: S608 - quoted names


def _selected(column: CopiedColumn) -> str:
    name, kind = quoted(column.name), column.type
    if kind in _NATIVE or kind.startswith(("character", '"char"')):
        return name if kind != '"char"' else f"{name}::text"
    if kind in _TIMES:
        return f"case when pg_catalog.isfinite({name}) then {name} end"
    if _decimal(kind):
        return f"nullif({name}, 'NaN')::text"  # Arrow's decimal has no NaN
    if kind.endswith("[]"):
        return f"pg_catalog.to_json({name})::text"
    return f"{name}::text"


def _type_of(column: CopiedColumn) -> pa.DataType:
    """Arrow's type of a column: text for what Arrow has no type for, numbers of unlimited digits among them."""
    return _NATIVE.get(column.type) or _TIMES.get(column.type) or _decimal(column.type) or pa.string()


def _decimal(kind: str) -> pa.DataType | None:
    found = _NUMERIC.fullmatch(kind)
    digits, scale = map(int, found.groups()) if found else (0, 0)
    if not found or digits > _MOST_DIGITS or not 0 <= scale <= digits:
        return None
    return pa.decimal128(digits, scale)


def _converted(reader: pa.RecordBatchReader, schema: pa.Schema, table: CopiedTable) -> Iterator[Built]:
    for batch in reader:
        arrays: list[Any] = [
            array if array.type == field.type else pc.cast(array, field.type)
            for array, field in zip(batch.columns, schema, strict=True)
        ]
        yield Built([pa.RecordBatch.from_arrays(arrays, schema=schema)], [], 0)
