"""Tables of a DuckDB file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from pydantic import Field

from connectors.builtin.database.file_address import database_file_addresses
from connectors.errors import DatasetError, HeadwaterError
from connectors.model import CheckResult
from connectors.sinks.duckdb_table import DELIVERIES, DuckDBTable, quoted
from connectors.sinks.duckdb_types import changed, changed_schema, refuse_columns
from connectors.sinks.feed import Feed
from connectors.sinks.sink import KEYED, Delivered, Delivery, Sink, SinkConfig, Target

_MEMORY = "1GB"  # what is more is put into a file beside the database
_IN_USE = ("lock", "different configuration", "Conflict", "conflict")


class DuckDB(Sink):
    """Writes one table for each dataset, and one transaction for each delivery."""

    kinds = frozenset({"duckdb"})

    class Config(SinkConfig):
        """A DuckDB file, made when it is absent."""

        path: str = Field(
            description="The database file", min_length=1, json_schema_extra={"format": "file-path"}
        )
        schema_: str = Field("main", alias="schema", min_length=1, description="Made when it is absent")

    def target(self, dataset: str) -> Target:
        if not dataset or dataset.lower() == DELIVERIES or "\0" in dataset:
            raise DatasetError(f"a table cannot be named {dataset!r} in this sink", hint="rename the dataset")
        address = database_file_addresses("duckdb", self._file)[0]
        schema = self.config.schema_
        uri = f"{address}#{schema}.{dataset}"
        return Target(uri, "duckdb", address, self._file.stem, schema, dataset)

    def delivered(self, dataset: str) -> dict[str, int]:
        self.target(dataset)
        if not self._file.exists():
            return {}
        with self._told(), duckdb.connect(str(self._file)) as engine:
            table = DuckDBTable(engine, self.config.schema_, dataset)
            return table.delivered() if table.exists(DELIVERIES) and table.exists() else {}

    def put(self, delivery: Delivery) -> Delivered:
        target = self.target(delivery.dataset)
        refuse_columns(delivery.schema, delivery.dataset)
        with self._told():
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with duckdb.connect(str(self._file)) as engine:
                engine.execute(f"set memory_limit = '{_MEMORY}'")
                engine.execute("set timezone = 'UTC'")
                engine.begin()
                done = self._put(
                    DuckDBTable(engine, self.config.schema_, delivery.dataset), delivery, target.uri
                )
                engine.commit()
                return done

    def check(self) -> Iterable[CheckResult]:
        absent = [one for one in (self._file.parent, *self._file.parent.parents) if not one.exists()]
        made = not self._file.exists()
        try:
            with self._told():
                self._file.parent.mkdir(parents=True, exist_ok=True)
                with duckdb.connect(str(self._file)) as engine:
                    engine.begin()
                    engine.execute(f"create table {quoted(f'_headwater_check_{os.getpid()}')} (a int)")
                    engine.rollback()
        except HeadwaterError as error:
            yield CheckResult("write", False, error.message, error.hint)
        else:
            yield CheckResult("write", True, str(self._file))
        finally:
            if made:
                self._file.unlink(missing_ok=True)
            for one in absent:
                if one.exists():
                    one.rmdir()

    def _put(self, table: DuckDBTable, delivery: Delivery, uri: str) -> Delivered:
        mode, key = self.config.mode, self.config.key
        table.prepare()
        held = table.delivered()
        if held.get(delivery.partition, delivery.number - 1) >= delivery.number:
            return Delivered(0, uri, already=True)
        delivery.refuse_others(held)
        feed = _feed(delivery, delivery.records, key if mode in KEYED else ())
        schema = changed_schema(delivery.schema)
        deleted = None
        if mode == "replace":
            table.fill(f"create or replace table {table.name}", "from incoming", feed, schema)
        else:
            table.fit(schema)
            if mode == "append":
                table.fill(f"insert into {table.name} by name", "from incoming", feed, schema)
            else:
                table.fill("create or replace temp table _headwater_given", "from incoming", feed, schema)
                if mode == "delete_stale" and delivery.stale is not None:
                    stale = _feed(delivery, delivery.stale, ())
                    columns = ", ".join(map(quoted, key))
                    table.fill(
                        "create or replace temp table _headwater_stale",
                        f"select {columns} from incoming",
                        stale,
                        changed_schema(delivery.schema, key),
                    )
                    deleted = table.delete_stale(key)
                table.take_given(key, delivery.dataset)
        table.remember(delivery)
        return Delivered(feed.rows, uri, deleted)

    @property
    def _file(self) -> Path:
        return Path(os.path.abspath(self.folder / Path(self.config.path).expanduser()))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """DuckDB's errors in our words. They may quote a value."""
        try:
            yield
        except duckdb.Error as error:
            first = str(error).partition("\n")[0]
            if isinstance(error, duckdb.IOException | duckdb.ConnectionException) and any(
                word in first for word in _IN_USE
            ):
                raise DatasetError(
                    f"{self._file} is in use",
                    hint="let the program that has it open finish, then try again",
                    retryable=True,
                ) from error
            if isinstance(error, duckdb.TransactionException):
                raise DatasetError(
                    f"{self._file}: another delivery is being written to the same table",
                    hint="try again when it has ended",
                    retryable=True,
                ) from error
            quotes = isinstance(error, duckdb.ConversionException | duckdb.ConstraintException)
            cause = type(error).__name__ if quotes else first[:300]
            raise DatasetError(f"{self._file} cannot be written: {cause}") from error
        except OSError as error:
            raise DatasetError(f"{self._file} cannot be written: {error.strerror}") from error


def _feed(delivery: Delivery, records: Any, key: Iterable[str]) -> Feed:
    return Feed(records, delivery.dataset, change=changed, key=tuple(key))
