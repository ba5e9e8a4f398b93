"""PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, Self

from pydantic import BaseModel, Field, SecretStr, model_validator
from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from connectors.builtin.database.connector import Database, cause_of
from connectors.builtin.database.postgres_queries import QUERIES
from connectors.builtin.database.postgres_records import PostgresCopies
from connectors.builtin.database.selection import Selection
from connectors.connector import ConnectorConfig
from connectors.errors import AccessDenied, AuthFailed, ConnectorError, Unreachable

LOCK_MILLISECONDS = 5_000  # a view whose table is being altered is not waited for
_DRIVER = "postgresql+psycopg"
# libpq gives no code for a refused login, only the server's words.
_REFUSED = (
    "password authentication failed",
    "no password supplied",
    "authentication failed",
    "no pg_hba.conf entry",
    "pg_hba.conf rejects",
    "is not permitted to log in",
)
_URL_HINT = "write postgresql://user:password@host:5432/dbname; @ / : within a password as %40 %2F %3A"
_LATE = ("57014", "55P03")  # cancelled by a time limit, lock not had
# Names in the texts of views and defaults come out with their schema when nothing is on the search path.
_PREPARE = """
    select set_config('search_path', 'pg_catalog', true), set_config('lock_timeout', :lock_timeout, true),
           set_config('statement_timeout', :query_timeout, true)
"""


class PostgresLogin(ConnectorConfig):
    """Where a PostgreSQL database is and how to log in, by URL or by its parts."""

    url: SecretStr | None = Field(None, description="postgresql://user:password@host:5432/dbname")
    host: str | None = Field(None, description="Host name, or the folder of the server's socket")
    port: int = Field(5432, ge=1, le=65535)
    user: str | None = None
    password: SecretStr | None = None
    dbname: str | None = Field(None, description="The database; default: the one named as the user")
    sslmode: str | None = Field(None, description="libpq's: disable, prefer, require, verify-full ...")
    connect_timeout: int = Field(10, ge=1, description="Seconds to wait for the server to answer")
    query_timeout: float = Field(300, gt=0, description="Seconds to wait for one catalogue query")

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.url is None) == (self.host is None):
            raise ValueError("give either url, or host with its user, password and dbname")
        self.address()
        return self

    def address(self) -> URL:
        """The server and the login, as SQLAlchemy writes them. ValueError when `url` is not one."""
        if self.url is None:
            password = self.password.get_secret_value() if self.password else None
            query = {"sslmode": self.sslmode} if self.sslmode else {}
            return URL.create(_DRIVER, self.user, password, self.host, self.port, self.dbname, query)
        try:
            url = make_url(self.url.get_secret_value().strip())
        except (ArgumentError, ValueError):
            # Neither chained nor quoted: what could not be parsed may be part of the password.
            raise ValueError(f"url is not a URL; {_URL_HINT}") from None
        if url.get_backend_name() not in ("postgresql", "postgres"):
            raise ValueError(f"url is not PostgreSQL's; {_URL_HINT}")
        return url.set(drivername=_DRIVER)


class Postgres(Database):
    """Reads the catalogue of one PostgreSQL database, in one read-only transaction."""

    platform = "postgres"
    kinds = frozenset({"postgres"})
    dialect = "postgres"
    queries = QUERIES
    capabilities = ("reach", "authenticate", "read tables", "read view definitions")

    class Config(PostgresLogin, Selection):
        """A PostgreSQL database, by URL or by its parts."""

    @classmethod
    def secrets(cls, config: BaseModel) -> list[str]:
        # A URL without a login is no secret, and is the server's address.
        return [one for one in super().secrets(config) if "@" in one or "password" in one or "://" not in one]

    def addresses(self) -> Iterable[str]:
        url: URL = self.config.address()
        host = url.host or url.query.get("host")
        # A socket is no address that others would know, and of several hosts none is the database's.
        if not isinstance(host, str) or host.startswith(("/", "@")):
            return ()
        port, database = url.port or url.query.get("port") or 5432, url.database or url.username
        return (f"postgres://{host}:{port}/{database or ''}",)

    def engine(self) -> Engine:
        url: URL = self.config.address()
        self.context.redact.add(str(url.password or ""), str(url.query.get("password") or ""))
        options = {
            "connect_timeout": self.config.connect_timeout,
            "application_name": "headwater",
            "client_encoding": "utf8",
        }
        return create_engine(
            url,
            poolclass=NullPool,
            hide_parameters=True,
            isolation_level="REPEATABLE READ",
            connect_args=options,
        ).execution_options(postgresql_readonly=True)

    @property
    def _where(self) -> str:
        url: URL = self.config.address()
        host = url.host or url.query.get("host") or "the local socket"
        return f"{host}:{url.port or url.query.get('port') or 5432}"

    def prepare(self, connection: Connection) -> None:
        milliseconds = round(self.config.query_timeout * 1000)
        limits = {
            "query_timeout": str(milliseconds),
            "lock_timeout": str(min(milliseconds, LOCK_MILLISECONDS)),
        }
        connection.execute(text(_PREPARE), limits)

    def copies(self, connection: Connection) -> PostgresCopies:
        url: URL = self.config.address()
        options = {"connect_timeout": str(self.config.connect_timeout), "application_name": "headwater"}
        return PostgresCopies(url.update_query_dict(options), connection, self.context.redact)

    def guard(self, connection: Connection) -> AbstractContextManager[Any]:
        return connection.begin_nested()

    def failure(self, error: DBAPIError) -> ConnectorError:
        cause = self.context.redact(cause_of(error).removeprefix("connection failed: "))
        where, state = self._where, str(getattr(error.orig, "sqlstate", None) or "")
        if state.startswith("28") or any(words in cause for words in _REFUSED) or _no_role(cause):
            return AuthFailed(
                f"PostgreSQL at {where} refused the login: {cause}", hint="look at user and password"
            )
        if state == "42501":
            return AccessDenied(
                f"PostgreSQL at {where}: {cause}", hint="the user must be able to read pg_catalog"
            )
        if error.statement is None and "does not exist" in cause:
            return ConnectorError(f"PostgreSQL at {where}: {cause}", hint="look at the database's name")
        if error.statement is None or error.connection_invalidated:
            hint = "look at host and port, and whether the server runs and lets this machine in"
            return Unreachable(f"PostgreSQL at {where} does not answer: {cause}", hint=hint, retryable=True)
        late = state in _LATE
        return ConnectorError(
            f"PostgreSQL at {where}: its catalogue cannot be read: {cause}",
            hint="try again later, or raise `query_timeout`" if late else None,
            retryable=late,
        )


def _no_role(cause: str) -> bool:
    return 'role "' in cause and "does not exist" in cause
