"""Redshift, Trino and Presto: what their manuals say."""

import pytest

from tests.lineage.sql.indirect.case import Case, check

REDSHIFT = [
    Case(
        "QUALIFY filters by a window function of the list",
        "select a, rank() over (order by b) as r from t where c = 1 qualify r = 1",
        "a <- t.a; r <- t.b",
        "where t.c; qualify t.b; window t.b -> r",
    ),
    Case(
        "an alias of the list may stand in a later condition",
        "select a as x, case when x = 1 then b else c end as y from t",
        "x <- t.a; y <- t.a t.b t.c",
        "case t.a -> y",
    ),
    Case("NVL2 is a CASE", "select nvl2(a, b, c) as x from t", "x <- t.a t.b t.c", "case t.a -> x"),
    Case(
        "DECODE is a CASE",
        "select decode(a, 1, b, c) as x from t",
        "x <- t.a t.b t.c",
        "case t.a -> x",
    ),
    Case(
        "files hold the rows that the unloaded query gives",
        "unload ('select a from t where b = 1') to 's3://bucket/part'",
        "a <- t.a",
        "where t.b",
        into="s3://bucket/part",
    ),
    Case(
        "UPDATE ... FROM with a join",
        "update x set p = s.a from s join r on r.id = s.rid where s.id = x.id",
        "p <- s.a",
        "join r.id s.rid; where s.id x.id",
        into="x",
    ),
    Case(
        "DELETE ... USING",
        "delete from x using s where s.id = x.id",
        "",
        "where s.id x.id",
        into="x",
    ),
    Case(
        "MERGE ... REMOVE DUPLICATES replaces or adds whole rows",
        "merge into x using s on x.id = s.id remove duplicates",
        "id <- s.id; a <- s.a",
        "join x.id s.id",
        into="x",
        schemas={"s": ["id", "a"], "x": ["id", "a"]},
    ),
    Case(
        "CUBE",
        "select a, b, sum(c) as s from t group by cube (a, b) order by s",
        "a <- t.a; b <- t.b; s <- t.c",
        "group_by t.a t.b; order_by t.c",
    ),
]

TRINO = [
    Case(
        "GROUPING SETS with a set of several columns",
        "select a, b, sum(c) as s from t group by grouping sets ((a, b), (a), ())",
        "a <- t.a; b <- t.b; s <- t.c",
        "group_by t.a t.b",
    ),
    Case(
        "FETCH FIRST ... WITH TIES",
        "select a from t order by b fetch first 3 rows with ties",
        "a <- t.a",
        "order_by t.b",
    ),
    Case(
        "a name in GROUP BY is an input column",
        "select max(a) as b from t group by b",
        "b <- t.a",
        "group_by t.b",
    ),
    Case(
        "MATCH_RECOGNIZE: partitions, their order, and the conditions of the pattern",
        "select * from t match_recognize (partition by k order by ts measures last(b.v) as v1 "
        "one row per match pattern (a b+) define b as b.w > prev(b.w))",
        "k <- t.k; v1 <- t.v",
        "group_by t.k; order_by t.ts; where t.w",
    ),
    Case(
        "elements of an array column filter",
        "select t.a, u.e from t cross join unnest(t.items) as u (e) where u.e > 1",
        "a <- t.a; e <- t.items",
        "where t.items",
    ),
    Case("IF is a CASE", "select if(a > 0, b) as x from t", "x <- t.a t.b", "case t.a -> x"),
    Case(
        "FILTER and an order within one aggregate",
        "select array_agg(a order by b) filter (where c > 0) as x from t",
        "x <- t.a t.b t.c",
        "case t.c -> x",
    ),
    Case(
        "a window defined by name",
        "select sum(a) over w as s from t window w as (partition by b order by c)",
        "s <- t.a t.b t.c",
        "window t.b t.c -> s",
    ),
    Case(
        "MERGE",
        "merge into x using s on x.id = s.id when matched and s.gone then delete "
        "when matched then update set p = s.a",
        "p <- s.a",
        "join x.id s.id; where s.gone",
        into="x",
    ),
]

PRESTO = [
    Case(
        "COUNT_IF counts the rows that meet a condition",
        "select count_if(a > b) as n from t group by c",
        "n <- t.a t.b",
        "case t.a t.b -> n; group_by t.c",
    ),
    Case(
        "INTERSECT compares whole rows",
        "select a from t intersect select b from u",
        "a <- t.a u.b",
        "join t.a u.b",
    ),
]


@pytest.mark.parametrize("case", REDSHIFT, ids=lambda case: case.meaning)
def test_redshift(case: Case):
    check(case, "redshift")


@pytest.mark.parametrize("case", TRINO, ids=lambda case: case.meaning)
def test_trino(case: Case):
    check(case, "trino")


@pytest.mark.parametrize("case", PRESTO, ids=lambda case: case.meaning)
def test_presto(case: Case):
    check(case, "presto")
