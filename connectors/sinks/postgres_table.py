"""A dataset's table in PostgreSQL, within the transaction of a delivery."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
import pyarrow as pa
from psycopg.sql import SQL, Composable, Composed, Identifier

from connectors.errors import DatasetError
from connectors.sinks.keys import refuse_shared
from connectors.sinks.postgres_types import copied, fits, postgres_type
from connectors.sinks.texts import delimited

DELIVERIES = "_headwater_deliveries"
_LONGEST_BYTES = 63  # PostgreSQL cuts a longer name without an error
_STAGED = {"given": Identifier("_headwater_given"), "stale": Identifier("_headwater_stale")}


class PostgresTable:
    """The statements of a delivery. Raises psycopg's errors, and DatasetError."""

    def __init__(self, connection: psycopg.Connection[Any], schema: str, dataset: str) -> None:
        self._connection = connection
        self._schema = schema
        self._dataset = dataset
        self._name = Identifier(schema, dataset)
        self._deliveries = Identifier(schema, DELIVERIES)

    # -- the table of deliveries

    def prepare(self) -> None:
        """Makes the table of deliveries, in a transaction of its own: other datasets wait for it."""
        if self.exists(DELIVERIES):
            return
        self._rows(
            SQL("select pg_advisory_xact_lock(hashtextextended(%s, 0))"), [f"headwater {self._schema}"]
        )
        self._run(
            SQL(
                "create table if not exists {} (dataset text, partition text, number bigint not null,"
                " delivered_at timestamptz not null, primary key (dataset, partition))"
            ).format(self._deliveries)
        )

    def lock(self) -> None:
        """Keeps other deliveries from the table until the end. Raises a retryable DatasetError when one has it."""
        name = f"headwater {self._schema} {self._dataset}"
        got = self._rows(SQL("select pg_try_advisory_xact_lock(hashtextextended(%s, 0))"), [name])
        if not got[0][0]:
            raise DatasetError(
                f"another delivery is being written to {self._schema}.{self._dataset}",
                hint="try again when it has ended",
                retryable=True,
            )
        if not self.exists():  # what was delivered to a table that was taken away is no more
            self._rows(
                SQL("delete from {} where dataset = %s returning 1").format(self._deliveries), [self._dataset]
            )

    def delivered(self) -> dict[str, int]:
        query = SQL("select partition, number from {} where dataset = %s").format(self._deliveries)
        return dict(self._rows(query, [self._dataset]))

    def remember(self, partition: str, number: int) -> None:
        query = SQL(
            "insert into {} values (%s, %s, %s, now()) on conflict (dataset, partition)"
            " do update set number = excluded.number, delivered_at = excluded.delivered_at returning 1"
        ).format(self._deliveries)
        self._rows(query, [self._dataset, partition, number])

    # -- the dataset's own

    def exists(self, table: str | None = None) -> bool:
        query = SQL(
            "select 1 from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = %s and c.relname = %s and c.relkind in ('r', 'p')"
        )
        return bool(self._rows(query, [self._schema, table or self._dataset]))

    def fit(self, schema: pa.Schema) -> None:
        """Makes the table, or adds the columns that it lacks. Raises DatasetError for a type that does not fit."""
        if not self.exists():
            self._run(SQL("create table {} ({})").format(self._name, _declared(schema)))
            return
        there = dict(
            self._rows(
                SQL(
                    "select attname, format_type(atttypid, atttypmod) from pg_attribute a"
                    " join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace"
                    " where n.nspname = %s and c.relname = %s and attnum > 0 and not attisdropped"
                ),
                [self._schema, self._dataset],
            )
        )
        for field in schema:
            kind, old = postgres_type(field.type), there.get(field.name)
            if old is None:
                self._run(SQL("alter table {} add column {}").format(self._name, _declared([field])))
            elif not fits(kind, old):
                raise DatasetError(
                    f"{self._schema}.{self._dataset}: {field.name} is {old} there, and {kind} in what is given",
                    hint="cast it in a transform, alter or drop the table, or choose another target",
                )

    def clear(self) -> None:
        self._run(SQL("delete from {}").format(self._name))

    def copy(
        self, schema: pa.Schema, batches: Iterable[pa.RecordBatch], into: Composable | None = None
    ) -> None:
        """Adds records, as CSV: PostgreSQL reads every type from its text."""
        statement = SQL("copy {} ({}) from stdin (format csv)").format(
            into or self._name, _list(schema.names)
        )
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for batch in batches:
                if batch.num_rows:
                    copy.write(memoryview(delimited([copied(column) for column in batch.columns])))

    # -- by key

    def stage(self, staged: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        """Puts records into a table of this transaction: "given" or "stale"."""
        into = _STAGED[staged]
        self._run(SQL("create temporary table {} ({}) on commit drop").format(into, _declared(schema)))
        self.copy(schema, batches, into)
        self._run(SQL("analyze {}").format(into))

    def key_schema(self, schema: pa.Schema, key: Sequence[str]) -> pa.Schema:
        return pa.schema([schema.field(name) for name in key])

    def refuse_shared_keys(self, key: Sequence[str]) -> None:
        query = SQL("select count(*) from (select 1 from {} group by {} having count(*) > 1) one").format(
            _STAGED["given"], _list(key)
        )
        refuse_shared(self._dataset, key, self._rows(query)[0][0])

    def delete_stale(self, key: Sequence[str]) -> int:
        """Deletes the rows that are stale and not given; returns how many."""
        query = SQL(
            "delete from {} t where exists (select 1 from {} g where {}) and not exists (select 1 from {} g where {})"
        ).format(self._name, _STAGED["stale"], _same(key), _STAGED["given"], _same(key))
        with self._connection.cursor() as cursor:
            return cursor.execute(query).rowcount

    def upsert(self, names: Sequence[str], key: Sequence[str]) -> None:
        self._index(key)
        others = [Identifier(name) for name in names if name not in key]
        change: Composable = SQL("do nothing")
        if others:
            sets = SQL(", ").join(SQL("{} = excluded.{}").format(one, one) for one in others)
            change = SQL("do update set {}").format(sets)
        query = SQL("insert into {} ({}) select {} from {} on conflict ({}) {}")
        columns = _list(names)
        self._run(query.format(self._name, columns, columns, _STAGED["given"], _list(key), change))

    def _index(self, key: Sequence[str]) -> None:
        """Makes the unique index on the key, unless there is one."""
        query = SQL(
            "select 1 from pg_index i join pg_class c on c.oid = i.indrelid"
            " join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = %s and c.relname = %s and i.indisunique and i.indisvalid and i.indpred is null"
            " and i.indexprs is null and (select array_agg(a.attname::text order by a.attname::text)"
            " from pg_attribute a where a.attrelid = c.oid and a.attnum = any (i.indkey::int2[]))"
            " = (select array_agg(k order by k)"
            " from unnest(%s::text[]) k)"
        )
        if self._rows(query, [self._schema, self._dataset, list(key)]):
            return
        try:
            self._run(SQL("create unique index on {} ({})").format(self._name, _list(key)))
        except psycopg.errors.UniqueViolation:
            raise DatasetError(
                f"{self._schema}.{self._dataset} has several rows with the same {', '.join(key)}, the sink's key",
                hint="deliver it once with mode: replace, or choose another key",
            ) from None

    def _run(self, statement: Composable) -> None:
        self._connection.execute(Composed([statement]))

    def _rows(self, statement: Composable, values: Sequence[Any] | None = None) -> list[Any]:
        return self._connection.execute(Composed([statement]), values).fetchall()


def refuse_names(dataset: str, names: Iterable[str]) -> None:
    """Raises DatasetError for names that PostgreSQL cannot have, or would cut."""
    for name in names:
        if not name or "\0" in name or len(name.encode("utf-8", "replace")) > _LONGEST_BYTES:
            raise DatasetError(
                f"{dataset[:70]}: {name[:70]!r} cannot be a name in PostgreSQL, which has 1 to {_LONGEST_BYTES} bytes",
                hint="rename it",
            )


def _declared(fields: Iterable[pa.Field]) -> Composable:
    # The types are our own words.
    return SQL(", ").join(
        SQL("{} {}").format(Identifier(field.name), SQL(postgres_type(field.type))) for field in fields
    )


def _list(names: Iterable[str]) -> Composable:
    return SQL(", ").join(map(Identifier, names))


def _same(key: Sequence[str]) -> Composable:
    return SQL(" and ").join(SQL("g.{} = t.{}").format(Identifier(name), Identifier(name)) for name in key)
