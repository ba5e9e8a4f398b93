from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import psycopg
import pyarrow as pa
import pytest
from sqlalchemy import make_url

from connectors.builtin.database import Postgres

EVERYTHING = """
    create type mood as enum ('calm', 'cross');
    create table "Odd ""name" (
        id int primary key, small smallint, big bigint, r real, d double precision, yes boolean, day date,
        at timestamp, zoned timestamptz, words text, short varchar(5), padded char(3), bytes bytea,
        price numeric(10, 2), exact numeric, mark uuid, doc jsonb, many int[], mood mood, clock time, span interval
    );
    insert into "Odd ""name" values (
        1, 2, 3, 1.5, 2.5, true, '2020-01-01', '2020-01-01 10:00', '2020-01-01 10:00+02', 'é', 'v', 'c', '\\x00ff',
        12.34, 1.234567890123456789, '11111111-1111-1111-1111-111111111111', '{"a": 1}', '{{1,2},{3,null}}',
        'calm', '10:00', '1 day 02:00'
    );
    insert into "Odd ""name" (id, day, at, zoned, price, r)
    values (2, 'infinity', '-infinity', 'infinity', 'NaN', 'NaN');
    insert into "Odd ""name" (id) values (3);
"""


@pytest.fixture
def everything(postgres, extract):
    url = postgres.database(EVERYTHING)
    collected = extract(Postgres, url=url, records=["*"])
    return collected, f'{make_url(url).database}.public."Odd ""name"'


def test_records_come_with_the_types_that_arrow_has_and_else_as_text(everything):
    collected, table = everything
    one, infinite, nothing = collected.rows(table)
    assert one == {
        "id": 1,
        "small": 2,
        "big": 3,
        "r": 1.5,
        "d": 2.5,
        "yes": True,
        "day": date(2020, 1, 1),
        "at": datetime(2020, 1, 1, 10),
        "zoned": datetime(2020, 1, 1, 8, tzinfo=UTC),
        "words": "é",
        "short": "v",
        "padded": "c  ",
        "bytes": b"\x00\xff",
        "price": Decimal("12.34"),
        "exact": "1.234567890123456789",
        "mark": "11111111-1111-1111-1111-111111111111",
        "doc": '{"a": 1}',
        "many": "[[1,2],[3,null]]",
        "mood": "calm",
        "clock": "10:00:00",
        "span": "1 day 02:00:00",
    }
    assert {infinite[name] for name in ("day", "at", "zoned", "price")} == {None}
    assert infinite["r"] != infinite["r"]
    assert {value for name, value in nothing.items() if name != "id"} == {None}
    assert collected.datasets[table].keys == ("id",)
    assert collected.datasets[table].distinct
    assert collected.report.complete


def test_only_tables_that_a_pattern_names_are_copied_and_one_that_names_none_is_told(postgres, extract):
    url = postgres.database("create table a (x int); create table b (x int); insert into a values (1)")
    name = make_url(url).database
    collected = extract(Postgres, url=url, records=[f"{name}.public.a", "*.gone"])
    assert collected.rows(f"{name}.public.a") == [{"x": 1}]
    assert list(collected.datasets) == [f"{name}.public.a"]
    assert not collected.datasets[f"{name}.public.a"].distinct
    assert "no table matches *.gone" in collected.report.warnings[0]


def test_a_table_that_may_not_be_read_is_told_and_the_others_are_copied(postgres, extract):
    url = postgres.database(
        "create table shut (x int); create table shown (x int); insert into shown values (7);"
        "drop role if exists reader; create role reader login; grant select on shown to reader"
    )
    name = make_url(url).database
    collected = extract(Postgres, url=postgres.url(name, "reader"), records=["*"])
    assert collected.rows(f"{name}.public.shown") == [{"x": 7}]
    report = collected.report.tables[f"{name}.public.shut"]
    assert report.errors == 1
    assert not report.settled
    assert "permission denied" in collected.report.warnings[0]


def test_all_tables_are_of_the_moment_in_which_the_catalogue_was_read(postgres, connect):
    url = postgres.database("create table a (x int); create table b (x int); insert into b values (1)")
    name = make_url(url).database
    connector = connect(Postgres, url=url, records=["*"])
    collected = connector.context.ingest
    announce = collected.dataset

    def dataset(given, schema):
        announce(given, schema)
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("insert into b values (2)")

    collected.dataset = dataset
    connector.start()
    assert collected.rows(f"{name}.public.b") == [{"x": 1}]


def test_a_large_table_comes_in_batches(postgres, extract):
    url = postgres.database(
        "create table a as select i as x, 'row ' || i as y from generate_series(1, 400000) i"
    )
    name = f"{make_url(url).database}.public.a"
    batches = extract(Postgres, url=url, records=["*"]).batches[name]
    table = pa.Table.from_batches(batches)
    assert table.num_rows == 400_000
    assert pa.compute.sum(table["x"]).as_py() == 400_000 * 400_001 // 2
    assert max(batch.nbytes for batch in batches) < 8 * 1024 * 1024
