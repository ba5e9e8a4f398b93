"""Columns out of what is no plain table: functions, arrays, pivots, patterns."""

import pytest

from tests.lineage.sql.reading import columns, tables


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("bigquery", "select x from t, unnest(t.xs) as x"),
        ("bigquery", "select x from t, t.xs as x"),
        ("postgres", "select x from t cross join lateral unnest(t.xs) as u(x)"),
        ("presto", "select x from t cross join unnest(t.xs) as u(x)"),
        ("spark", "select x from t lateral view explode(xs) e as x"),
        ("hive", "select x from t lateral view outer explode(t.xs) e as x"),
        ("duckdb", "select x from t, unnest(xs) as u(x)"),
        ("snowflake", "select f.value as x from t, lateral flatten(input => t.xs) f"),
        ("snowflake", "select f.value:sku::string as x from t, table(flatten(t.xs)) f"),
    ],
)
def test_elements_of_an_array_depend_on_the_array(dialect: str, sql: str):
    assert columns(sql, dialect) == ["x <- t.xs"]
    assert tables(sql, dialect) == (["t"], [])


def test_a_field_of_an_unnested_struct_depends_on_the_array():
    assert columns("select i.sku from orders o, unnest(o.items) as i", "bigquery") == ["sku <- orders.items"]


def test_laterals_follow_one_another():
    sql = "select c.value as x from t, lateral flatten(input => t.a) b, lateral flatten(input => b.value) c"
    assert columns(sql, "snowflake") == ["x <- t.a"]


def test_a_lateral_subquery_sees_what_stands_before_it():
    assert columns("select l.x from t, lateral (select t.a + 1 as x) l", "postgres") == ["x <- t.a"]


def test_table_functions_are_no_tables():
    assert tables("select * from generate_series(1, 10) as g(n), t", "postgres") == (["t"], [])


def test_a_pivot_gives_a_column_for_each_value_and_keeps_the_others():
    sql = "select * from sales pivot (sum(amount) for month in ('jan' as jan, 'feb' as feb))"
    schemas = {"sales": ["region", "month", "amount"]}
    assert columns(sql, "snowflake", schemas) == [
        "region <- sales.region",
        "jan <- sales.amount",
        "feb <- sales.amount",
    ]


def test_a_pivot_without_a_schema_tells_kept_columns_from_new_ones():
    sql = "select region, jan from sales pivot (sum(amount) for month in ('jan' as jan))"
    assert columns(sql, "bigquery") == ["region <- sales.region", "jan <- sales.amount"]


def test_an_unpivot_gathers_its_columns():
    sql = "select id, month, amount from sales unpivot (amount for month in (jan, feb))"
    assert columns(sql, "snowflake", {"sales": ["id", "jan", "feb"]}) == [
        "id <- sales.id",
        "month <- sales.feb sales.jan",
        "amount <- sales.feb sales.jan",
    ]


def test_match_recognize_gives_partition_columns_and_measures():
    sql = """
        select * from ticks match_recognize (
            partition by symbol order by at
            measures last(up.price) as top
            one row per match
            pattern (up+)
            define up as up.price > 1
        ) as m
    """
    assert columns(sql, "snowflake") == ["symbol <- ticks.symbol", "top <- ticks.price"]


def test_flinks_window_functions_add_the_windows_columns():
    sql = """
        select window_start, sum(price) as total
        from table(tumble(table bid, descriptor(bid_time), interval '10' minutes))
        group by window_start
    """
    assert columns(sql, "flink", {"bid": ["bid_time", "price"]}) == [
        "window_start <- bid.bid_time",
        "total <- bid.price",
    ]


def test_pivot_and_unpivot_as_statements():
    assert columns("pivot t on m using sum(v) as s group by k", "duckdb") == ["k <- t.k", "* <- t.v"]
    sql = "select n, v from (unpivot t on a, b into name n value v)"
    assert columns(sql, "duckdb") == ["n <- t.a t.b", "v <- t.a t.b"]


def test_dual_and_pseudo_columns_hold_nothing():
    assert tables("select sysdate from dual", "oracle") == ([], [])
    assert columns("select rownum as n, a from t", "oracle") == ["n <-", "a <- t.a"]


def test_clickhouse_names_expressions_and_joins_arrays():
    assert columns("with a + 1 as n select n, e from t final array join xs as e", "clickhouse") == [
        "n <- t.a",
        "e <- t.xs",
    ]


def test_a_tables_name_stands_for_its_row():
    assert columns("select to_json(t) as j from t", "postgres", {"t": ["a", "b"]}) == ["j <- t.a t.b"]
    assert columns("select to_json(x) as j from t as x", "postgres") == ["j <- t.*"]


def test_a_column_may_have_its_tables_name():
    assert columns("select status from status", "postgres") == ["status <- status.status"]


def test_columns_of_all_columns():
    assert columns("select columns(*) from t", "duckdb", {"t": ["a"]}) == ["a <- t.a"]


def test_a_semantic_view_is_read_like_a_table():
    assert tables("select m from semantic_view(db.s.v metrics m)", "snowflake") == (["db.s.v"], [])


def test_a_dictionary_is_read_by_its_function():
    sql = "select dictGet('db.codes', 'name', t.id) as name from t"
    assert tables(sql, "clickhouse")[0] == ["t", "db.codes"] or tables(sql, "clickhouse")[0] == [
        "db.codes",
        "t",
    ]
