"""The sink of PostgreSQL, on a real server."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import psycopg
import pyarrow as pa
import pytest
from psycopg.sql import SQL, Identifier

from connectors.errors import DatasetError
from connectors.sinks.postgres import Postgres
from tests.connectors.sinks.deliveries import Opened, delivery, row
from tests.connectors.sinks.laws import SinkLaws

MOMENT = datetime(2026, 11, 20, 8, 30, 0, 250000, tzinfo=UTC)
NAME = uuid.UUID("12345678-1234-5678-1234-567812345678")


def uuids(*values):
    return pa.ExtensionArray.from_storage(pa.uuid(), pa.array([v and v.bytes for v in values], pa.binary(16)))


COLUMNS = {
    "id": (pa.array([1, 2]), [1, 2]),
    "n": (pa.array([Decimal("12345678901234567890.12"), None]), [Decimal("12345678901234567890.12"), None]),
    "big": (pa.array([2**64 - 1, 0], pa.uint64()), [Decimal(2**64 - 1), Decimal(0)]),
    "at": (pa.array([MOMENT, None], pa.timestamp("us", "UTC")), [MOMENT, None]),
    "zurich": (pa.array([MOMENT, None], pa.timestamp("ms", "Europe/Zurich")), [MOMENT, None]),
    "plain": (pa.array([MOMENT.replace(tzinfo=None), None]), [MOMENT.replace(tzinfo=None), None]),
    "day": (pa.array([date(2026, 11, 20), None]), [date(2026, 11, 20), None]),
    "t": (pa.array([time(8, 30, 1), None]), [time(8, 30, 1), None]),
    "took": (pa.array([timedelta(seconds=-1.5), None]), [timedelta(seconds=-1.5), None]),
    "key": (uuids(NAME, None), [NAME, None]),
    "doc": (
        pa.ExtensionArray.from_storage(pa.json_(pa.string()), pa.array(['{"a": [1]}', None])),
        [{"a": [1]}, None],
    ),
    "tags": (pa.array([["a,b", 'q"\\', None, "", "NULL"], None]), [["a,b", 'q"\\', None, "", "NULL"], None]),
    "none": (pa.array([[], [1]], pa.list_(pa.int32())), [[], [1]]),
    "nested": (pa.array([[{"a": 1}], None]), [[{"a": 1}], None]),
    "raw": (pa.array([b"\x00\xff", b""]), [b"\x00\xff", b""]),
    "ok": (pa.array([True, False]), [True, False]),
    "x": (pa.array([float("inf"), float("-inf")]), [float("inf"), float("-inf")]),
    "text": (pa.array(["", "\\N a\tb\\."]), ["", "\\N a\tb\\."]),
    "nothing": (pa.nulls(2), [None, None]),
    "kind": (pa.array(["a", None]).dictionary_encode(), ["a", None]),
}


class TestPostgres(SinkLaws):
    @pytest.fixture
    def url(self, postgres):
        return postgres.database("")

    @pytest.fixture
    def opened(self, url, tmp_path):
        def table(dataset, mode):
            with psycopg.connect(url) as connection:
                query = connection.execute(SQL("select * from public.{}").format(Identifier(dataset)))
                names = [one.name for one in query.description]
                columns = list(zip(*query.fetchall(), strict=True)) or [()] * len(names)
            return pa.table(dict(zip(names, map(pa.array, columns), strict=True)))

        return Opened(Postgres, {"url": url}, tmp_path, table)

    @pytest.mark.parametrize(("mode", "key"), [("append", ()), ("upsert", ("id",))])
    def test_every_type_arrives(self, opened, url, mode, key):
        table = pa.table({name: given for name, (given, _) in COLUMNS.items()})
        sink = opened.make(mode, key)
        one = delivery([], 1, table.schema)
        given = type(one)("orders", "p", 1, table.schema, table.to_reader)
        assert sink.deliver(given).rows == 2
        with psycopg.connect(url) as connection:
            connection.execute("set timezone = 'UTC'")
            query = connection.execute("select * from orders order by id")
            names = [one.name for one in query.description]
            rows = query.fetchall()
        found = {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
        assert found == {name: expected for name, (_, expected) in COLUMNS.items()}
        assert sink.deliver(type(one)("orders", "p", 2, table.schema, table.to_reader)).rows == 2

    def test_the_character_nul_is_told(self, opened):
        sink = opened.make("replace")
        sink.deliver(delivery([row(1)], 1))
        with pytest.raises(DatasetError, match="the character NUL"):
            sink.deliver(delivery([row(1, "secret\0value")], 2))
        assert opened.rows("replace") == [("1", "x")]

    def test_a_value_that_does_not_fit_is_told_without_it(self, opened, postgres, url):
        postgres.run("create table orders (id bigint, name varchar(3))", url)
        with pytest.raises(DatasetError, match="does not fit") as raised:
            opened.make("append").deliver(delivery([row(1, "secret value")], 1))
        assert "secret" not in str(raised.value)
        assert opened.rows("append") == []

    def test_views_and_readers_outlive_a_replace(self, opened, postgres, url):
        sink = opened.make("replace")
        sink.deliver(delivery([row(1)], 1))
        postgres.run("create view seen as select * from orders", url)
        with psycopg.connect(url) as reader:
            reader.execute("set transaction isolation level repeatable read")
            assert reader.execute("select id from seen").fetchall() == [(1,)]
            sink.deliver(delivery([row(2)], 2))
            assert reader.execute("select id from seen").fetchall() == [(1,)]
        with psycopg.connect(url) as reader:
            assert reader.execute("select id from seen").fetchall() == [(2,)]

    def test_names_that_postgres_would_cut_are_refused(self, opened):
        with pytest.raises(DatasetError, match="63 bytes"):
            opened.make("replace").deliver(delivery([], 1, dataset="ä" * 40))

    def test_rows_that_share_the_key_already_are_told(self, opened):
        opened.make("append").deliver(delivery([row(1), row(1)], 1))
        with pytest.raises(DatasetError, match="several rows with the same id"):
            opened.make("upsert", ["id"]).deliver(delivery([row(1)], 2))

    def test_a_refused_login_and_a_missing_server_are_told_without_the_password(
        self, opened, postgres, url, tmp_path
    ):
        postgres.run("create role loader login password 'right-password'", url)
        postgres.ask_password_of("loader")
        wrong = postgres.url(psycopg.conninfo.conninfo_to_dict(url)["dbname"], "loader", "wrong-password")
        sink = Postgres(Postgres.Config(url=wrong), tmp_path)
        with pytest.raises(DatasetError, match="refused the login") as raised:
            sink.deliver(delivery([], 1))
        assert "wrong-password" not in str(raised.value)
        away = Postgres(Postgres.Config(host=str(tmp_path), password="wrong-password", dbname="x"), tmp_path)
        assert [one.ok for one in away.check()] == [False]
        with pytest.raises(DatasetError, match="does not answer") as raised:
            away.deliver(delivery([], 1))
        assert raised.value.retryable
        assert "wrong-password" not in str(raised.value)

    def test_a_schema_that_is_absent_or_closed_is_told(self, opened, url, tmp_path):
        sink = Postgres(Postgres.Config(url=url, schema="away"), tmp_path)
        assert [(one.capability, one.ok) for one in sink.check()] == [("reach", True), ("write", False)]
        with pytest.raises(DatasetError, match='schema "away" does not exist'):
            sink.deliver(delivery([], 1))

    def test_a_table_that_was_dropped_is_delivered_anew(self, opened, postgres, url):
        sink = opened.make("append")
        sink.deliver(delivery([row(1)], 1))
        postgres.run("drop table orders", url)
        assert sink.delivered("orders") == {}
        assert sink.deliver(delivery([row(1)], 1)).rows == 1
