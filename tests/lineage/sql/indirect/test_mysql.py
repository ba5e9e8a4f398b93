"""MySQL and SQLite: what their manuals say."""

import pytest

from tests.lineage.sql.indirect.case import Case, check

MYSQL = [
    Case("IF is a CASE", "select if(a > 0, b, c) as x from t", "x <- t.a t.b t.c", "case t.a -> x"),
    Case(
        "UPDATE of a join",
        "update x join s on s.id = x.id set x.p = s.a where s.f = 1",
        "p <- s.a",
        "join s.id x.id; where s.f",
        into="x",
    ),
    Case(
        "UPDATE ... ORDER BY ... LIMIT changes the first rows of that order",
        "update x set p = 1 where q = 2 order by r limit 3",
        "",
        "where x.q; order_by x.r",
        into="x",
    ),
    Case(
        "DELETE of one table of a join",
        "delete x from x join s on s.id = x.id where s.f = 1",
        "",
        "join s.id x.id; where s.f",
        into="x",
    ),
    Case(
        "DELETE ... ORDER BY ... LIMIT",
        "delete from x where q = 1 order by r limit 3",
        "",
        "where x.q; order_by x.r",
        into="x",
    ),
    Case(
        "numbers in GROUP BY ... WITH ROLLUP",
        "select a, b, sum(c) as s from t group by 1, 2 with rollup",
        "a <- t.a; b <- t.b; s <- t.c",
        "group_by t.a t.b",
    ),
    Case(
        "the order within GROUP_CONCAT",
        "select group_concat(distinct b order by c separator ';') as s from t group by a",
        "s <- t.b t.c",
        "group_by t.a",
    ),
    Case(
        "HAVING may name an output",
        "select a, sum(b) as s from t group by a having s > 10",
        "a <- t.a; s <- t.b",
        "group_by t.a; having t.b",
    ),
    Case(
        "STRAIGHT_JOIN is an inner join",
        "select t.a from t straight_join u on t.k = u.k",
        "a <- t.a",
        "join t.k u.k",
    ),
    Case(
        "ORDER BY looks among the outputs first, in expressions too",
        "select a as b from t order by b + 1",
        "b <- t.a",
        "order_by t.a",
        schemas={"t": ["a", "b"]},
    ),
    Case(
        "GROUP BY looks among the columns of FROM first",
        "select max(a) as b from t group by b",
        "b <- t.a",
        "group_by t.b",
        schemas={"t": ["a", "b"]},
    ),
    Case(
        "SELECT ... INTO fills variables, one for each column",
        "select a, b into @x, @y from t where c = 1",
        "a <- t.a; b <- t.b",
        "where t.c",
    ),
    Case(
        "REPLACE ... SELECT is an INSERT",
        "replace into x (p) select a from t where b = 1",
        "p <- t.a",
        "where t.b",
        into="x",
    ),
    Case(
        "a duplicate key updates from the row that exists and from the one proposed",
        "insert into x (id, n) select id, n from t on duplicate key update n = x.n + values(n)",
        "id <- t.id; n <- t.n x.n",
        into="x",
    ),
]

SQLITE = [
    Case("IIF is a CASE", "select iif(a > 0, b, c) as x from t", "x <- t.a t.b t.c", "case t.a -> x"),
    Case(
        "rows compared with a subquery's rows",
        "select a from t where (b, c) in (select d, e from u)",
        "a <- t.a",
        "where t.b t.c u.d u.e",
    ),
    Case(
        "UPDATE ... FROM",
        "update x set p = s.a from s where s.id = x.id",
        "p <- s.a",
        "where s.id x.id",
        into="x",
    ),
    Case(
        "INSERT OR REPLACE ... SELECT",
        "insert or replace into x (p) select a from t where b in (select c from u where d = 1)",
        "p <- t.a",
        "where t.b u.c u.d",
        into="x",
    ),
    Case(
        "NATURAL LEFT JOIN",
        "select t.a from t natural left join u",
        "a <- t.a",
        "join t.k u.k t.j u.j",
        schemas={"t": ["k", "j", "a"], "u": ["k", "j", "b"]},
    ),
    Case(
        "UNION joins columns by position, and ORDER BY may be an expression over them",
        "select a as x from t union select b from u order by lower(x)",
        "x <- t.a u.b",
        "order_by t.a u.b",
    ),
    Case(
        "FILTER on an aggregate",
        "select sum(a) filter (where b > 0) as s from t group by c",
        "s <- t.a t.b",
        "case t.b -> s; group_by t.c",
    ),
]


@pytest.mark.parametrize("case", MYSQL, ids=lambda case: case.meaning)
def test_mysql(case: Case):
    check(case, "mysql")


@pytest.mark.parametrize("case", SQLITE, ids=lambda case: case.meaning)
def test_sqlite(case: Case):
    check(case, "sqlite")
