from __future__ import annotations

import sqlite3

import duckdb
import pytest
from sqlalchemy import Engine, event

from connectors.builtin.database import DuckDB
from connectors.errors import UnexpectedAnswer, Unreachable

SHOP = """
    create schema sales;
    create table sales.customers (id int primary key, name text not null);
    create table sales.orders (
        id int primary key, customer int references sales.customers (id), amount decimal(10, 2) default 0,
        gross decimal(10, 2) generated always as (amount * 1.2) virtual
    );
    insert into sales.customers values (1, 'Ada');
    comment on table sales.orders is 'what was sold';
    comment on column sales.orders.amount is 'net';
    create view sales.big as select id, amount from sales.orders where amount > 10;
    create view top_orders (order_id) as select id from sales.big;
    create temp table scratch (a int);
"""


@pytest.fixture
def make(tmp_path):
    def run(sql, name="shop.duckdb"):
        with duckdb.connect(str(tmp_path / name)) as connection:
            connection.execute(sql)
        return name

    return run


@pytest.fixture
def shop(make, extract):
    return extract(DuckDB, path=make(SHOP))


def test_everything_of_the_database_is_declared_once(shop):
    assert shop.ids("database") == ["shop"]
    assert shop.ids("schema") == ["shop.main", "shop.sales"]
    assert shop.ids("table") == [
        "shop.main.top_orders",
        "shop.sales.big",
        "shop.sales.customers",
        "shop.sales.orders",
    ]
    assert len(shop.ids("column")) == 9
    assert shop.report.succeeded == len(shop.resources) + len(shop.declarations)
    assert shop.report.complete


def test_parents_hold_the_tree_together(shop):
    parents = {r.parent_databuilder_id for r in shop.resources.values()} - {None}
    assert parents <= set(shop.resources)
    assert shop["shop.sales.orders.amount"].parent_databuilder_id == "shop.sales.orders"


def test_a_table_says_where_it_lies_and_what_it_is(shop):
    orders, customers = shop["shop.sales.orders"], shop["shop.sales.customers"]
    assert (orders.database, orders.schema, orders.title) == ("shop", "sales", "orders")
    assert (orders.description, orders.native_type, orders.definition) == ("what was sold", "table", None)
    assert customers.properties["row_estimate"] == "1"


def test_a_column_has_type_order_nullability_comment_and_default(shop):
    amount = shop["shop.sales.orders.amount"]
    assert (amount.type, amount.sort_order, amount.description) == ("DECIMAL(10,2)", 3, "net")
    assert amount.properties["nullable"] == "true"
    assert "0" in amount.properties["default"]
    assert shop["shop.sales.customers.name"].properties["nullable"] == "false"
    assert shop["shop.sales.orders.gross"].properties["generated"] == "true"


def test_keys_are_facts_of_columns_and_no_lineage(shop):
    assert shop["shop.sales.orders.id"].is_pk
    assert not shop["shop.sales.orders.customer"].is_pk
    assert shop["shop.sales.orders.customer"].properties["references"] == "shop.sales.customers.id"
    assert len(shop.declarations) == 2


def test_a_views_sql_is_its_definition_and_its_lineage(shop):
    view = shop["shop.sales.big"]
    query = shop.sql_into("shop.sales.big")
    assert view.native_type == "view"
    assert query.sql == view.definition
    assert "sales.orders" in query.sql
    assert (query.dialect, query.default_database, query.default_schema) == ("duckdb", "shop", "sales")
    assert "top_orders (order_id)" in shop.sql_into("shop.main.top_orders").sql


def test_names_with_dots_quotes_spaces_and_letters_of_all_scripts_keep_them(make, extract):
    odd = extract(
        DuckDB, path=make('create schema "A.b"; create table "A.b"."Grün ""x""" ("c d" int, "名" int)')
    )
    assert odd.ids("table") == ['shop."A.b"."Grün ""x"""']
    assert odd.ids("column") == ['shop."A.b"."Grün ""x"""."c d"', 'shop."A.b"."Grün ""x""".名']
    assert odd['shop."A.b"."Grün ""x"""'].title == 'Grün "x"'


def test_a_view_whose_table_is_gone_is_still_there(make, extract):
    collected = extract(
        DuckDB, path=make("create table t (a int); create view v as select * from t; drop table t")
    )
    assert collected.ids("table") == ["shop.main.v"]
    assert collected.sql_into("shop.main.v")


def test_schemas_and_tables_are_selected_by_pattern(make, extract):
    path = make(
        "create table t (a int); create schema s; create table s.t (a int); create table s.tmp_x (a int)"
    )
    assert extract(DuckDB, path=path, schemas=["s*"], exclude=["tmp_*"]).ids("table") == ["shop.s.t"]
    assert extract(DuckDB, path=path, exclude_schemas=["s"]).ids("table") == ["shop.main.t"]
    assert extract(DuckDB, path=path, include=["s.*"]).ids("column") == ["shop.s.t.a", "shop.s.tmp_x.a"]


def test_a_schema_that_is_asked_for_and_missing_makes_the_run_partial(make, extract):
    collected = extract(DuckDB, path=make(SHOP), schemas=["sales", "finance"])
    assert not collected.report.complete
    assert "'finance'" in collected.report.warnings[0]
    assert "shop.sales.orders" in collected.resources


@pytest.mark.parametrize("tables", [1, 60])
def test_the_number_of_queries_does_not_grow_with_the_tables(make, extract, tables):
    path = make(
        ";".join(
            f"create table t{n} (a int primary key); create view v{n} as select a from t{n}"
            for n in range(tables)
        )
    )
    asked: list[str] = []

    def count(connection, cursor, statement, *rest):
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        assert len(extract(DuckDB, path=path).ids("table")) == 2 * tables
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert len(asked) == 6


def test_the_check_tries_each_capability(make, connect):
    results = list(connect(DuckDB, path=make(SHOP)).check())
    assert [(r.capability, r.ok) for r in results] == [
        ("reach", True),
        ("read tables", True),
        ("read view definitions", True),
    ]


def test_an_empty_database_has_nothing_to_read(make, failed):
    assert failed(DuckDB, path=make("select 1")) == {"read tables": "no table was found"}


def test_a_missing_file_is_named(extract, failed, tmp_path):
    with pytest.raises(Unreachable, match=r"no\.duckdb.*look at `path`"):
        extract(DuckDB, path="no.duckdb")
    assert "No such file" in failed(DuckDB, path="no.duckdb")["reach"]
    assert not (tmp_path / "no.duckdb").exists()


def test_a_file_of_another_kind_is_refused_without_loading_an_extension(extract, tmp_path):
    with sqlite3.connect(tmp_path / "app.db") as connection:
        connection.execute("create table t (a)")
    connection.close()
    with pytest.raises(UnexpectedAnswer, match="not a DuckDB database"):
        extract(DuckDB, path="app.db")


def test_a_damaged_file_is_an_unexpected_answer(make, extract, tmp_path):
    file = tmp_path / make(SHOP)
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(UnexpectedAnswer, match="cannot be opened"):
        extract(DuckDB, path=file.name)


def test_a_file_open_for_writing_says_that_it_is_in_use(make, extract, tmp_path):
    path = make(SHOP)
    with duckdb.connect(str(tmp_path / path)), pytest.raises(Unreachable, match="in use") as caught:
        extract(DuckDB, path=path)
    assert caught.value.retryable
