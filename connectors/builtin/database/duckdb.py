"""DuckDB files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import Field
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from connectors.builtin.database.catalogue import Queries, Query
from connectors.builtin.database.connector import Database, cause_of
from connectors.builtin.database.duckdb_dialect import NAME
from connectors.builtin.database.duckdb_records import DuckDBCopies
from connectors.builtin.database.file_address import database_file_addresses
from connectors.builtin.database.selection import Selection
from connectors.errors import ConnectorError, UnexpectedAnswer, Unreachable

_MAGIC = b"DUCK"  # after a checksum of eight bytes

_OURS = "database_name = current_database() and not internal"
_QUERIES = Queries(
    database=Query("the database's name", "select current_database()"),
    schemas=Query(
        "schemas",
        """
        select schema_name, comment from duckdb_schemas()
        where database_name = current_database() and schema_name not in ('information_schema', 'pg_catalog')
        order by all
        """,
    ),
    tables=Query(
        "tables",
        f"""
        select schema_name, table_name, 'table' as kind, comment, null as owner,
               estimated_size as row_estimate, true as readable
        from duckdb_tables() where {_OURS} and not temporary
        union all
        select schema_name, view_name, 'view', comment, null, null, true
        from duckdb_views() where {_OURS} and not temporary
        order by 1, 2
        """,  # noqa: S608 - fixed text
    ),
    definitions=Query(
        "view definitions",
        f"select schema_name, view_name as table_name, sql as definition from duckdb_views() where {_OURS}",  # noqa: S608
    ),
    keys=Query(
        "keys",
        """
        select schema_name, table_name, unnest(constraint_column_names) as column_name,
               if(constraint_type = 'FOREIGN KEY', schema_name, null) as to_schema,
               if(constraint_type = 'FOREIGN KEY', referenced_table, null) as to_table,
               unnest(if(constraint_type = 'FOREIGN KEY', referenced_column_names, [])) as to_column
        from duckdb_constraints()
        where database_name = current_database() and constraint_type in ('PRIMARY KEY', 'FOREIGN KEY')
        """,
    ),
    columns=Query(
        "columns",
        f"""
        select schema_name, table_name, column_name, column_index as position, data_type,
               is_nullable as nullable, coalesce(generation_expression, column_default) as default_value,
               is_generated as generated, comment
        from duckdb_columns() where {_OURS} order by schema_name, table_name, column_index
        """,  # noqa: S608
    ),
)


class DuckDB(Database):
    """Reads the catalogue of a DuckDB file, which is opened read-only."""

    platform = "duckdb"
    kinds = frozenset({"duckdb"})
    dialect = "duckdb"
    queries = _QUERIES

    class Config(Selection):
        """A DuckDB file."""

        path: str = Field(
            description="The database file", min_length=1, json_schema_extra={"format": "file-path"}
        )

    @property
    def _file(self) -> Path:
        return self.path(self.config.path)

    def addresses(self) -> Iterable[str]:
        return database_file_addresses("duckdb", self._file)

    def engine(self) -> Engine:
        _must_be_duckdb(self._file)
        return create_engine(f"{NAME}://", creator=self._connect, poolclass=NullPool)

    def _connect(self) -> Any:
        import duckdb

        connection = duckdb.connect(str(self._file), read_only=True)
        # A view over an extension's function must not download the extension.
        connection.execute("set autoinstall_known_extensions = false")
        return connection

    def copies(self, connection: Connection) -> DuckDBCopies:
        return DuckDBCopies(connection.connection.driver_connection)

    def failure(self, error: DBAPIError) -> ConnectorError:
        cause = cause_of(error)
        if error.statement is not None:
            return ConnectorError(f"{self._file}: its catalogue cannot be read: {cause}")
        if "lock" in cause or "different configuration" in cause:
            hint = "let the program that has it open for writing finish, then try again"
            return Unreachable(f"{self._file} is in use: {cause}", hint=hint, retryable=True)
        return UnexpectedAnswer(f"{self._file} cannot be opened: {cause}", hint="look at `path`")


def _must_be_duckdb(file: Path) -> None:
    """DuckDB itself would try to load an extension for a file of another kind."""
    try:
        with file.open("rb") as stream:
            head = stream.read(12)
    except OSError as error:
        raise Unreachable(f"{file} cannot be read: {error.strerror}", hint="look at `path`") from None
    if head[8:] != _MAGIC:
        raise UnexpectedAnswer(f"{file} is not a DuckDB database", hint="look at `path`")
