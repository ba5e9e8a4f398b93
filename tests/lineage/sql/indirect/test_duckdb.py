"""DuckDB and ClickHouse: what their manuals say."""

import pytest

from tests.lineage.sql.indirect.case import Case, check

DUCKDB = [
    Case(
        "ASOF ... USING compares all of its columns",
        "select t.a, u.p from t asof join u using (k, ts)",
        "a <- t.a; p <- u.p",
        "join t.k u.k t.ts u.ts",
    ),
    Case(
        "SEMI ... USING gives no columns of the right side",
        "select * from t semi join u using (k)",
        "k <- t.k; a <- t.a",
        "join t.k u.k",
        schemas={"t": ["k", "a"], "u": ["k", "b"]},
    ),
    Case(
        "a star leaves a column of USING where the left side has it",
        "insert into x select * from t join u using (k)",
        "p <- t.a; q <- t.k u.k; r <- u.b",
        "join t.k u.k",
        into="x",
        schemas={"t": ["a", "k"], "u": ["b", "k"], "x": ["p", "q", "r"]},
    ),
    Case(
        "POSITIONAL JOIN compares nothing",
        "select t.a, u.b from t positional join u",
        "a <- t.a; b <- u.b",
    ),
    Case(
        "ORDER BY ALL orders by every column, those of a star included",
        "select * from t order by all",
        "a <- t.a; b <- t.b",
        "order_by t.a t.b",
        schemas={"t": ["a", "b"]},
    ),
    Case("FROM may come first", "from t select a where b = 1", "a <- t.a", "where t.b"),
    Case(
        "PIVOT as a statement",
        "pivot t on m in ('x', 'y') using sum(v) group by k",
        "k <- t.k; x <- t.v; y <- t.v",
        "case t.m; group_by t.k",
    ),
    Case(
        "a frame may be bounded by a column",
        "select sum(a) over (order by b range between c preceding and current row) as s from t",
        "s <- t.a t.b t.c",
        "window t.b t.c -> s",
    ),
    Case(
        "DISTINCT ON keeps the first row of each group in the order given",
        "select distinct on (a) a, b from t order by c",
        "a <- t.a; b <- t.b",
        "group_by t.a; order_by t.c",
    ),
    Case(
        "QUALIFY by an alias, beside a filter",
        "select a, row_number() over (order by b) as n from t where c > 0 qualify n <= 3",
        "a <- t.a; n <- t.b",
        "where t.c; qualify t.b; window t.b -> n",
    ),
    Case(
        "a subquery in FROM may name the tables before it",
        "select t.a, l.m from t, (select max(u.v) as m from u where u.k = t.k) l",
        "a <- t.a; m <- u.v",
        "where u.k t.k",
    ),
    Case(
        "INSERT BY NAME of a filtered query",
        "insert into x by name select a from t where b = 1",
        "a <- t.a",
        "where t.b",
        into="x",
    ),
    Case(
        "a condition in a list comprehension is part of its value only",
        "select [e + b for e in xs if e > c] as ys from t",
        "ys <- t.xs t.b t.c",
    ),
]

CLICKHOUSE = [
    Case(
        "LIMIT BY takes the first rows of each group",
        "select a from t order by b limit 1 by c",
        "a <- t.a",
        "order_by t.b; group_by t.c",
    ),
    Case(
        "ARRAY JOIN gives the elements of a column",
        "select a, i from t array join items as i where i > 1",
        "a <- t.a; i <- t.items",
        "where t.items",
    ),
    Case(
        "ANY LEFT JOIN",
        "select t.a, u.b from t any left join u on t.k = u.k",
        "a <- t.a; b <- u.b",
        "join t.k u.k",
    ),
    Case(
        "GLOBAL IN",
        "select a from t where b global in (select c from u)",
        "a <- t.a",
        "where t.b u.c",
    ),
    Case(
        "-If adds a condition to an aggregate",
        "select sumIf(a, b > 0) as s, countIf(c > 0) as n from t",
        "s <- t.a t.b; n <- t.c",
        "case t.b -> s; case t.c -> n",
    ),
    Case(
        "multiIf is a CASE",
        "select multiIf(a > 1, b, c > 1, d, e) as x from t",
        "x <- t.a t.b t.c t.d t.e",
        "case t.a t.c -> x",
    ),
    Case(
        "an alias goes before a column of that name, in WHERE too",
        "select a + 1 as b, c from t where b > 2",
        "b <- t.a; c <- t.c",
        "where t.a",
        schemas={"t": ["a", "b", "c"]},
    ),
    Case(
        "WITH may name the value of a subquery",
        "with (select max(v) from u where w = 1) as m select a from t where b > m",
        "a <- t.a",
        "where t.b u.v u.w",
    ),
    Case(
        "PREWHERE filters before WHERE",
        "select a from t final prewhere b = 1 where c = 2",
        "a <- t.a",
        "where t.b t.c",
    ),
    Case(
        "WITH TOTALS adds a row",
        "select a, sum(b) as s from t group by a with totals having s > 1",
        "a <- t.a; s <- t.b",
        "group_by t.a; having t.b",
    ),
    Case(
        "INSERT ... SELECT with a filter",
        "insert into x (p) select a from t where b in (1, 2)",
        "p <- t.a",
        "where t.b",
        into="x",
    ),
]


@pytest.mark.parametrize("case", DUCKDB, ids=lambda case: case.meaning)
def test_duckdb(case: Case):
    check(case, "duckdb")


@pytest.mark.parametrize("case", CLICKHOUSE, ids=lambda case: case.meaning)
def test_clickhouse(case: Case):
    check(case, "clickhouse")
