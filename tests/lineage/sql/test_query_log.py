"""A query log, folded by shape."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors import Statement
from lineage.sql import Program, bind
from lineage.sql.query_log import Logged, QueryLog

START = datetime(2026, 11, 20, 8, tzinfo=UTC)


def ran(
    sql: str, user: str = "ada", session: str | None = None, minute: int = 0, **more: object
) -> Statement:
    return Statement(sql=sql, user=user, session=session, at=START + timedelta(minutes=minute), **more)


def fold(*statements: Statement, dialect: str = "postgres") -> list[Logged]:
    log = QueryLog(dialect)
    for statement in statements:
        log.add(statement)
    return list(log.entries())


def pairs(entry: Logged) -> set[tuple[str, str]]:
    """What is written from what, of one entry."""
    binding = bind(Program.from_bytes(entry.program), {})
    return {(str(read), str(write)) for s in binding.statements for write in s.writes for read in s.reads}


def test_statements_that_differ_in_literals_spaces_comments_and_case_are_one_entry():
    (entry,) = fold(
        ran("SELECT a FROM t WHERE id = 1 AND name = 'x'"),
        ran("select a from t\n where id=27 and name = 'it''s' -- why"),
        ran("SELECT a /* hint */ FROM t WHERE id = 3.5e2 AND name = ''"),
    )
    assert entry.runs.count == 3


def test_lists_of_literals_are_one_shape_however_long():
    (entry,) = fold(ran("select a from t where b in (1)"), ran("select a from t where b in (1, 2, -3, null)"))
    assert entry.runs.count == 2


def test_an_entry_says_how_often_by_whom_when_and_how_long():
    (entry,) = fold(
        ran("select 1 from t", "ada", minute=5, duration_s=2.0, rows=10),
        ran("select 2 from t", "bob", minute=1, duration_s=0.5, rows=1),
        ran("select 3 from t", "ada", minute=3, count=4, duration_s=1.0),
    )
    assert (entry.runs.count, entry.runs.users) == (6, {"ada": 5, "bob": 1})
    assert (entry.runs.first_at, entry.runs.last_at) == (
        START + timedelta(minutes=1),
        START + timedelta(minutes=5),
    )
    assert (entry.runs.duration_s, entry.runs.rows) == (6.5, 11)


def test_statements_with_other_defaults_are_other_entries():
    entries = fold(ran("select a from t", default_schema="x"), ran("select a from t", default_schema="y"))
    assert {e.default_schema for e in entries} == {"x", "y"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select a, b from t order by 1", "select a, b from t order by 2"),
        ("select a, b from t order by 'x'", "select a, b from t order by 1"),
        ("select a, b, count(*) from t group by 1, 2", "select a, b, count(*) from t group by 1"),
        ("copy t from 's3://bucket/one'", "copy t from 's3://bucket/two'"),
        ("set search_path = 'x'; select a from t", "set search_path = 'y'; select a from t"),
    ],
)
def test_literals_that_carry_lineage_are_kept_apart(one: str, other: str):
    first, second = fold(ran(one), ran(other))
    assert first.program != second.program


def test_numbers_elsewhere_do_not_keep_statements_with_positions_apart():
    (entry,) = fold(
        ran("select a, sum(b) from t where c = 1 group by 1 order by 2 desc"),
        ran("select a, sum(b) from t where c = 99 group by 1 order by 2 desc"),
    )
    assert entry.runs.count == 2


def test_lineage_leads_through_a_sessions_temporary_tables():
    entries = fold(
        ran("create temp table step as select id, total from sales", session="s1"),
        ran("select 1 from other", session="s1"),
        ran("create temp table next as select id from step where total > 5", session="s1"),
        ran("insert into mart (id) select id from next", session="s1"),
        ran("insert into mart2 (id) select id from next", session="s2"),
    )
    script, *_ = [e for e in entries if "create temp" in e.text]
    assert pairs(script) == {("sales", "mart")}
    assert "step" in script.text, "the hops are the evidence"
    assert {pair for e in entries for pair in pairs(e)} == {("sales", "mart"), ("next", "mart2")}


def test_sessions_that_did_the_same_are_one_script():
    entries = fold(
        *(
            ran(sql, session=f"s{n}", user=f"u{n}", minute=n)
            for n in range(3)
            for sql in (
                f"create temp table x as select a from t where day = {n}",
                "insert into m select a from x",
                "drop table x",
            )
        )
    )
    (script,) = entries
    assert (script.runs.count, len(script.runs.users)) == (3, 3)
    assert pairs(script) == {("t", "m")}


def test_interleaved_sessions_are_told_apart():
    entries = fold(
        ran("create temp table x as select a from one", session="s1"),
        ran("create temp table x as select a from two", session="s2"),
        ran("insert into m1 select a from x", session="s1"),
        ran("insert into m2 select a from x", session="s2"),
    )
    assert {pair for e in entries for pair in pairs(e)} == {("one", "m1"), ("two", "m2")}


def test_sql_servers_temporary_tables_belong_to_their_session():
    entries = fold(
        ran("select a into #x from dbo.t", session="s1"),
        ran("insert into dbo.m select a from #x", session="s1"),
        dialect="tsql",
    )
    assert {pair for e in entries for pair in pairs(e)} == {("dbo.t", "dbo.m")}


def test_programs_of_an_earlier_run_are_not_compiled_again():
    first = QueryLog("postgres")
    texts = ["select a from t where b = 1", "select a, b from t order by 2", "copy t from 's3://b/x'"]
    for text in texts:
        first.add(ran(text))
    kept = {entry.key: entry.program for entry in first.entries()}
    again = QueryLog("postgres", known=lambda key, dialect: kept.get(key))
    for text in texts:
        again.add(ran(text))
    assert {entry.key: entry.program for entry in again.entries()} == kept
    assert again.compiled == 2, "the shapes whose literals matter are read once to learn that they do"


def test_a_text_that_cannot_be_parsed_is_an_entry_with_its_error():
    (entry,) = fold(ran("select from where"), ran("select from where"))
    assert entry.runs.count == 2
    assert Program.from_bytes(entry.program).errors


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("duckdb", "select * from '{}.parquet'"),
        ("sqlite", "insert into '{}' select a from t"),
        ("mysql", 'insert into m select a as "{}" from t'),
        ("tsql", "select a '{}' from t"),
        ("tsql", "bulk insert t from '{}'"),
        ("postgres", "select a from {{{{ ref('{}') }}}}"),
    ],
)
def test_texts_in_which_a_string_is_a_name_are_told_apart_by_it(dialect: str, text: str):
    statements = [ran(text.format(name)) for name in ("x", "y", "x")]
    assert [entry.runs.count for entry in fold(*statements, dialect=dialect)] == [2, 1]


def test_a_string_that_is_a_name_is_known_to_be_one_from_an_earlier_run_too():
    one, other = ran("select * from 'x.csv'"), ran("select * from 'y.csv'")
    first = QueryLog("duckdb")
    first.add(one)
    kept = {shape.key: shape.program for shape in first._shapes.values()}
    again = QueryLog("duckdb", known=lambda key, dialect: kept.get(key))
    again.add(other)
    again.add(one)
    assert len(list(again.entries())) == 2


def test_a_literal_that_nobody_can_read_does_not_speak_for_its_shape():
    broken = ran("insert into m select a from t where d < now() - interval '1 day' month")
    sound = ran("insert into m select a from t where d < now() - interval '1' month")
    (entry,) = fold(broken, broken, sound)
    assert entry.runs.count == 3
    assert pairs(entry) == {("t", "m")}
    assert entry.text == sound.sql
