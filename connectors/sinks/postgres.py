"""Tables of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from pydantic import Field
from sqlalchemy import URL

from connectors.builtin.database.postgres import PostgresLogin
from connectors.config.secrets import Redactor
from connectors.errors import DatasetError, HeadwaterError
from connectors.model import CheckResult
from connectors.sinks.feed import Feed
from connectors.sinks.postgres_table import DELIVERIES, PostgresTable, refuse_names
from connectors.sinks.sink import KEYED, Delivered, Delivery, Sink, SinkConfig, Target

_AGAIN = ("40001", "40P01", "55P03", "57014")  # lost to another transaction, a deadlock, a time limit


class Postgres(Sink):
    """Writes one table for each dataset, and one transaction for each delivery.

    Replace deletes and fills: readers see the old rows until it is done, and views and grants stay. TRUNCATE would
    show an empty table to transactions that began before, and a renamed table would leave views and grants behind.
    """

    kinds = frozenset({"postgres"})

    class Config(PostgresLogin, SinkConfig):
        """A PostgreSQL database, by URL or by its parts."""

        schema_: str = Field("public", alias="schema", min_length=1, description="It must be there")

    def __init__(self, config: SinkConfig, folder: Path) -> None:
        super().__init__(config, folder)
        url: URL = self.config.address()
        self._redact = Redactor([str(url.password or ""), str(url.query.get("password") or "")])

    def target(self, dataset: str) -> Target:
        refuse_names(dataset, (dataset,))
        if dataset == DELIVERIES:
            raise DatasetError(f"a table of this sink cannot be named {dataset}", hint="rename the dataset")
        url: URL = self.config.address()
        database, schema = url.database or url.username, self.config.schema_
        host = url.host or url.query.get("host")
        # A socket is no address that others would know, and of several hosts none is the database's.
        known = isinstance(host, str) and not host.startswith(("/", "@"))
        port = url.port or url.query.get("port") or 5432
        address = f"postgres://{host}:{port}/{database or ''}" if known else None
        uri = f"{address or f'postgres:///{database or str()}'}#{schema}.{dataset}"
        return Target(uri, "postgres", address, database, schema, dataset)

    def delivered(self, dataset: str) -> dict[str, int]:
        self.target(dataset)
        with self._connection() as connection:
            table = PostgresTable(connection, self.config.schema_, dataset)
            return table.delivered() if table.exists(DELIVERIES) and table.exists() else {}

    def put(self, delivery: Delivery) -> Delivered:
        uri = self.target(delivery.dataset).uri
        refuse_names(delivery.dataset, delivery.schema.names)
        feed = Feed(
            delivery.records, delivery.dataset, key=self.config.key if self.config.mode in KEYED else ()
        )
        with self._connection() as connection:
            table = PostgresTable(connection, self.config.schema_, delivery.dataset)
            with connection.transaction():
                table.prepare()
            with connection.transaction():
                return self._put(table, delivery, feed, uri)

    def check(self) -> Iterable[CheckResult]:
        schema = self.config.schema_
        try:
            with self._connection() as connection:
                found = connection.execute(
                    "select has_schema_privilege(oid, 'create') from pg_namespace where nspname = %s",
                    (schema,),
                ).fetchall()
        except HeadwaterError as error:
            yield CheckResult("reach", False, error.message, error.hint)
            return
        yield CheckResult("reach", True, self._where)
        if not found:
            yield CheckResult(
                "write", False, f"there is no schema {schema}", "create it, or look at `schema`"
            )
        elif not found[0][0]:
            yield CheckResult(
                "write", False, f"the user may not create tables in {schema}", "grant create on the schema"
            )
        else:
            yield CheckResult("write", True, schema)

    def _put(self, table: PostgresTable, delivery: Delivery, feed: Feed, uri: str) -> Delivered:
        mode, key = self.config.mode, self.config.key
        table.lock()
        held = table.delivered()
        if held.get(delivery.partition, delivery.number - 1) >= delivery.number:
            return Delivered(0, uri, already=True)
        delivery.refuse_others(held)
        table.fit(delivery.schema)
        deleted = None
        if mode in KEYED:
            with feed.guard():
                table.stage("given", delivery.schema, feed.batches())
            table.refuse_shared_keys(key)
            if mode == "delete_stale" and delivery.stale is not None:
                stale = Feed(delivery.stale, delivery.dataset, change=lambda batch: batch.select(key))
                with stale.guard():
                    table.stage("stale", table.key_schema(delivery.schema, key), stale.batches())
                deleted = table.delete_stale(key)
            table.upsert(delivery.schema.names, key)
        else:
            if mode == "replace":
                table.clear()
            with feed.guard():
                table.copy(delivery.schema, feed.batches())
        table.remember(delivery.partition, delivery.number)
        return Delivered(feed.rows, uri, deleted)

    @property
    def _where(self) -> str:
        url: URL = self.config.address()
        host = url.host or url.query.get("host") or "the local socket"
        return f"{host}:{url.port or url.query.get('port') or 5432}"

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        """Raises DatasetError for every error of PostgreSQL within."""
        url: URL = self.config.address()
        more = {name: ",".join(v) if isinstance(v, tuple) else v for name, v in url.query.items()}
        given = {"host": url.host, "port": url.port, "user": url.username, "dbname": url.database}
        options: dict[str, Any] = {name: value for name, value in given.items() if value is not None} | more
        options |= {"connect_timeout": self.config.connect_timeout, "application_name": "headwater"}
        if url.password is not None:
            options["password"] = str(url.password)
        try:
            with psycopg.connect(**options, client_encoding="utf8", autocommit=True) as connection:
                yield connection
        except psycopg.Error as error:
            raise self._failure(error) from None

    def _failure(self, error: psycopg.Error) -> DatasetError:
        where, state = f"PostgreSQL at {self._where}", error.sqlstate or ""
        told = " ".join((error.diag.message_primary or str(error)).split())[:300]
        cause = self._redact(told.removeprefix("connection failed: "))
        if state.startswith("28") or "authentication failed" in cause or "no password supplied" in cause:
            return DatasetError(f"{where} refused the login: {cause}", hint="look at user and password")
        if state in ("42501", "3F000"):
            return DatasetError(f"{where}: {cause}", hint="look at `schema`, and at the user's grants on it")
        if state in _AGAIN or state.startswith("57P"):
            return DatasetError(f"{where}: {cause}", hint="try again later", retryable=True)
        if state == "22021":
            return DatasetError(
                f"{where}: a text holds the character NUL, which PostgreSQL does not store",
                hint="take it out with a transform",
            )
        if state.startswith(("22", "23")):
            # The server's own words quote the value.
            return DatasetError(f"{where}: a value does not fit its column: {type(error).__name__} ({state})")
        if not state or state.startswith("08"):
            hint = "look at host and port, and whether the server runs and lets this machine in"
            return DatasetError(f"{where} does not answer: {cause}", hint=hint, retryable=True)
        return DatasetError(f"{where}: {cause}", retryable=state.startswith("53"))
