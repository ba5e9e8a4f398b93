from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import duckdb
import pytest

from pipelines import load_project
from pipelines.cli.main import run
from pipelines.demo.application import TABLES, make_application
from pipelines.demo.data import make_data
from tests.pipelines.demo.copying import copy_shop


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = copy_shop(tmp_path_factory.mktemp("made") / "shop")
    make_data(folder)
    return folder / "data"


@pytest.fixture
def warehouse(made):
    with duckdb.connect(str(made / "shop.duckdb"), read_only=True) as db:
        yield db


def test_the_application_is_the_same_every_time(tmp_path, made):
    make_application(tmp_path / "again.db")
    with (
        closing(sqlite3.connect(tmp_path / "again.db")) as again,
        closing(sqlite3.connect(made / "app.db")) as first,
    ):
        assert list(again.iterdump()) == list(first.iterdump())


def test_the_raw_tables_hold_the_applications_rows(made, warehouse):
    counts = {}
    with closing(sqlite3.connect(made / "app.db")) as application:
        for table in TABLES:
            expected = application.execute(f"select * from {table} order by 1").fetchall()
            assert warehouse.execute(f"select * from raw.{table} order by 1").fetchall() == expected
            counts[table] = len(expected)
    assert counts["order_items"] >= 100_000
    assert min(counts.values()) > 0


def test_the_warehouse_has_the_relations_that_dbt_made(made, warehouse):
    catalog = json.loads((made.parent / "dbt" / "target" / "catalog.json").read_text(encoding="utf-8"))
    made_by_dbt = {**catalog["nodes"], **catalog["sources"]}
    assert len(made_by_dbt) == 13
    for node in made_by_dbt.values():
        relation = f"{node['metadata']['schema']}.{node['metadata']['name']}"
        expected = [
            (c["name"], c["type"]) for c in sorted(node["columns"].values(), key=lambda c: c["index"])
        ]
        found = warehouse.execute(f"describe {relation}").fetchall()
        assert [(name, kind) for name, kind, *_ in found] == expected, relation


def test_the_aggregates_add_up_to_what_was_sold_less_what_was_paid_back(made, warehouse):
    with closing(sqlite3.connect(made / "app.db")) as application:
        ((web,), (till,), (refunds,)) = (
            application.execute(query).fetchone()
            for query in (
                "select sum(quantity * unit_price_cents - discount_cents) from order_items "
                "join orders using (order_id) where status <> 'cancelled'",
                "select sum(quantity * unit_price_cents) from till_sales",
                "select sum(amount_cents) from refunds join order_items using (order_item_id) "
                "join orders using (order_id) where status <> 'cancelled'",
            )
        )
    for relation in ("marts.fct_sales", "reporting.sales_by_month", "reporting.daily_sales"):
        column = "net_amount" if relation == "marts.fct_sales" else "net_revenue"
        ((total,),) = warehouse.execute(f"select sum({column}) from {relation}").fetchall()
        assert total == pytest.approx((web + till - refunds) / 100)


def test_what_is_there_is_not_made_again(shop):
    make_data(shop)
    before = {path.name: path.stat().st_mtime_ns for path in (shop / "data").iterdir() if path.suffix}
    make_data(shop)
    assert {path.name: path.stat().st_mtime_ns for path in (shop / "data").iterdir() if path.suffix} == before


def test_a_changed_script_makes_the_data_anew(shop):
    make_data(shop)
    script = shop / "warehouse" / "reporting.sql"
    script.write_text(script.read_text() + "create view reporting.one as select 1 as one;\n")
    make_data(shop)
    with duckdb.connect(str(shop / "data" / "shop.duckdb"), read_only=True) as db:
        assert db.execute("from reporting.one").fetchall() == [(1,)]


def test_what_a_killed_process_left_is_cleared_away(shop):
    left = shop / "data" / ".new-killed"
    left.mkdir(parents=True)
    (left / "shop.duckdb").write_bytes(b"half")
    (shop / "data" / "app.db").write_bytes(b"older")
    make_data(shop)
    assert sorted(path.name for path in (shop / "data").iterdir()) == [
        ".lock",
        "app.db",
        "made_from.txt",
        "shop.duckdb",
    ]


def test_several_may_make_the_data_at_once(shop):
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(make_data, [shop] * 3))
    with duckdb.connect(str(shop / "data" / "shop.duckdb"), read_only=True) as db:
        assert db.execute("select count(*) > 0 from reporting.revenue_trend").fetchone() == (True,)


def test_a_check_makes_the_data_too(shop):
    assert run(["--project", str(shop), "check", "app", "warehouse"]) == 0
    assert (shop / "data" / "shop.duckdb").exists()


def test_loading_the_definitions_makes_nothing(shop):
    load_project(shop)
    assert not (shop / "data").exists()


def test_the_committed_files_are_small(shop):
    assert sum(path.stat().st_size for path in shop.rglob("*") if path.is_file()) < 1_000_000
