"""Snowflake: what its manual says."""

import pytest

from tests.lineage.sql.indirect.case import Case, check

SALES = {"sales": ["k", "month", "amount"]}

CASES = [
    Case(
        "QUALIFY may name a window function of the list",
        "select a, row_number() over (partition by b order by c) as rn from t qualify rn = 1",
        "a <- t.a; rn <- t.b t.c",
        "qualify t.b t.c; window t.b t.c -> rn",
    ),
    Case(
        "MATCH_CONDITION of an ASOF join",
        "select t.a, u.p from t asof join u match_condition (t.ts >= u.ts) on t.k = u.k",
        "a <- t.a; p <- u.p",
        "join t.ts u.ts t.k u.k",
    ),
    Case(
        "DECODE compares its first argument",
        "select decode(a, 1, b, 2, c, d) as x from t",
        "x <- t.a t.b t.c t.d",
        "case t.a -> x",
    ),
    Case(
        "NVL2 looks whether its first argument is null",
        "select nvl2(a, b, c) as x from t",
        "x <- t.a t.b t.c",
        "case t.a -> x",
    ),
    Case(
        "INSERT ALL: a condition decides about its own target, ELSE about the rest",
        "insert all when a > 1 then into x (p) values (b) when c > 1 then into z (r) values (b) "
        "else into y (q) values (b) select a, b, c from t",
        "x.p <- t.b; y.q <- t.b; z.r <- t.b",
        "where t.a -> x.; where t.c -> z.; where t.a t.c -> y.",
    ),
    Case(
        "INSERT FIRST: a row that met an earlier condition is not looked at again",
        "insert first when a > 1 then into x (p) values (b) when c > 1 then into y (q) values (b) "
        "select a, b, c from t where d = 1",
        "x.p <- t.b; y.q <- t.b",
        "where t.a t.d -> x.; where t.a t.c t.d -> y.",
    ),
    Case(
        "PIVOT: FOR decides which column a value goes to, the rest groups",
        "select * from sales pivot (sum(amount) for month in ('jan', 'feb')) as p (k, jan, feb)",
        "k <- sales.k; jan <- sales.amount; feb <- sales.amount",
        "case sales.month; group_by sales.k",
        schemas=SALES,
    ),
    Case(
        "MATCH_RECOGNIZE: partitions, their order, and the conditions of the pattern",
        "select * from t match_recognize (partition by k order by ts measures first(v) as v0 "
        "one row per match pattern (a b+) define b as w > 1)",
        "k <- t.k; v0 <- t.v",
        "group_by t.k; order_by t.ts; where t.w",
    ),
    Case(
        "MERGE from a filtered query",
        "merge into x using (select id, a from s where s.ok) n on x.id = n.id "
        "when matched and n.a > x.p then update set p = n.a",
        "p <- s.a",
        "join x.id s.id; where s.ok s.a x.p",
        into="x",
    ),
    Case(
        "an item may use the alias of an earlier one in its condition",
        "select a + 1 as x, case when x > 2 then b end as y from t",
        "x <- t.a; y <- t.a t.b",
        "case t.a -> y",
    ),
    Case(
        "ORDER BY ALL orders by every item of the list",
        "select a, b + c as d from t order by all",
        "a <- t.a; d <- t.b t.c",
        "order_by t.a t.b t.c",
    ),
    Case(
        "CONNECT BY and START WITH decide which rows are reached",
        "select a from t start with b is null connect by prior c = d",
        "a <- t.a",
        "where t.b t.c t.d",
    ),
    Case(
        "a filter on what FLATTEN gives is one on the array",
        "select f.value as v from t, lateral flatten(input => t.items) f where f.value > 1 and t.k = 1",
        "v <- t.items",
        "where t.items t.k",
    ),
    Case(
        "LISTAGG's WITHIN GROUP",
        "select listagg(a, ',') within group (order by b) as l from t",
        "l <- t.a t.b",
    ),
    Case(
        "COUNT_IF counts the rows that meet a condition",
        "select count_if(a > 0) as n from t",
        "n <- t.a",
        "case t.a -> n",
    ),
    Case(
        "a column that is left out of a star may still filter",
        "select * exclude (b) from t where b = 1",
        "a <- t.a",
        "where t.b",
        schemas={"t": ["a", "b"]},
    ),
    Case(
        "a star as an argument is every column",
        "select object_construct(*) as o, count(*) as n from t where a = 1",
        "o <- t.a t.b",
        "where t.a",
        schemas={"t": ["a", "b"]},
    ),
    Case(
        "PIVOT over any value: its columns are not known, but what they hold is",
        "select * from t pivot (sum(v) for m in (any)) where k > 1",
        "k <- t.k; * <- t.v",
        "where t.k; case t.m; group_by t.k",
        schemas={"t": ["k", "m", "v"]},
    ),
    Case(
        "an output without a name has a number",
        "select a, iff(b, c, d) from t",
        "a <- t.a; _col_1 <- t.b t.c t.d",
        "case t.b -> _col_1",
    ),
    Case(
        "IDENTIFIER names a table in a string",
        "select a from identifier('db.t') where b = 1",
        "a <- db.t.a",
        "where db.t.b",
    ),
    Case(
        "MINUS compares whole rows",
        "select a, b from t minus select c, d from u",
        "a <- t.a u.c; b <- t.b u.d",
        "join t.a t.b u.c u.d",
    ),
    Case(
        "filters of nested common table expressions reach the table made of them",
        "create table x as with p as (select a, b from t where c = 1), "
        "q as (select a from p group by a having max(b) > 0) select a from q",
        "a <- t.a",
        "where t.c; group_by t.a; having t.b",
        into="x",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.meaning)
def test_snowflake(case: Case):
    check(case, "snowflake")
