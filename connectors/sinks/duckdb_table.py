"""A dataset's table in DuckDB, within the transaction of a delivery."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa

from connectors.errors import DatasetError
from connectors.sinks.duckdb_types import fits
from connectors.sinks.feed import Feed
from connectors.sinks.keys import refuse_shared
from connectors.sinks.sink import Delivery

DELIVERIES = "_headwater_deliveries"


class DuckDBTable:
    """The statements of a delivery. Raises DuckDB's errors, and DatasetError."""

    def __init__(self, engine: duckdb.DuckDBPyConnection, schema: str, dataset: str) -> None:
        self._engine = engine
        self._schema = schema
        self._dataset = dataset
        self.name = f"{quoted(schema)}.{quoted(dataset)}"
        self._deliveries = f"{quoted(schema)}.{DELIVERIES}"

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
        self._engine.execute(f"create schema if not exists {quoted(self._schema)}")
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
                self._engine.execute(f"alter table {self.name} add column {quoted(name)} {kind}")
            elif not fits(kind, old):
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
        columns = ", ".join(map(quoted, key))
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


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _same(key: list[str]) -> str:
    return " and ".join(f"g.{quoted(name)} = t.{quoted(name)}" for name in key)
