"""Tables of a DuckDB file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pydantic import Field

from connectors.builtin.database.file_address import database_file_addresses
from connectors.errors import DatasetError, HeadwaterError
from connectors.model import CheckResult
from connectors.sinks.feed import Feed
from connectors.sinks.keys import refuse_shared
from connectors.sinks.sink import KEYED, Delivered, Delivery, Sink, SinkConfig, Target
from connectors.sinks.texts import plain

DELIVERIES = "_headwater_deliveries"
_MEMORY = "1GB"  # what is more is put into a file beside the database
_WIDTHS = (("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), ("FLOAT", "DOUBLE"))
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
            table = _Table(engine, self.config.schema_, dataset)
            return table.delivered() if table.exists(DELIVERIES) and table.exists() else {}

    def put(self, delivery: Delivery) -> Delivered:
        target = self.target(delivery.dataset)
        _refuse_names(delivery)
        with self._told():
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with duckdb.connect(str(self._file)) as engine:
                engine.execute(f"set memory_limit = '{_MEMORY}'")
                engine.execute("set timezone = 'UTC'")
                engine.begin()
                done = self._put(_Table(engine, self.config.schema_, delivery.dataset), delivery, target.uri)
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
                    engine.execute(f"create table {_quoted(f'_headwater_check_{os.getpid()}')} (a int)")
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

    def _put(self, table: _Table, delivery: Delivery, uri: str) -> Delivered:
        mode, key = self.config.mode, self.config.key
        table.prepare()
        held = table.delivered()
        if held.get(delivery.partition, delivery.number - 1) >= delivery.number:
            return Delivered(0, uri, already=True)
        feed = _feed(delivery, delivery.records, key if mode in KEYED else ())
        schema = _changed(_empty(delivery.schema)).schema
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
                    columns = ", ".join(map(_quoted, key))
                    table.fill(
                        "create or replace temp table _headwater_stale",
                        f"select {columns} from incoming",
                        stale,
                        stale_schema(delivery.schema, key),
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


class _Table:
    """A dataset's table within a transaction."""

    def __init__(self, engine: duckdb.DuckDBPyConnection, schema: str, dataset: str) -> None:
        self._engine = engine
        self._schema = schema
        self._dataset = dataset
        self.name = f"{_quoted(schema)}.{_quoted(dataset)}"
        self._deliveries = f"{_quoted(schema)}.{DELIVERIES}"

    def exists(self, table: str | None = None) -> bool:
        """Whether the table is there. Raises DatasetError when one of another case is, which is the same to DuckDB."""
        wanted = self._dataset if table is None else table
        found = self._rows(
            "select table_name from duckdb_tables() where database_name = current_database() "
            "and lower(schema_name) = lower(?) and lower(table_name) = lower(?)",
            [self._schema, wanted],
        )
        if found and found[0][0] != wanted:
            raise DatasetError(
                f"the tables {found[0][0]} and {wanted} are one to DuckDB, which knows no case",
                hint="rename one",
            )
        return bool(found)

    def prepare(self) -> None:
        """Makes the table of deliveries, and forgets those to a table that was taken away."""
        self._engine.execute(f"create schema if not exists {_quoted(self._schema)}")
        self._engine.execute(
            f"create table if not exists {self._deliveries} "
            "(dataset varchar, partition varchar, number bigint, delivered_at timestamptz)"
        )
        if not self.exists():
            self._engine.execute(f"delete from {self._deliveries} where dataset = ?", [self._dataset])

    def delivered(self) -> dict[str, int]:
        query = f"select partition, max(number) from {self._deliveries} where dataset = ? group by all"
        return dict(self._rows(query, [self._dataset]))

    def remember(self, delivery: Delivery) -> None:
        self._engine.execute(
            f"delete from {self._deliveries} where dataset = ? and partition = ?",
            [self._dataset, delivery.partition],
        )
        self._engine.execute(
            f"insert into {self._deliveries} values (?, ?, ?, ?)",
            [self._dataset, delivery.partition, delivery.number, datetime.now(UTC)],
        )

    def fill(self, into: str, query: str, feed: Feed, schema: pa.Schema) -> None:
        """Runs `into` with what `query` makes of the records, as the table `incoming`."""
        self._engine.register("incoming", feed.reader(schema))
        joined = f"{into} as {query}" if into.startswith("create") else f"{into} {query}"
        with feed.guard():
            self._engine.execute(joined)
        self._engine.unregister("incoming")

    def fit(self, schema: pa.Schema) -> None:
        """Makes the table, or adds the columns that it lacks. Raises DatasetError for a type that does not fit."""
        self._engine.register("incoming", schema.empty_table())
        if not self.exists():
            self._engine.execute(f"create table {self.name} as from incoming")
        given = self._columns("incoming")
        there = {name.lower(): kind for name, kind in self._columns(self.name).items()}
        self._engine.unregister("incoming")
        for name, kind in given.items():
            old = there.get(name.lower())
            if old is None:
                self._engine.execute(f"alter table {self.name} add column {_quoted(name)} {kind}")
            elif not _fits(kind, old):
                raise DatasetError(
                    f"{self._schema}.{self._dataset}: {name} is {old} there, and {kind} in what is given",
                    hint="cast it in a transform, deliver it once with mode: replace, or choose another target",
                )

    def delete_stale(self, key: list[str]) -> int:
        return int(
            self._rows(
                f"delete from {self.name} t where exists (from _headwater_stale g where {_same(key)}) "
                f"and not exists (from _headwater_given g where {_same(key)})"
            )[0][0]
        )

    def take_given(self, key: list[str], dataset: str) -> None:
        columns = ", ".join(map(_quoted, key))
        query = (
            f"select count(*) from (select 1 from _headwater_given group by {columns} having count(*) > 1)"
        )
        refuse_shared(dataset, key, self._rows(query)[0][0])
        self._engine.execute(
            f"delete from {self.name} t where exists (from _headwater_given g where {_same(key)})"
        )
        self._engine.execute(f"insert into {self.name} by name from _headwater_given")
        self._engine.execute("drop table if exists _headwater_given")
        self._engine.execute("drop table if exists _headwater_stale")

    def _columns(self, table: str) -> dict[str, str]:
        return {row[0]: row[1] for row in self._rows(f"describe {table}")}

    def _rows(self, query: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
        return list(self._engine.execute(query, values or []).fetchall())


def stale_schema(schema: pa.Schema, key: list[str]) -> pa.Schema:
    """The columns of stale keys as `_changed` gives them."""
    return _changed(_empty(pa.schema([schema.field(name) for name in key]))).schema


def _feed(delivery: Delivery, records: Any, key: Iterable[str]) -> Feed:
    return Feed(records, delivery.dataset, change=_changed, key=tuple(key))


def _changed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """With the types that DuckDB lacks as others; a column of nulls is text."""
    columns = [_column(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _column(array: pa.Array) -> pa.Array:
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return array if kind.extension_name in ("arrow.uuid", "arrow.json") else plain(array)
    if kind == pa.float16():
        return array.cast(pa.float32())
    return array.cast(pa.string()) if pa.types.is_null(kind) else array


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)


def _refuse_names(delivery: Delivery) -> None:
    seen: dict[str, str] = {}
    for field in delivery.schema:
        if (other := seen.setdefault(field.name.lower(), field.name)) != field.name:
            raise DatasetError(
                f"{delivery.dataset}: the columns {other} and {field.name} are one to DuckDB, which knows no case",
                hint="rename one",
            )
        if not field.name or "\0" in field.name:
            raise DatasetError(
                f"{delivery.dataset}: a column has no name that DuckDB takes", hint="rename it"
            )
        if pa.types.is_decimal256(field.type):
            raise DatasetError(
                f"{delivery.dataset}: {field.name} is {field.type}, which DuckDB does not have",
                hint="cast it in a transform",
            )


def _fits(given: str, there: str) -> bool:
    if given == there:
        return True
    return any(given in row and there in row and row.index(given) <= row.index(there) for row in _WIDTHS)


def _same(key: list[str]) -> str:
    return " and ".join(f"g.{_quoted(name)} = t.{_quoted(name)}" for name in key)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
