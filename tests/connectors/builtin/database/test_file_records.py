from __future__ import annotations

import sqlite3
from datetime import datetime

import duckdb

from connectors.builtin.database import DuckDB, Sqlite


def test_duckdb_gives_the_records_of_tables_and_views_as_arrow(tmp_path, extract):
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as db:
        db.execute("create table t (id int primary key, seen timestamp, tags varchar[], price decimal(8, 2))")
        db.execute("insert into t values (1, '2020-01-01', ['a'], 1.5), (2, null, null, null)")
        db.execute("create view v as select id + 1 as next from t where id = 2")
    collected = extract(DuckDB, path="shop.duckdb", records=["shop.main.*"])
    first = collected.rows("shop.main.t")[0]
    assert (first["id"], first["seen"], first["tags"], str(first["price"])) == (
        1,
        datetime(2020, 1, 1),
        ["a"],
        "1.50",
    )
    assert collected.rows("shop.main.v") == [{"next": 3}]
    assert collected.datasets["shop.main.t"].distinct
    assert collected.report.tables["shop.main.t"].rows == 2
    assert collected.report.complete


def test_a_view_that_no_longer_works_is_told_and_the_others_are_copied(tmp_path, extract):
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as db:
        db.execute(
            "create table gone (x int); create view v as select x from gone; create table kept as select 1 as x"
        )
        db.execute("drop table gone")
    collected = extract(DuckDB, path="shop.duckdb", records=["*"])
    assert collected.rows("shop.main.kept") == [{"x": 1}]
    assert collected.report.tables["shop.main.v"].errors == 1
    assert not collected.report.complete


def test_sqlites_rows_are_held_to_the_declared_types_and_what_does_not_fit_is_refused(tmp_path, extract):
    with sqlite3.connect(tmp_path / "app.db") as db:
        db.execute(
            'create table t (id integer primary key, n int, price decimal(8, 2), flag boolean, "a b" text, x)'
        )
        db.execute("insert into t values (1, 2, 1.5, 1, 'é', 'any')")
        db.execute("insert into t values (2, 'not a number', null, 0, null, null)")
    db.close()
    collected = extract(Sqlite, path="app.db", records=["app.main.t"])
    assert collected.rows("app.main.t") == [
        {"id": 1, "n": 2, "price": 1.5, "flag": True, "a b": "é", "x": "any"}
    ]
    refused = collected.refusals[0]
    assert (refused.table, refused.column, refused.key) == ("app.main.t", "n", '{"id":2}')
    assert collected.report.tables["app.main.t"].refused == 1
    assert not collected.report.complete
