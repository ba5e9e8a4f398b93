"""The objects that the resolver works with."""

import pytest

from lineage.names import Identifier, TableName
from lineage.sql import bind, compile_sql

T, X = TableName(Identifier("t")), TableName(Identifier("x"))


def test_outputs_keep_their_places_also_without_upstreams():
    outputs = bind(compile_sql("select 1 as one, a, b + 1 from t"), {}).statements[0].outputs
    assert [(o.position, o.name and o.name.text, len(o.upstreams)) for o in outputs] == [
        (0, "one", 0),
        (1, "a", 1),
        (2, None, 1),
    ]


def test_a_star_that_cannot_be_expanded_is_flagged():
    outputs = bind(compile_sql("select a, * from t"), {}).statements[0].outputs
    assert [o.star for o in outputs] == [False, True]


def test_edges_carry_clauses_and_the_expressions_text():
    sql = "insert into x select case when a > 0 then b end as c, sum(a) over (order by b) d, b as e from t"
    edges = bind(compile_sql(sql), {T: ["a", "b"]}).statements[0].edges
    assert [(e.upstream_column.text, e.column and e.column.text, e.clauses, e.expression) for e in edges] == [
        ("a", "c", ("case",), "case when a > 0 then b end"),
        ("b", "c", (), "case when a > 0 then b end"),
        ("a", "d", (), "sum(a) over (order by b)"),
        ("b", "d", ("window",), "sum(a) over (order by b)"),
        ("b", "e", (), None),
    ]
    assert {e.downstream for e in edges} == {X}


def expressions(sql: str, dialect: str | None = None) -> list[tuple[str, str | None]]:
    """Of each edge of the last statement the upstream column and the expression."""
    edges = bind(compile_sql(sql, dialect), {}).statements[-1].edges
    return [(e.upstream_column.text, e.expression) for e in edges]


@pytest.mark.parametrize(
    "sql",
    [
        "with c as (select a * 2 as b from t) select b from c",
        "with c as (select a * 2 as b from t) select * from c",
        "with c as (select a * 2 as b from t), d as (select x.b as z from c x) select z as w from d",
        "with c(z) as (select a * 2 from t) select z from c",
        "with recursive c as (select a * 2 as b from t union all select b from c) select b from c",
        "select q.b from (select a * 2 as b from t) q",
        "select b from (select a * 2 as b from t) q join (select k from u) r using (k)",
        "create temp table c as select a * 2 as b from t; insert into x select b from c",
        "create temp table c (b int); insert into c select a * 2 from t; insert into x select b from c",
        "update x set p = c.b from (select a * 2 as b from t) c",
        "merge into x using (select i, a * 2 as b from t) c on x.i = c.i when matched then update set p = c.b",
    ],
)
def test_a_copy_has_the_expression_of_what_it_copies(sql: str):
    assert expressions(sql, "postgres") == [("a", "a * 2")]


def test_an_alias_used_again_has_its_expression():
    assert expressions("select a * 2 as b, b as c from t", "snowflake") == [("a", "a * 2"), ("a", "a * 2")]


def test_an_expression_over_an_expression_has_its_own_text_only():
    inner = "(select a * 2 as b, c from t) q"
    assert expressions(f"select b + 1 as d from {inner}") == [("a", "b + 1")]
    assert expressions(f"update x set p = q.b + 1 from {inner}", "postgres") == [("a", None)]
    assert expressions(f"select * replace (b + 1 as c) from {inner}", "bigquery") == [
        ("a", "a * 2"),
        ("a", None),
    ]


def test_a_plain_column_has_no_expression_in_any_dialect():
    for dialect in (None, "oracle", "snowflake", "bigquery", "clickhouse", "tsql"):
        assert expressions("with c as (select a as b from t) select b from c", dialect) == [("a", None)]


def test_each_branch_of_a_union_gives_its_own_expression():
    sql = "select a * 2 as b from t union all select c from u union all select d + 1 from v"
    wanted = [("a", "a * 2"), ("c", None), ("d", "d + 1")]
    assert expressions(sql) == wanted
    assert expressions(f"with q as ({sql}) select b as z from q") == wanted
    assert bind(compile_sql(sql), {}).statements[0].outputs[0].expression == "a * 2"


def test_a_column_that_one_branch_copies_and_one_computes_has_the_expression():
    assert expressions("select a as b from t union all select a * 2 from t") == [("a", "a * 2")]


@pytest.mark.parametrize(
    ("dialect", "head"),
    [
        ("postgres", "distinct on (a, b)"),
        ("postgres", "all"),
        ("tsql", "top 10"),
        ("tsql", "distinct top (3) percent with ties"),
    ],
)
def test_what_stands_before_the_first_item_is_none_of_its_expression(dialect: str, head: str):
    assert expressions(f"select {head} c * 2 as d, e from t", dialect) == [("c", "c * 2"), ("e", None)]


def test_a_query_that_stands_as_a_string_has_no_text_that_is_not_its_own():
    sql = "unload ('select aaaa + 1 as b, cccc from t') to 's3://bucket/x'"
    assert expressions(sql, "redshift") == [("aaaa", None), ("cccc", None)]


def test_reads_and_writes_are_names_as_written():
    statement = bind(compile_sql('insert into "X" select a from S.t', "postgres"), {}).statements[0]
    assert statement.reads == (TableName(Identifier("t"), Identifier("S")),)
    assert statement.writes == (TableName(Identifier("X", True)),)


def test_the_same_program_binds_to_another_catalogue():
    program = compile_sql("select a from t, u")
    t, u = program.table_names
    for table in (t, u):
        statement = bind(program, {table: ["a"], (u if table == t else t): ["b"]}).statements[0]
        assert [edge.upstream for edge in statement.edges] == [table]


def test_each_when_of_a_merge_is_a_flow():
    sql = """
        merge into x using t on x.i = t.i
        when matched then update set a = t.b
        when not matched then insert (i) values (t.i)
    """
    flows = bind(compile_sql(sql), {}).statements[0].flows
    assert [[(o.name and o.name.text) for o in flow.outputs] for flow in flows] == [["a"], ["i"]]
