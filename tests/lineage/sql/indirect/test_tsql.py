"""SQL Server: what its manual says."""

import pytest

from tests.lineage.sql.indirect.case import Case, check

CASES = [
    Case("IIF is a CASE", "select iif(a > 0, b, c) as x from t", "x <- t.a t.b t.c", "case t.a -> x"),
    Case("TOP ... WITH TIES", "select top 3 with ties a from t order by b", "a <- t.a", "order_by t.b"),
    Case(
        "CROSS APPLY sees the tables before it",
        "select t.a, l.b from t cross apply (select top 1 u.b from u where u.k = t.k order by u.z) l",
        "a <- t.a; b <- u.b",
        "where u.k t.k; order_by u.z",
    ),
    Case(
        "UPDATE of an alias of FROM",
        "update d set d.p = s.a from x d join s on s.id = d.id where s.f = 1",
        "p <- s.a",
        "join s.id x.id; where s.f",
        into="x",
    ),
    Case(
        "DELETE of an alias of FROM",
        "delete d from x d join s on s.id = d.id where s.f = 1",
        "",
        "join s.id x.id; where s.f",
        into="x",
    ),
    Case(
        "a name in GROUP BY and HAVING is never an output",
        "select max(a) as b from t group by b having b > 1",
        "b <- t.a",
        "group_by t.b; having t.b",
    ),
    Case(
        "a name that stands alone in ORDER BY is an output first",
        "select a as b from t order by b",
        "b <- t.a",
        "order_by t.a",
    ),
    Case(
        "MERGE: WHEN ... AND, for rows matched and for rows that the source does not have",
        "merge x using s on x.id = s.id when matched and s.f = 1 then update set p = s.a "
        "when not matched by source and x.old = 1 then delete;",
        "p <- s.a",
        "join x.id s.id; where s.f x.old",
        into="x",
    ),
    Case(
        "SELECT ... INTO makes a table of the rows that pass",
        "select a into y from t where b = 1",
        "a <- t.a",
        "where t.b",
        into="y",
    ),
    Case(
        "PIVOT groups by the columns that are not pivoted",
        "select k, [jan], [feb] from (select k, m, v from t) s pivot (sum(v) for m in ([jan], [feb])) p",
        "k <- t.k; jan <- t.v; feb <- t.v",
        "case t.m; group_by t.k",
    ),
    Case(
        "EXCEPT compares whole rows",
        "select a from t except select b from u",
        "a <- t.a u.b",
        "join t.a u.b",
    ),
    Case(
        "OFFSET ... FETCH takes rows in the order given",
        "select a from t order by b offset 5 rows fetch next 5 rows only",
        "a <- t.a",
        "order_by t.b",
    ),
    Case(
        "rows deleted through a common table expression are its table's",
        "with d as (select row_number() over (partition by a order by b) as n from x) delete from d where n > 1",
        "",
        "where x.a x.b",
        into="x",
    ),
    Case(
        "STRING_AGG's WITHIN GROUP",
        "select a, string_agg(b, ',') within group (order by c) as s from t group by a",
        "a <- t.a; s <- t.b t.c",
        "group_by t.a",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.meaning)
def test_tsql(case: Case):
    check(case, "tsql")
