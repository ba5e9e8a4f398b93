"""The objects that the resolver works with."""

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
