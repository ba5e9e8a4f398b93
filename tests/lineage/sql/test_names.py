"""Names: case, quotes, defaults, parts; what is a table and what is not."""

import pytest

from lineage.names import Identifier, TableName
from lineage.sql import analyze, compile_sql
from tests.lineage.sql.reading import columns, tables


@pytest.mark.parametrize(
    "dialect", ["postgres", "redshift", "snowflake", "oracle", "duckdb", "mysql", "bigquery", "tsql"]
)
def test_unquoted_names_match_in_any_case(dialect: str):
    sql = "with Q as (select A from T) select q.a as x from q"
    assert columns(sql, dialect) == ["x <- T.A"]


def test_a_quoted_name_is_another_name_in_postgres():
    sql = 'with "Q" as (select a from t) select a from q'
    assert columns(sql, "postgres") == ["a <- q.a"]


def test_a_quoted_name_in_the_stored_case_is_the_same_name():
    assert columns('with "q" as (select a from t) select a from Q', "postgres") == ["a <- t.a"]
    assert columns('with "Q" as (select a from t) select a from q', "snowflake") == ["a <- t.a"]


def test_quotes_do_not_matter_where_the_dialect_ignores_them():
    assert columns('with "Q" as (select a from t) select a from q', "duckdb") == ["a <- t.a"]


def test_columns_that_differ_in_case_only_are_told_apart_by_quotes():
    schemas = {"t": ["Id", "id"]}
    assert columns('select "Id" as x, id as y, ID as z from t', "postgres", schemas) == [
        "x <- t.Id",
        "y <- t.id",
        "z <- t.id",
    ]


def test_clickhouse_tells_case_apart():
    sql = "with q as (select a from t) select A from q"
    assert columns(sql, "clickhouse") == ["A <-"]


def test_a_known_column_is_named_as_it_is_stored():
    assert columns("select AMOUNT from t", "snowflake", {"t": ["amount"]}) == ["AMOUNT <- t.amount"]


@pytest.mark.parametrize(
    ("dialect", "sql", "name"),
    [
        ("bigquery", "select 1 from `p-1.d.t`", "p-1.d.t"),
        ("bigquery", "select 1 from p-1.d.t", "p-1.d.t"),
        ("bigquery", "select 1 from `p.d.t$20240101`", "p.d.t"),
        ("mysql", "select 1 from `d`.`t`", "d.t"),
        ("tsql", "select 1 from [srv].[db].[s].[t]", "srv.db.s.t"),
        ("tsql", "select 1 from db..t", "db.t"),
        ("snowflake", 'select 1 from "DB".s.t', "DB.s.t"),
    ],
)
def test_names_of_several_parts(dialect: str, sql: str, name: str):
    assert tables(sql, dialect) == ([name], [])


def test_identifiers_keep_their_quotes():
    assert compile_sql('select 1 from s."T"', "postgres").table_names == (
        TableName(Identifier("T", True), Identifier("s", False)),
    )


def test_tables_are_listed_once():
    assert (
        len(compile_sql("select 1 from t union select 2 from t; insert into u select 1 from t").table_names)
        == 2
    )


def test_defaults_fill_what_a_name_leaves_open():
    found = analyze(
        "insert into x select a from s.t", default_database="db", default_schema="public"
    ).to_dict()
    assert (found["in_tables"], found["out_tables"]) == (["db.s.t"], ["db.public.x"])
    assert found["column_lineage"][0]["upstreams"] == [{"table": "db.s.t", "column": "a"}]


def test_a_database_alone_does_not_fill_a_name_without_a_schema():
    assert analyze("select 1 from t", default_database="db").to_dict()["in_tables"] == ["t"]


@pytest.mark.parametrize(
    ("dialect", "before", "name"),
    [
        ("mysql", "use shop", "shop.t"),
        ("snowflake", "use schema sales", "sales.t"),
        ("snowflake", "use shop.sales", "shop.sales.t"),
        ("databricks", "use catalog shop; use schema sales", "shop.sales.t"),
        ("postgres", "set search_path to sales, public", "sales.t"),
        ("postgres", 'set search_path = "$user", sales', "sales.t"),
        ("oracle", "alter session set current_schema = hr", "hr.t"),
        ("spark", "set catalog shop; use sales", "shop.sales.t"),
    ],
)
def test_use_and_search_path_fill_names_that_follow(dialect: str, before: str, name: str):
    assert tables(f"{before}; select a from t", dialect) == ([name], [])


@pytest.mark.parametrize("dialect", ["tsql", "snowflake", "duckdb", "trino"])
def test_use_of_a_database_leaves_the_schema_open(dialect: str):
    (table,) = compile_sql("use shop; select a from t", dialect).table_names
    assert (table.database, table.schema) == (Identifier("shop"), None)
    schemas = {"shop.dbo.t": ["a"], "other.dbo.t": ["b"]}
    found = analyze("use shop; select * from t", dialect, default_schema="dbo", schemas=schemas).to_dict()
    assert [entry["upstreams"] for entry in found["column_lineage"]] == [
        [{"table": "shop.dbo.t", "column": "a"}]
    ]


def test_a_database_is_no_schema_of_that_name():
    sql = "create table shop.t (q int); use shop; select * from t"
    assert columns(sql, "snowflake") == ["* <- shop.t.*"]  # shop.<open>.t
    sql = "use shop; select * from t; select * from x.shop.t"
    assert columns(sql, "snowflake", {"shop.t": ["z"]}) == ["* <- shop.t.*", "z <- x.shop.t.z"]
    assert columns("use shop; select * from t", "snowflake", {"shop.s.t": ["z"]}) == ["z <- shop.t.z"]


def test_schemas_are_found_by_the_tail_of_a_name():
    schemas = {"db.s.t": {"a": "int", "b": "int"}}
    assert columns("select * from s.t", schemas=schemas) == ["a <- s.t.a", "b <- s.t.b"]


def test_two_schemas_with_the_same_tail_decide_nothing():
    schemas = {"db1.s.t": ["a"], "db2.s.t": ["a"]}
    assert columns("select * from s.t", schemas=schemas) == ["* <- s.t.*"]


@pytest.mark.parametrize(
    "dialect",
    [
        "postgresql",
        "sparksql",
        "mssql",
        "ansi",
        "generic",
        "athena",
        "greenplum",
        "SQL-Server",
        None,
        "no such thing",
    ],
)
def test_dialects_are_known_by_many_names_and_unknown_ones_are_generic(dialect: str | None):
    assert tables("select a from t", dialect) == (["t"], [])


def test_a_dialect_nobody_named_reads_brackets_and_backticks():
    assert tables("select [a] from [t]") == (["t"], [])
    assert tables("select `a` from `t`") == (["t"], [])
