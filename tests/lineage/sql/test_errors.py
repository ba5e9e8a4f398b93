"""Trouble in text is a value: what, where, and the rest still counts."""

import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.sql import analyze, bind, compile_sql

DEEP = 10_000


def test_one_broken_statement_does_not_hurt_the_others():
    found = analyze(
        "select a from t;\nselect from where;\ninsert into x select b from u", "postgres"
    ).to_dict()
    assert (found["in_tables"], found["out_tables"]) == (["t", "u"], ["x"])
    assert [(e["statement"], e["line"], e["reason"]) for e in found["errors"]] == [(1, 2, "sql_parse_error")]
    assert [s["error"] is None for s in found["statements"]] == [True, False, True]


def test_an_error_tells_where_the_parser_stopped():
    error = analyze("select a\nfrom t\nwhere b = = 1").errors[0]
    assert (error.line, error.column) == (3, 11)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("create table x as select 1, from t where group by a", "something is missing in WHERE"),
        ("select a from t where b = group by 1", "something is missing beside ="),
        ("select * from", "Expected table name"),
        ("select a from (select", "Expecting )"),
    ],
)
def test_an_error_speaks_in_words(sql: str, message: str):
    assert [error.message for error in analyze(sql).errors] == [message]


def test_an_error_within_a_query_that_is_a_string_is_one_line_too():
    (error,) = analyze("unload ('select a\nfrom t where\n') to 's3://b/x'", "redshift").errors
    assert error.message == "something is missing in WHERE"


def test_an_unclosed_string_is_an_error_of_its_statement():
    found = analyze("select a from t;\nselect 'oops from u")
    assert [(e.statement, e.line, e.column) for e in found.errors] == [(1, 2, 1)]
    assert found.to_dict()["in_tables"] == ["t"]


@pytest.mark.parametrize("sql", ["", "   ", "-- nothing\n", ";;;"])
def test_a_text_without_a_statement_is_an_error(sql: str):
    assert [error.reason for error in analyze(sql).errors] == ["sql_parse_error"]


def test_a_bare_command_is_unsupported_never_silent():
    assert [error.reason for error in analyze("flarb all the tables into one", "hive").errors] != []
    assert [
        error.reason for error in analyze("execute immediate 'select a from ' || t", "snowflake").errors
    ] == ["sql_unsupported"]


@pytest.mark.parametrize(
    "sql",
    [
        "select " + "(" * DEEP + "1" + ")" * DEEP,
        "select * from " + "(select * from " * DEEP + "t" + ")" * DEEP,
        "select " + "case when a then " * DEEP + "1" + " end" * DEEP,
        "select cast(a as " + "array<" * DEEP + "int" + ">" * DEEP + ") from t",
        "select " + "not " * DEEP + "a",
    ],
)
def test_text_nested_deep_is_read_or_refused_whatever_recursion_its_host_allows(sql: str):
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        found = analyze(sql + "; select a from t")
        assert {error.reason for error in found.errors} <= {"sql_budget"}
        assert found.to_dict()["in_tables"] == ["t"]
    finally:
        sys.setrecursionlimit(before)


def test_the_statement_after_a_refused_one_runs():
    found = analyze("select " + "(" * DEEP + "1" + ")" * DEEP + "; select a from t")
    assert found.to_dict()["in_tables"] == ["t"]


def test_long_unions_are_read():
    sql = " union all ".join(f"select a from t{i}" for i in range(5000))
    found = analyze(sql).to_dict()
    assert (len(found["in_tables"]), found["errors"]) == (5000, [])
    assert len(found["column_lineage"][0]["upstreams"]) == 5000


def test_many_columns_are_read():
    sql = "select " + ", ".join(f"c{i}" for i in range(5000)) + " from t"
    assert len(analyze(sql).to_dict()["column_lineage"]) == 5000


@pytest.mark.parametrize("condition", ["", " on t.k = t{i}.k"])
def test_many_joins_are_read(condition: str):
    sql = "select t.a from t" + "".join(f" join t{i}" + condition.format(i=i) for i in range(1000))
    found = analyze(sql).to_dict()
    assert (len(found["in_tables"]), found["errors"]) == (1001, [])


@settings(deadline=None)
@given(
    st.text(max_size=200), st.sampled_from([None, "snowflake", "bigquery", "tsql", "postgres", "clickhouse"])
)
def test_no_text_raises(text: str, dialect: str | None):
    analyze(text, dialect, default_schema="s", schemas={"t": ["a"]}).to_dict()


WORDS = re.findall(
    r"\S+",
    """
    select from where join on using as , . * ( ) [ ] case when then end union all with recursive insert into
    update set merge delete values t u a b 1 'x' "q" `r` over partition by order group having qualify lateral
    unnest pivot for in ; {{ }} {% %} -- /* */ @p :q ? create table view temp drop alter rename to
    """,
)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(WORDS), max_size=30), st.sampled_from([None, "snowflake", "bigquery", "tsql"])
)
def test_no_order_of_words_raises(words: list[str], dialect: str | None):
    program = compile_sql(" ".join(words), dialect)
    bind(program, {name: ["a", "b"] for name in program.table_names})
    for error in program.errors:
        assert "not understood (" not in error.message
        assert not re.search(r"<class|<Token|Error:", error.message)
        assert error.message
        assert error.message.isprintable()


def test_no_text_is_the_empty_text_and_other_values_are_what_str_makes_of_them():
    assert [error["reason"] for error in analyze(None).to_dict()["errors"]] == ["sql_parse_error"]
    assert analyze(5).to_dict()["column_lineage"] == analyze("5").to_dict()["column_lineage"]


def test_a_dialect_that_is_no_text_is_unknown():
    found = analyze("select a from t", dialect=5).to_dict()
    assert (found["in_tables"], found["dialect"]["name"]) == (["t"], "generic")


@pytest.mark.parametrize(
    "sql", ["select a -> '$.secret[' from t", "frobnicate 'secret'", "select secret from where"]
)
def test_the_parsers_own_warnings_say_nothing_of_the_text(sql: str, caplog: pytest.LogCaptureFixture):
    analyze(sql, "sqlite")
    assert "secret" not in caplog.text
