"""SQLite files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from pydantic import Field
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from connectors.builtin.database.catalogue import Queries, Query
from connectors.builtin.database.connector import Database, cause_of
from connectors.builtin.database.file_address import database_file_addresses
from connectors.builtin.database.selection import Selection
from connectors.builtin.database.sqlite_records import SqliteCopies
from connectors.errors import ConnectorError, UnexpectedAnswer, Unreachable

# The tables in which a virtual table keeps its data are no tables of the user's; older versions cannot tell.
_NO_SHADOW = (
    "and name not in (select name from pragma_table_list where schema = 'main' and type = 'shadow')"
    if sqlite3.sqlite_version_info >= (3, 37)
    else ""
)
_OURS = f"type in ('table', 'view') and substr(name, 1, 7) <> 'sqlite_' {_NO_SHADOW}"
_COLUMNS = """
    select 'main' as schema_name, m.name as table_name, x.name as column_name, x.cid + 1 as position,
           x.type as data_type, not x."notnull" as nullable, x.dflt_value as default_value,
           x.hidden in (2, 3) as generated, null as comment
    from ({tables}) m join pragma_table_xinfo(m.name) x
    where x.hidden <> 1
"""
_QUERIES = Queries(
    database=Query("the database's name", "select file from pragma_database_list where name = 'main'"),
    schemas=Query("schemas", "select 'main' as schema_name, null as comment"),
    tables=Query(
        "tables",
        f"""
        select 'main' as schema_name, name as table_name, null as comment, null as owner,
               null as row_estimate, 1 as readable,
               case when type = 'view' then 'view'
                    when sql like 'create virtual%' then 'virtual table' else 'table' end as kind
        from sqlite_master where {_OURS} order by name
        """,  # noqa: S608 - fixed text
    ),
    definitions=Query(
        "view definitions",
        """
        select 'main' as schema_name, name as table_name, sql as definition
        from sqlite_master where type = 'view'
        """,
    ),
    keys=Query(
        "keys",
        """
        select 'main' as schema_name, m.name as table_name, f."from" as column_name, 'main' as to_schema,
               f."table" as to_table,
               coalesce(f."to", (select p.name from pragma_table_info(f."table") p
                                 where p.pk = f.seq + 1)) as to_column
        from sqlite_master m join pragma_foreign_key_list(m.name) f where m.type = 'table'
        union all
        select 'main', m.name, p.name, null, null, null
        from sqlite_master m join pragma_table_info(m.name) p
        where m.type = 'table' and m.sql not like 'create virtual%' and p.pk > 0
        """,
    ),
    columns=Query(
        "columns",
        _COLUMNS.format(tables=f"select name from sqlite_master where {_OURS}"),  # noqa: S608 - fixed text
        _COLUMNS.format(tables="select :table_name as name where :schema_name = 'main'"),
    ),
)


class Sqlite(Database):
    """Reads the catalogue of an SQLite file, which is opened read-only."""

    platform = "sqlite"
    kinds = frozenset({"sqlite"})
    dialect = "sqlite"
    queries = _QUERIES

    class Config(Selection):
        """An SQLite file."""

        path: str = Field(
            description="The database file", min_length=1, json_schema_extra={"format": "file-path"}
        )
        database: str | None = Field(
            None, description="The database's name; default: the file's, without its ending"
        )
        busy_timeout: float = Field(10, ge=0, description="Seconds to wait for a writer's lock")

    @property
    def _file(self) -> Path:
        return self.path(self.config.path)

    def addresses(self) -> Iterable[str]:
        return database_file_addresses("sqlite", self._file)

    def engine(self) -> Engine:
        return create_engine("sqlite://", creator=self._connect, poolclass=NullPool)

    def _connect(self) -> sqlite3.Connection:
        uri = f"{self._file.resolve().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=self.config.busy_timeout)
        connection.text_factory = _text
        return connection

    def copies(self, connection: Connection) -> SqliteCopies:
        return SqliteCopies(self._connect)

    def _database(self, connection: Connection) -> str:
        return self.config.database or self._file.stem

    def failure(self, error: DBAPIError) -> ConnectorError:
        cause = cause_of(error)
        if "unable to open" in cause:
            return Unreachable(f"{self._file} cannot be opened: {cause}", hint="look at `path`")
        if "locked" in cause or "busy" in cause:
            hint = "let the writer finish, or raise `busy_timeout`"
            return Unreachable(f"{self._file} is in use: {cause}", hint=hint, retryable=True)
        if "not a database" in cause or "malformed" in cause:
            return UnexpectedAnswer(
                f"{self._file} is not a sound SQLite database: {cause}", hint="look at `path`"
            )
        return ConnectorError(f"{self._file}: its catalogue cannot be read: {cause}")


def _text(value: bytes) -> str:
    """SQLite stores any bytes as text; what is not UTF-8 must not end the extract."""
    return value.decode("utf-8", "replace")
