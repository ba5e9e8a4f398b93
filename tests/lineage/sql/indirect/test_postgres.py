"""PostgreSQL: what its manual says of the clauses of queries, and of the statements that change rows."""

import pytest

from tests.lineage.sql.indirect.case import Case, check

CASES = [
    Case(
        "EXISTS looks at the subquery's condition, not at its list",
        "select t.a from t where exists (select u.x from u where u.k = t.k and u.z > 0)",
        "a <- t.a",
        "where u.k t.k u.z",
    ),
    Case(
        "ANY compares with the subquery's column",
        "select t.a from t where t.b > any (select u.c from u where u.d = 1)",
        "a <- t.a",
        "where t.b u.c u.d",
    ),
    Case(
        "a subquery in HAVING: its value belongs to HAVING, its filter is a filter",
        "select t.a, sum(t.b) as s from t group by t.a having sum(t.b) > (select max(u.c) from u where u.d = t.a)",
        "a <- t.a; s <- t.b",
        "group_by t.a; having t.b u.c; where u.d t.a",
    ),
    Case(
        "the filter of a scalar subquery decides, and is no part of the value",
        "select (select max(u.v) from u where u.k = t.k) as m from t",
        "m <- u.v",
        "where u.k t.k",
    ),
    Case(
        "a subquery in ORDER BY",
        "select t.a from t order by (select count(u.v) from u where u.k = t.k)",
        "a <- t.a",
        "order_by u.v; where u.k t.k",
    ),
    Case(
        "a subquery in ON",
        "select t.a from t join u on u.k = t.k and u.z in (select v.z from v where v.f = 1)",
        "a <- t.a",
        "join u.k t.k u.z v.z; where v.f",
    ),
    Case(
        "NATURAL compares the columns of the same name",
        "select a, b from t natural join u",
        "a <- t.a; b <- u.b",
        "join t.k u.k",
        schemas={"t": ["k", "a"], "u": ["k", "b"]},
    ),
    Case(
        "USING concerns the two sides of its own join, not tables joined later",
        "select t.a from t join u using (k) join v on v.j = u.j",
        "a <- t.a",
        "join t.k u.k v.j u.j",
        schemas={"t": ["k", "a"], "u": ["k", "j"], "v": ["k", "j"]},
    ),
    Case(
        "a star gives the columns of USING first: places of an INSERT are counted so",
        "insert into x select * from t join u using (k)",
        "p <- t.k u.k; q <- t.a; r <- u.b",
        "join t.k u.k",
        into="x",
        schemas={"t": ["a", "k"], "u": ["b", "k"], "x": ["p", "q", "r"]},
    ),
    Case(
        "a comment may stand within ORDER BY",
        "select a from t group /* by */ by b, a order -- by\n by c",
        "a <- t.a",
        "group_by t.a t.b; order_by t.c",
    ),
    Case(
        "a LATERAL subquery sees the tables before it",
        "select t.a, l.b from t cross join lateral (select u.b from u where u.k = t.k order by u.z limit 1) l",
        "a <- t.a; b <- u.b",
        "where u.k t.k; order_by u.z",
    ),
    Case(
        "a join written as a list of tables is decided by WHERE",
        "select t.a, u.b from t, u where t.k = u.k",
        "a <- t.a; b <- u.b",
        "where t.k u.k",
    ),
    Case(
        "DISTINCT ON makes groups, ORDER BY says which row of each stays",
        "select distinct on (t.a) t.b from t order by t.a, t.c desc",
        "b <- t.b",
        "group_by t.a; order_by t.a t.c",
    ),
    Case(
        "DISTINCT ON takes a number for an item of the list, as ORDER BY does",
        "select distinct on (1) a, b from t order by 1, c",
        "a <- t.a; b <- t.b",
        "group_by t.a; order_by t.a t.c",
    ),
    Case(
        "a grouping element may be the number of an item",
        "select a, b, sum(c) as s from t group by grouping sets ((1), (2), ())",
        "a <- t.a; b <- t.b; s <- t.c",
        "group_by t.a t.b",
    ),
    Case(
        "ROLLUP of numbers beside a plain item",
        "select a, b, d, sum(c) as s from t group by d, rollup (1, 2)",
        "a <- t.a; b <- t.b; d <- t.d; s <- t.c",
        "group_by t.a t.b t.d",
    ),
    Case(
        "CUBE of expressions",
        "select sum(c) as s from t group by cube (a, lower(b))",
        "s <- t.c",
        "group_by t.a t.b",
    ),
    Case(
        "a name in GROUP BY is an input column before it is an output",
        "select max(a) as b from t group by b",
        "b <- t.a",
        "group_by t.b",
        schemas={"t": ["a", "b"]},
    ),
    Case(
        "a name that stands alone in ORDER BY is an output before it is an input column",
        "select a as b from t order by b",
        "b <- t.a",
        "order_by t.a",
        schemas={"t": ["a", "b"]},
    ),
    Case(
        "an output's name cannot be used in an expression of ORDER BY: it is the input column",
        "select a as b from t order by b + 1",
        "b <- t.a",
        "order_by t.b",
        schemas={"t": ["a", "b"]},
    ),
    Case(
        "a number in ORDER BY counts the columns that a star stands for",
        "select *, c + d as e from t order by 2, 5",
        "a <- t.a; b <- t.b; c <- t.c; d <- t.d; e <- t.c t.d",
        "order_by t.b t.c t.d",
        schemas={"t": ["a", "b", "c", "d"]},
    ),
    Case(
        "OVER may add an order to a named window",
        "select sum(a) over (w order by c) as s from t window w as (partition by b)",
        "s <- t.a t.b t.c",
        "window t.b t.c -> s",
    ),
    Case(
        "a window may be defined on top of another",
        "select sum(a) over w2 as s from t window w1 as (partition by b), w2 as (w1 order by c)",
        "s <- t.a t.b t.c",
        "window t.b t.c -> s",
    ),
    Case(
        "FILTER chooses the rows of one aggregate, OVER its window",
        "select count(*) filter (where a > 0) over (partition by b) as n from t",
        "n <- t.a t.b",
        "case t.a -> n; window t.b -> n",
    ),
    Case(
        "the order within an aggregate is part of its expression only",
        "select a, string_agg(b, ',' order by c) as s from t group by a",
        "a <- t.a; s <- t.b t.c",
        "group_by t.a",
    ),
    Case(
        "WITHIN GROUP orders the very values that are aggregated",
        "select percentile_cont(0.5) within group (order by a) as p from t",
        "p <- t.a",
    ),
    Case(
        "COALESCE and NULLIF give one of their arguments: no condition is written",
        "select coalesce(a, b) as x, nullif(c, d) as y from t",
        "x <- t.a t.b; y <- t.c t.d",
    ),
    Case(
        "CASE inside an aggregate, through a derived table",
        "select sum(q.x) as s from (select case when a = 1 then b else 0 end as x from t) q",
        "s <- t.a t.b",
        "case t.a -> s",
    ),
    Case(
        "a CASE that decides about rows is the clause's, not the output's",
        "select a from t where case when b then c else d end > 0",
        "a <- t.a",
        "where t.b t.c t.d",
    ),
    Case(
        "EXISTS in a CASE: its filter decides, and its list does not matter",
        "select case when exists (select 1 from u where u.k = t.k) then t.a end as x from t",
        "x <- t.a",
        "where u.k t.k",
    ),
    Case(
        "each branch of a set operation keeps its filter; ORDER BY 1 is the first column of all",
        "select a from t where b = 1 union all select c from u where d = 2 order by 1",
        "a <- t.a u.c",
        "where t.b u.d; order_by t.a u.c",
    ),
    Case(
        "EXCEPT compares whole rows of the two sides",
        "select a from t where b = 1 except select c from u where d = 2",
        "a <- t.a u.c",
        "where t.b u.d; join t.a u.c",
    ),
    Case(
        "INTERSECT compares whole rows, and binds more tightly than UNION",
        "select a from t union select b from u intersect select c from v",
        "a <- t.a u.b v.c",
        "join u.b v.c",
    ),
    Case(
        "DISTINCT tells rows apart by all of its columns, those included that nobody asks for",
        "select q.a from (select distinct a, b from t) q",
        "a <- t.a",
        "group_by t.b",
    ),
    Case(
        "of DISTINCT's columns that are outputs there is no more to say",
        "select distinct a, b from t where c > 0",
        "a <- t.a; b <- t.b",
        "where t.c",
    ),
    Case(
        "UNION tells rows apart by whole rows",
        "select count(*) as n, max(q.a) as m from (select a, b from t union select c, d from u) q",
        "m <- t.a u.c",
        "group_by t.b u.d",
    ),
    Case(
        "filters and joins of a recursive query",
        "with recursive r as (select id, boss from staff where top union all "
        "select s.id, s.boss from staff s join r on s.boss = r.id) select id from r",
        "id <- staff.id",
        "where staff.top; join staff.boss staff.id",
    ),
    Case(
        "rows tied with the last one stay by ORDER BY",
        "select a from t order by b fetch first 3 rows with ties",
        "a <- t.a",
        "order_by t.b",
    ),
    Case(
        "a subquery may say how many rows are taken",
        "select a from t order by b limit (select max(u.n) from u)",
        "a <- t.a",
        "order_by t.b; where u.n",
    ),
    Case(
        "UPDATE ... FROM joins by WHERE, and by the joins in FROM",
        "update x set p = s.a from s join r on r.id = s.rid where s.id = x.id and r.f",
        "p <- s.a",
        "join r.id s.rid; where s.id x.id r.f",
        into="x",
    ),
    Case(
        "UPDATE with a correlated value",
        "update x set p = (select max(s.a) from s where s.id = x.id) where x.q > 0",
        "p <- s.a",
        "where s.id x.id x.q",
        into="x",
    ),
    Case(
        "DELETE ... USING",
        "delete from x using s where s.id = x.id and s.f",
        "",
        "where s.id x.id s.f",
        into="x",
    ),
    Case(
        "filters of a common table expression reach what is inserted",
        "with q as (select a, b from t where c > 0) insert into x (p) select a from q where b = 1",
        "p <- t.a",
        "where t.c t.b",
        into="x",
    ),
    Case(
        "RETURNING gives the rows that were deleted, so the filter decides about them too",
        "with gone as (delete from t where a > 1 returning id) insert into log (id) select id from gone",
        "log.id <- t.id",
        "where t.a -> t.; where t.a -> log.",
    ),
    Case(
        "a conflict updates from the row that exists and from the one proposed, where its WHERE holds",
        "insert into x (id, n) select id, n from t on conflict (id) "
        "do update set n = x.n + excluded.n where x.free and excluded.n > 0",
        "id <- t.id; n <- t.n x.n",
        "where x.free t.n",
        into="x",
    ),
    Case(
        "a view's rows are those of its query",
        "create view w as select a from t where b > 0",
        "a <- t.a",
        "where t.b",
        into="w",
    ),
    Case(
        "MERGE matches by ON, and acts where WHEN ... AND holds",
        "merge into x using s on x.id = s.id when matched and s.gone then delete "
        "when not matched and s.ok then insert (id) values (s.id)",
        "id <- s.id",
        "join x.id s.id; where s.gone s.ok",
        into="x",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.meaning)
def test_postgres(case: Case):
    check(case, "postgres")
