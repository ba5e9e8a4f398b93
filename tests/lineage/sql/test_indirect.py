"""Columns that decide about rows, with their clause."""

import pytest

from tests.lineage.sql.reading import indirect

CASES = [
    (None, "select a from t where b > 1", ["where: t.b"]),
    (
        None,
        "select a from t where b in (select c from u where d = 1)",
        ["where: t.b", "where: u.c", "where: u.d"],
    ),
    (
        None,
        "select a from t where exists (select 1 from u where u.k = t.k)",
        ["where: t.k", "where: u.k"],
    ),
    (None, "select t.a from t join u on t.k = u.k and u.z > 0", ["join: t.k", "join: u.k", "join: u.z"]),
    (None, "select t.a from t left join u using (k)", ["join: t.k", "join: u.k"]),
    (None, "select a, sum(b) from t group by a", ["group_by: t.a"]),
    (None, "select a, sum(b) from t group by 1 order by 2", ["group_by: t.a", "order_by: t.b"]),
    (None, "select a from t group by a having sum(b) > 1", ["group_by: t.a", "having: t.b"]),
    (None, "select a from t order by b desc", ["order_by: t.b"]),
    (None, "select a as x from t order by x", ["order_by: t.a"]),
    (None, "select a as t from t order by t.b", ["order_by: t.b"]),
    (None, "select case when a then b else c end as x from t", ["case: t.a -> x"]),
    (None, "select case a when 1 then b end as x from t", ["case: t.a -> x"]),
    (
        "postgres",
        "select rank() over (partition by a order by b) as r from t",
        ["window: t.a -> r", "window: t.b -> r"],
    ),
    ("postgres", "select sum(a) filter (where b) as s from t", ["case: t.b -> s"]),
    ("postgres", "select distinct on (a) b from t", ["group_by: t.a"]),
    ("postgres", "select a from t group by rollup (a, b)", ["group_by: t.a", "group_by: t.b"]),
    ("postgres", "select a as x from t group by x", ["group_by: t.a"]),
    ("postgres", "select a from t union select b from u order by a", ["order_by: t.a", "order_by: u.b"]),
    ("postgres", "update x set p = 1 from s where s.id = x.id", ["where: s.id", "where: x.id"]),
    ("postgres", "delete from x using s where s.id = x.id", ["where: s.id", "where: x.id"]),
    (
        "snowflake",
        "select a from t qualify row_number() over (partition by b order by c) = 1",
        ["qualify: t.b", "qualify: t.c"],
    ),
    ("snowflake", "select iff(a, b, c) as x from t", ["case: t.a -> x"]),
    ("snowflake", "select a + 1 as x from t where x > 2", ["where: t.a"]),
    ("bigquery", "select if(a, b, c) as x from t", ["case: t.a -> x"]),
    ("bigquery", "select a from t qualify rank() over (order by b) = 1", ["qualify: t.b"]),
    (
        "duckdb",
        "select a from t asof join u on t.k = u.k and t.s >= u.s",
        ["join: t.k", "join: t.s", "join: u.k", "join: u.s"],
    ),
    ("duckdb", "select a from t group by all", ["group_by: t.a"]),
    (
        "snowflake",
        "select a, upper(b) as u, sum(c) + d as s, rank() over (order by d) as r from t group by all",
        ["group_by: t.a", "group_by: t.b", "window: t.d -> r"],
    ),
    (
        "duckdb",
        "select k, (select max(z) from u) as m, sum(c) from t group by all",
        ["group_by: t.k", "group_by: u.z"],
    ),
    (
        "duckdb",
        "select * exclude (c), sum(c) from (select a, b, c from t) q group by all",
        ["group_by: t.a", "group_by: t.b"],
    ),
    ("duckdb", "select *, count(*) from t group by all", []),
    ("spark", "select a from t sort by b", ["order_by: t.b"]),
    ("spark", "select a from t distribute by b", ["order_by: t.b"]),
    ("spark", "select a from t left semi join u on t.k = u.k", ["join: t.k", "join: u.k"]),
    ("hive", "select a from t cluster by b", ["order_by: t.b"]),
    (
        "oracle",
        "select a from t start with b = 1 connect by prior c = d",
        ["where: t.b", "where: t.c", "where: t.d"],
    ),
    ("clickhouse", "select a from t prewhere b = 1", ["where: t.b"]),
    ("tsql", "select top 1 a from t order by b", ["order_by: t.b"]),
    ("mysql", "select a from t group by b with rollup", ["group_by: t.b"]),
    (
        "tsql",
        "merge into x using s on x.id = s.id when matched and s.f = 1 then update set p = s.a;",
        ["join: s.id", "join: x.id", "where: s.f"],
    ),
    (
        None,
        "with q as (select a from t where b = 1) select a from q where a > 0",
        ["where: t.a", "where: t.b"],
    ),
    (None, "select x from (select case when a then b end as x from t) q", ["case: t.a -> x"]),
    (None, "select a from (select a, b from t) q order by b", ["order_by: t.b"]),
]


@pytest.mark.parametrize(("dialect", "sql", "expected"), CASES)
def test_indirect_dependencies(dialect: str | None, sql: str, expected: list[str]):
    schemas = {"t": list("abcdkswz"), "u": list("bcdkswz")} if "asof" in sql else None
    assert indirect(sql, dialect, schemas) == expected


def test_a_filter_of_a_common_table_expression_that_nothing_reads_decides_nothing():
    assert indirect("with q as (select a from t where b = 1) select c from u") == []


def test_a_filter_counts_for_the_statement_that_uses_the_temporary_table():
    sql = "create temp table s as select a from t where b = 1; insert into x select a from s"
    assert indirect(sql, "postgres") == ["where: t.b"]


def test_predicates_name_the_table_that_is_written():
    from lineage.sql import analyze

    found = analyze("insert into x select a from t where b = 1").to_dict()["indirect"]
    assert [entry["downstream"] for entry in found] == [{"table": "x", "column": None}]
