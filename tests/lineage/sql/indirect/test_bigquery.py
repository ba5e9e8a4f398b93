"""BigQuery: what its manual says."""

import pytest

from tests.lineage.sql.indirect.case import Case, check

CASES = [
    Case(
        "EXISTS over the elements of an array column",
        "select t.a from t where exists (select 1 from unnest(t.tags) as tag where tag = 'x')",
        "a <- t.a",
        "where t.tags",
    ),
    Case(
        "COUNTIF counts the rows that meet a condition",
        "select countif(a > 0) as n from t",
        "n <- t.a",
        "case t.a -> n",
    ),
    Case(
        "QUALIFY by a named window",
        "select a from t qualify rank() over w = 1 window w as (partition by b order by c)",
        "a <- t.a",
        "qualify t.b t.c",
    ),
    Case(
        "PIVOT of a query groups by the columns it does not use",
        "select * from (select k, month, amount from sales where year = 1) "
        "pivot (sum(amount) for month in ('jan', 'feb'))",
        "k <- sales.k; jan <- sales.amount; feb <- sales.amount",
        "case sales.month; group_by sales.k; where sales.year",
    ),
    Case(
        "pipe syntax: each step works on the one before",
        "from t |> where a > 1 |> aggregate sum(b) as s group by c |> order by s",
        "c <- t.c; s <- t.b",
        "where t.a; group_by t.c; order_by t.b",
    ),
    Case(
        "rows of the target that the source does not have",
        "merge x using s on x.id = s.id when not matched by source and x.f then delete",
        "",
        "join x.id s.id; where x.f",
        into="x",
    ),
    Case(
        "UPDATE ... FROM",
        "update x set p = if(s.f, s.a, x.p) from s where x.id = s.id",
        "p <- s.f s.a x.p",
        "where x.id s.id; case s.f -> p",
        into="x",
    ),
    Case(
        "EXCEPT DISTINCT compares whole rows",
        "select a from t except distinct select b from u",
        "a <- t.a u.b",
        "join t.a u.b",
    ),
    Case(
        "the order within ARRAY_AGG",
        "select array_agg(a order by b limit 1)[offset(0)] as x from t",
        "x <- t.a t.b",
    ),
    Case(
        "GROUP BY ROLLUP",
        "select a, b, sum(c) as s from t group by rollup (a, b)",
        "a <- t.a; b <- t.b; s <- t.c",
        "group_by t.a t.b",
    ),
    Case(
        "a column of USING is of both sides",
        "select k, t.a from t left join u using (k)",
        "k <- t.k u.k; a <- t.a",
        "join t.k u.k",
    ),
    Case(
        "HAVING may name an output",
        "select a, count(b) as n from t group by a having n > 1",
        "a <- t.a; n <- t.b",
        "group_by t.a; having t.b",
    ),
    Case(
        "a field of a struct is read from its column",
        "select t.a from t where t.s.f = 1 order by t.r.g",
        "a <- t.a",
        "where t.s; order_by t.r",
    ),
    Case(
        "an array made by a correlated subquery",
        "select array(select e.x from unnest(t.items) as e where e.y > t.low) as xs from t",
        "xs <- t.items",
        "where t.items t.low",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.meaning)
def test_bigquery(case: Case):
    check(case, "bigquery")
