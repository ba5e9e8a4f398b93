"""Spark, Databricks and Hive: what their manuals say."""

import pytest

from tests.lineage.sql.indirect.case import Case, check

SPARK = [
    Case(
        "DISTRIBUTE BY and SORT BY",
        "select a from t distribute by b sort by c",
        "a <- t.a",
        "order_by t.b t.c",
    ),
    Case(
        "LATERAL VIEW gives the elements of its argument",
        "select t.a, v.item from t lateral view explode(t.items) v as item where v.item > 1",
        "a <- t.a; item <- t.items",
        "where t.items",
    ),
    Case(
        "an anti join decides, and gives no columns",
        "select * from t left anti join u on t.k = u.k",
        "k <- t.k; a <- t.a",
        "join t.k u.k",
        schemas={"t": ["k", "a"], "u": ["k", "b"]},
    ),
    Case(
        "a semi join by USING gives no columns either",
        "select * from t left semi join u using (k)",
        "k <- t.k; a <- t.a",
        "join t.k u.k",
        schemas={"t": ["k", "a"], "u": ["k", "b"]},
    ),
    Case(
        "a condition inside an aggregate",
        "select sum(if(a > 0, b, 0)) as s from t",
        "s <- t.a t.b",
        "case t.a -> s",
    ),
    Case(
        "PIVOT groups by the columns it does not use",
        "select * from (select k, m, v from t) pivot (sum(v) for m in ('x' as x, 'y' as y))",
        "k <- t.k; x <- t.v; y <- t.v",
        "case t.m; group_by t.k",
    ),
    Case(
        "GROUP BY a window of time",
        "select window(ts, '1 hour') as w, count(v) as n from t group by window(ts, '1 hour')",
        "w <- t.ts; n <- t.v",
        "group_by t.ts",
    ),
    Case(
        "WHERE knows no alias of the list: the name is a column",
        "select coalesce(a, c) as b from t where b > 1",
        "b <- t.a t.c",
        "where t.b",
    ),
    Case(
        "a lambda's parameter is no column",
        "select filter(xs, x -> x > y) as z from t where exists(xs, x -> x > w)",
        "z <- t.xs t.y",
        "where t.xs t.w",
    ),
]

DATABRICKS = [
    Case(
        "UPDATE SET * and INSERT * take the source's columns by name",
        "merge into x using s on x.id = s.id when matched and s.d > x.d then update set * "
        "when not matched then insert *",
        "id <- s.id; d <- s.d",
        "join x.id s.id; where s.d x.d",
        into="x",
        schemas={"s": ["id", "d"], "x": ["id", "d"]},
    ),
    Case(
        "QUALIFY after a window of its own",
        "select * except (b) from t qualify row_number() over (partition by a order by b desc) = 1",
        "a <- t.a",
        "qualify t.a t.b",
        schemas={"t": ["a", "b"]},
    ),
    Case(
        "GROUP BY ALL groups by the items without an aggregate, ORDER BY ALL orders by all items",
        "select a, lower(b) as l, sum(c) as s from t group by all order by all",
        "a <- t.a; l <- t.b; s <- t.c",
        "group_by t.a t.b; order_by t.a t.b t.c",
    ),
    Case(
        "DELETE where a subquery finds rows",
        "delete from x where exists (select 1 from s where s.id = x.id and s.f)",
        "",
        "where s.id x.id s.f",
        into="x",
    ),
    Case(
        "a row of the target that no source row matches is updated by its own condition",
        "merge into x using s on x.id = s.id when not matched by source and x.old then update set p = x.q",
        "p <- x.q",
        "join x.id s.id; where x.old",
        into="x",
    ),
    Case(
        "an alias of the list may stand in a later condition",
        "select a * 2 as x, if(x > 1, b, c) as y from t",
        "x <- t.a; y <- t.a t.b t.c",
        "case t.a -> y",
    ),
]

HIVE = [
    Case(
        "each INSERT of a multi-insert has its own filter",
        "from t insert overwrite table x select a where b > 0 insert into table y select c where d > 0",
        "x.a <- t.a; y.c <- t.c",
        "where t.b -> x.; where t.d -> y.",
    ),
    Case(
        "GROUPING SETS behind the list",
        "select a, b, sum(c) as s from t group by a, b grouping sets ((a, b), a)",
        "a <- t.a; b <- t.b; s <- t.c",
        "group_by t.a t.b",
    ),
    Case(
        "WITH CUBE",
        "select a, b, sum(c) as s from t group by a, b with cube",
        "a <- t.a; b <- t.b; s <- t.c",
        "group_by t.a t.b",
    ),
    Case(
        "a partition filled from a filtered query",
        "insert overwrite table x partition (day) select a, day from t where b > 0",
        "a <- t.a; day <- t.day",
        "where t.b",
        into="x",
    ),
    Case(
        "TRANSFORM gives columns that a script makes of all it gets",
        "select transform(a, b) using 'count.py' as (x, y int) from t where c = 1",
        "x <- t.a t.b; y <- t.a t.b",
        "where t.c",
    ),
    Case(
        "CLUSTER BY",
        "select a from t join u on t.k = u.k cluster by u.z",
        "a <- t.a",
        "join t.k u.k; order_by u.z",
        schemas={"t": ["a", "k"], "u": ["k", "z"]},
    ),
]


@pytest.mark.parametrize("case", SPARK, ids=lambda case: case.meaning)
def test_spark(case: Case):
    check(case, "spark")


@pytest.mark.parametrize("case", DATABRICKS, ids=lambda case: case.meaning)
def test_databricks(case: Case):
    check(case, "databricks")


@pytest.mark.parametrize("case", HIVE, ids=lambda case: case.meaning)
def test_hive(case: Case):
    check(case, "hive")
