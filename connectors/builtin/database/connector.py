"""Reads a database's catalogue: a fixed number of queries, whatever the number of tables."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, ClassVar

from sqlalchemy import Connection, Engine, RowMapping, text
from sqlalchemy.exc import DBAPIError

from connectors.builtin.database.catalogue import (
    VIEWS,
    ColumnKeys,
    Queries,
    Query,
    TableKey,
    column_resource,
    database_resource,
    schema_resource,
    table_resource,
)
from connectors.builtin.database.records import (
    CopiedColumn,
    CopiedTable,
    OpensCopies,
    copy_records,
    wanted_tables,
)
from connectors.connector import Connector
from connectors.errors import AuthFailed, ConnectorError
from connectors.model import CheckResult, DeclaredLineage, InternalResource, TablesFromSQLQuery
from connectors.model.naming import dotted

ROWS_AT_ONCE = 5_000
OURS = "_headwater_"  # how tables begin in which sinks note what they have delivered
NO_KEYS = ColumnKeys()


class Database(Connector):
    """What all database connectors share. A subclass gives queries, an engine, and what its errors mean."""

    copies_records = True
    queries: ClassVar[Queries]
    capabilities: ClassVar[tuple[str, ...]] = ("reach", "read tables", "read view definitions")

    @abstractmethod
    def engine(self) -> Engine:
        """A new engine. It must not connect."""

    @abstractmethod
    def failure(self, error: DBAPIError) -> ConnectorError:
        """What the driver's error means."""

    @abstractmethod
    def copies(self, connection: Connection) -> OpensCopies:
        """What reads tables in bulk, of the state that the connection sees."""

    def prepare(self, connection: Connection) -> None:
        """Sets a new connection up for reading."""

    def guard(self, connection: Connection) -> AbstractContextManager[Any]:
        """Keeps the connection usable when the query within fails."""
        return nullcontext()

    # -- what it does

    def extract(self) -> None:
        with self._session() as connection:
            database = self._database(connection)
            self.declare_resource(database_resource(database))
            self._schemas(connection, database)
            tables = self._tables(connection)
            self._declare_tables(connection, database, tables)
            wanted = wanted_tables(self, database, tables)
            copied = self._columns(connection, database, tables, wanted)
            if copied:
                copy_records(self, connection, copied)

    def check(self) -> Iterable[CheckResult]:
        passed: list[CheckResult] = []
        try:
            with self._session() as connection:
                passed = [CheckResult(capability, True) for capability in self.capabilities[:-2]]
                tables = self._tables(connection)
                passed.append(_read_tables(tables))
                passed.append(self._read_definitions(connection, tables))
        except ConnectorError as error:
            failed = self.capabilities[len(passed)]
            if isinstance(error, AuthFailed):
                passed, failed = [CheckResult("reach", True)], "authenticate"
            passed.append(CheckResult(failed, False, error.message, error.hint))
        return passed

    # -- steps

    @contextmanager
    def _session(self) -> Iterator[Connection]:
        engine = self.engine()
        try:
            with engine.connect() as connection:
                self.prepare(connection)
                yield connection
        except DBAPIError as error:
            # Not chained: a driver's error may hold the connection string.
            raise self.failure(error) from None
        finally:
            engine.dispose()

    def _database(self, connection: Connection) -> str:
        return str(connection.execute(text(self.queries.database.bulk)).scalar_one())

    def _schemas(self, connection: Connection, database: str) -> None:
        rows = list(connection.execute(text(self.queries.schemas.bulk)).mappings())
        for pattern in self.config.without_match(row["schema_name"] for row in rows):
            self.warn(f"{database}: no schema that this user can see matches {pattern!r} of `schemas`")
        for row in rows:
            if self.config.takes_schema(row["schema_name"]):
                self.declare_resource(schema_resource(database, row))

    def _tables(self, connection: Connection) -> dict[TableKey, RowMapping]:
        rows = connection.execute(text(self.queries.tables.bulk)).mappings()
        keyed = ((TableKey(row["schema_name"], row["table_name"]), row) for row in rows)
        return {
            key: row
            for key, row in keyed
            if self.config.takes_schema(key.schema)
            and self.config.takes_table(*key)
            and not key.table.startswith(OURS)
        }

    def _declare_tables(
        self, connection: Connection, database: str, tables: Mapping[TableKey, RowMapping]
    ) -> None:
        definitions = self._definitions(connection, tables)
        for key, row in tables.items():
            sql = definitions.get(key)
            self.declare_resource(table_resource(database, row, sql))
            if sql:
                self.declare_lineage(self._view_lineage(database, key, sql))
            elif key in definitions:
                self.warn(f"{dotted(database, *key)}: the view's definition could not be read")

    def _definitions(
        self, connection: Connection, tables: Mapping[TableKey, RowMapping]
    ) -> dict[TableKey, str | None]:
        views = [key for key, row in tables.items() if row["kind"] in VIEWS]
        if not views:
            return {}
        return {
            _key(row): row["definition"] for row in self._rows(connection, self.queries.definitions, views)
        }

    def _view_lineage(self, database: str, key: TableKey, sql: str) -> DeclaredLineage:
        # Where a system leaves names in a view's text open, it looks them up in the view's own schema.
        query = TablesFromSQLQuery(
            sql=sql, dialect=self.dialect, default_database=database, default_schema=key.schema
        )
        view = InternalResource(databuilder_id=dotted(database, *key))
        return DeclaredLineage(from_identifier=query, to_identifier=view)

    def _columns(
        self,
        connection: Connection,
        database: str,
        tables: Mapping[TableKey, RowMapping],
        wanted: Sequence[TableKey],
    ) -> list[CopiedTable]:
        """Declares the columns; gives the wanted tables with theirs."""
        keys = self._keys(connection, database, tables)
        columns: dict[TableKey, list[CopiedColumn]] = {key: [] for key in wanted}
        for row in self._rows(connection, self.queries.columns, tables):
            if (key := _key(row)) in tables:
                column_keys = keys.get((key, row["column_name"]), NO_KEYS)
                self.declare_resource(column_resource(database, row, column_keys))
                if key in columns:
                    columns[key].append(CopiedColumn(row["column_name"], row["data_type"] or ""))
        return [
            CopiedTable(
                dotted(database, *key),
                key,
                columns[key],
                [c.name for c in columns[key] if keys.get((key, c.name), NO_KEYS).primary],
            )
            for key in wanted
            if columns[key]
        ]

    def _keys(
        self, connection: Connection, database: str, tables: Iterable[TableKey]
    ) -> dict[tuple[TableKey, str], ColumnKeys]:
        found: dict[tuple[TableKey, str], ColumnKeys] = {}
        for row in self._rows(connection, self.queries.keys, tables):
            keys = found.setdefault((_key(row), row["column_name"]), ColumnKeys())
            if row["to_table"] is None:
                keys.primary = True
            else:
                target = dotted(database, row["to_schema"], row["to_table"], row["to_column"])
                keys.references = (*keys.references, target)
        return found

    def _read_definitions(self, connection: Connection, tables: Mapping[TableKey, RowMapping]) -> CheckResult:
        views = [key for key, row in tables.items() if row["kind"] in VIEWS]
        found = self._definitions(connection, tables)
        missing = [key for key in views if not found.get(key)]
        message = f"{len(views) - len(missing)} of {len(views)} views"
        if missing:
            message += f"; not {dotted(*missing[0])}"
        return CheckResult("read view definitions", not missing, message)

    # -- asking

    def _rows(self, connection: Connection, query: Query, tables: Iterable[TableKey]) -> Iterable[RowMapping]:
        if query.each is None:
            return self._stream(connection, query)
        try:
            with self.guard(connection):
                return list(connection.execute(text(query.bulk)).mappings())
        except DBAPIError as error:
            self._go_on(error)
        return self._one_by_one(connection, query, query.each, tables)

    def _stream(self, connection: Connection, query: Query) -> Iterator[RowMapping]:
        options = {"yield_per": ROWS_AT_ONCE}
        try:
            with self.guard(connection):
                yield from connection.execute(text(query.bulk), execution_options=options).mappings()
        except DBAPIError as error:
            self._go_on(error)
            self.warn(f"{query.what} could not be read: {cause_of(error)}")

    def _one_by_one(
        self, connection: Connection, query: Query, sql: str, tables: Iterable[TableKey]
    ) -> Iterator[RowMapping]:
        for key in tables:
            names = {"schema_name": key.schema, "table_name": key.table}
            try:
                with self.guard(connection):
                    yield from connection.execute(text(sql), names).mappings().all()
            except DBAPIError as error:
                self._go_on(error)
                self.warn(f"{dotted(*key)}: {query.what} could not be read: {cause_of(error)}")

    def _go_on(self, error: DBAPIError) -> None:
        """Only a lost connection ends the extract; anything else is a query's own failure."""
        if error.connection_invalidated:
            raise error


def _read_tables(tables: Mapping[TableKey, RowMapping]) -> CheckResult:
    closed = [key for key, row in tables.items() if not row["readable"]]
    message = f"{len(tables)} tables and views"
    if closed:
        message += f"; the records of {len(closed)} are closed to this user, such as {dotted(*closed[0])}"
    if not tables:
        hint = "look at `schemas`, `include` and `exclude`, and at what this user may see"
        return CheckResult("read tables", False, "no table was found", hint)
    return CheckResult("read tables", True, message)


def _key(row: RowMapping) -> TableKey:
    return TableKey(row["schema_name"], row["table_name"])


def cause_of(error: DBAPIError) -> str:
    """The driver's message in one line of bounded length."""
    line = " ".join(str(error.orig).split())
    return line if len(line) <= 300 else line[:299] + "…"
