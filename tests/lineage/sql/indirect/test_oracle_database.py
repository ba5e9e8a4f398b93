"""Oracle and Teradata: what their manuals say."""

import pytest

from tests.lineage.sql.indirect.case import Case, check

ORACLE = [
    Case(
        "ORDER SIBLINGS BY orders the rows of one parent",
        "select a from t start with b = 1 connect by prior c = d order siblings by e",
        "a <- t.a",
        "where t.b t.c t.d; order_by t.e",
    ),
    Case(
        "an outer join written with (+)",
        "select t.a, u.b from t, u where t.k = u.k(+)",
        "a <- t.a; b <- u.b",
        "where t.k u.k",
    ),
    Case(
        "DECODE compares its first argument with each search value",
        "select decode(a, b, c, d) as x from t",
        "x <- t.a t.b t.c t.d",
        "case t.a t.b -> x",
    ),
    Case(
        "MERGE: each action has a WHERE of its own",
        "merge into x using s on (x.id = s.id) when matched then update set p = s.a where s.f = 1 "
        "delete where x.gone = 1 when not matched then insert (id) values (s.id) where s.g = 1",
        "p <- s.a; id <- s.id",
        "join x.id s.id; where s.f x.gone s.g",
        into="x",
    ),
    Case(
        "INSERT ALL by conditions",
        "insert all when a > 1 then into x (p) values (b) when c > 1 then into y (q) values (b) "
        "select a, b, c from t",
        "x.p <- t.b; y.q <- t.b",
        "where t.a -> x.; where t.c -> y.",
    ),
    Case(
        "KEEP aggregates the first or last rows of an order",
        "select max(a) keep (dense_rank last order by b) as m from t",
        "m <- t.a t.b",
    ),
    Case(
        "PIVOT groups by the columns it does not use",
        "select * from (select k, m, v from t) pivot (sum(v) for m in ('p' as x, 'q' as y))",
        "k <- t.k; x <- t.v; y <- t.v",
        "case t.m; group_by t.k",
    ),
    Case(
        "MINUS compares whole rows", "select a from t minus select b from u", "a <- t.a u.b", "join t.a u.b"
    ),
    Case(
        "ALL compares with every row of the subquery",
        "select a from t where b >= all (select u.c from u)",
        "a <- t.a",
        "where t.b u.c",
        schemas={"t": ["a", "b"], "u": ["c"]},
    ),
    Case(
        "a CASE in GROUP BY groups, and in the list decides about the value",
        "select case when a > 0 then b end as x, count(c) as n from t group by case when a > 0 then b end",
        "x <- t.a t.b; n <- t.c",
        "case t.a -> x; group_by t.a t.b",
    ),
    Case(
        "SELECT ... INTO fills a variable of the procedure, and makes no table",
        "select max(a) into v from t where b = 1",
        "_col_0 <- t.a",
        "where t.b",
    ),
    Case(
        "LISTAGG as a window function",
        "select listagg(a, ',') within group (order by b) over (partition by c) as l from t",
        "l <- t.a t.b t.c",
        "window t.c -> l",
    ),
    Case(
        "DELETE by a subquery",
        "delete from x where id in (select s.sid from s where s.f = 1)",
        "",
        "where x.id s.sid s.f",
        into="x",
        schemas={"x": ["id"], "s": ["sid", "f"]},
    ),
    Case(
        "a row of columns set from a correlated subquery",
        "update x set (p, q) = (select s.a, s.b from s where s.id = x.id) "
        "where exists (select 1 from s where s.id = x.id and s.f = 1)",
        "p <- s.a; q <- s.b",
        "where s.id x.id s.f",
        into="x",
    ),
]

TERADATA = [
    Case(
        "QUALIFY",
        "sel a from t qualify row_number() over (partition by b order by c desc) = 1",
        "a <- t.a",
        "qualify t.b t.c",
    ),
    Case(
        "UPDATE ... FROM stands before SET",
        "update x from s set p = s.a where x.id = s.id",
        "p <- s.a",
        "where x.id s.id",
        into="x",
    ),
    Case(
        "MERGE may insert values without a list of columns",
        "merge into x using s on x.id = s.id when not matched then insert (s.id, s.a)",
        "id <- s.id; p <- s.a",
        "join x.id s.id",
        into="x",
        schemas={"x": ["id", "p"], "s": ["id", "a"]},
    ),
    Case("TOP ... WITH TIES", "select top 3 with ties a from t order by b", "a <- t.a", "order_by t.b"),
    Case(
        "a named expression may be used anywhere in the query",
        "select a + 1 as x from t where x > 2",
        "x <- t.a",
        "where t.a",
    ),
    Case(
        "numbers in GROUP BY",
        "select a, b, sum(c) as s from t group by 1, 2 having sum(c) > 1",
        "a <- t.a; b <- t.b; s <- t.c",
        "group_by t.a t.b; having t.c",
    ),
    Case(
        "MINUS compares whole rows", "select a from t minus select b from u", "a <- t.a u.b", "join t.a u.b"
    ),
]


@pytest.mark.parametrize("case", ORACLE, ids=lambda case: case.meaning)
def test_oracle(case: Case):
    check(case, "oracle")


@pytest.mark.parametrize("case", TERADATA, ids=lambda case: case.meaning)
def test_teradata(case: Case):
    check(case, "teradata")
