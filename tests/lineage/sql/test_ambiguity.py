"""What cannot be known is said, never guessed."""

from lineage.sql import analyze, bind, compile_sql


def test_a_column_of_several_unknown_tables_is_ambiguous():
    found = analyze("select a from t, u").to_dict()
    assert found["ambiguous"] == [{"statement": 0, "column": "a", "candidates": ["t", "u"]}]
    assert found["column_lineage"][0]["upstreams"] == [{"table": None, "column": "a"}]


def test_an_ambiguous_column_makes_no_edge():
    statement = bind(compile_sql("insert into x select a, t.b from t, u"), {}).statements[0]
    assert [str(edge.upstream) for edge in statement.edges] == ["t"]


def test_a_column_that_two_known_tables_have_is_ambiguous():
    found = analyze("select a from t, u", schemas={"t": ["a"], "u": ["a"]}).to_dict()
    assert found["ambiguous"][0]["candidates"] == ["t", "u"]


def test_a_column_behind_a_star_of_two_unknown_tables_is_ambiguous():
    found = analyze("select q.a from (select * from t, u) q").to_dict()
    assert found["ambiguous"][0]["candidates"] == ["t", "u"]


def test_ambiguity_in_a_predicate_is_told_too():
    found = analyze("select t.a from t, u where b = 1").to_dict()
    assert [entry["column"] for entry in found["ambiguous"]] == ["b"]
    assert found["indirect"] == []


def test_a_column_its_table_does_not_have_is_missing():
    program = compile_sql("select a, z, t.y from t")
    statement = bind(program, {program.table_names[0]: ["a"]}).statements[0]
    assert [(str(m.tables[0]), m.column.text) for m in statement.missing] == [("t", "z"), ("t", "y")]


def test_an_inner_query_goes_before_the_outer_one():
    found = analyze("select (select max(a) from u) from t").to_dict()
    assert found["ambiguous"] == []
    assert found["column_lineage"][0]["upstreams"] == [{"table": "u", "column": "a"}]


def test_a_known_inner_table_without_the_column_leaves_it_to_the_outer_one():
    found = analyze("select (select max(a) from u) from t", schemas={"u": ["b"]}).to_dict()
    assert found["column_lineage"][0]["upstreams"] == [{"table": "t", "column": "a"}]
