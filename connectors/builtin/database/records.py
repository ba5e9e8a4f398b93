"""Copies the records of a database's tables, in batches: what a connection's `records` patterns name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pyarrow as pa
from sqlalchemy import Connection, RowMapping

from connectors.builtin.database.catalogue import TableKey
from connectors.errors import ConnectorError, HeadwaterError
from connectors.model import Dataset, TableReport
from connectors.model.naming import dotted
from connectors.tables.batches import Built

if TYPE_CHECKING:
    from connectors.builtin.database.connector import Database


class CopiedColumn(NamedTuple):
    """A column, with its type as the database calls it."""

    name: str
    type: str


@dataclass(frozen=True)
class CopiedTable:
    """A table whose records are copied. `id` is its resource's; `keys` are the columns of its primary key, by which
    its records are distinct.
    """

    id: str
    key: TableKey
    columns: Sequence[CopiedColumn]
    keys: Sequence[str]


@dataclass(frozen=True)
class Copy:
    """A table's records as they are read: their schema, and the batches."""

    schema: pa.Schema
    batches: Iterator[Built]


class _Refused(Exception):
    """A table that the store does not take."""


class OpensCopies(Protocol):
    """How a kind of database reads a table in bulk. What it raises is the table's failure, and no other's."""

    def copy(self, table: CopiedTable) -> AbstractContextManager[Copy]: ...


def wanted_tables(
    connector: Database, database: str, tables: Mapping[TableKey, RowMapping]
) -> list[TableKey]:
    """The tables that `records` names, with a warning for each pattern that names none."""
    patterns = connector.context.records
    ids = {dotted(database, *key): key for key in tables}
    for pattern in patterns:
        if not any(fnmatchcase(one, pattern) for one in ids):
            connector.warn(
                f"records: no table matches {pattern}; a table is database.schema.table, as in {_example(ids)}"
            )
    return [key for one, key in ids.items() if any(fnmatchcase(one, pattern) for pattern in patterns)]


def _example(ids: Mapping[str, Any]) -> str:
    return next(iter(ids), "shop.public.orders")


def copy_records(connector: Database, connection: Connection, tables: Sequence[CopiedTable]) -> None:
    """Copies the tables one after the other. What one of them fails with is in its report, and makes the run partial;
    the others go on.
    """
    source = connector.copies(connection)
    for table in tables:
        report = connector.report.tables[table.id] = TableReport()
        try:
            _copy(connector, source, table, report)
        except (ConnectorError, _Refused) as error:
            text = connector.context.redact(str(error))
            report.fail(text)
            connector.warn(f"{table.id}: its records could not be copied: {text}")


def _copy(connector: Database, source: OpensCopies, table: CopiedTable, report: TableReport) -> None:
    ingest = connector.context.ingest
    with source.copy(table) as copy:
        try:
            ingest.dataset(Dataset(table.id, tuple(table.keys), distinct=bool(table.keys)), copy.schema)
        except HeadwaterError as error:  # names that cannot be stored: of this table
            raise _Refused(str(error)) from error
        for built in copy.batches:
            for batch in built.batches:
                ingest.records(table.id, batch)
                report.rows += batch.num_rows
            for row in built.refused:
                ingest.refused(row)
                connector.reject(f"{table.id} {row.key} {row.column}", f"{row.value_type}: {row.cause}")
            report.refused += built.refused_rows
    report.settled = not report.refused
