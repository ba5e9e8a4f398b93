"""Programs: what is stored instead of text."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.sql import Program, bind, compile_sql

TEXTS = [
    "select a, b + 1 as c from t join u using (k) where d = 1",
    "with recursive q(x) as (select a from t union all select x from q) select * from q",
    "select * except (a) replace (b as c) from t",
    "insert into x (p) select a from t; create temp table s as select 1 as one; select * from s",
    "merge into x using s on x.i = s.i when matched then update set a = s.a",
    "select a from t, lateral flatten(input => t.b) f",
    'select \'ä\', "Ö" from "ß"',
    "select from; drop table z",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_stored_program_binds_like_a_fresh_one(text: str):
    program = compile_sql(text, "snowflake")
    again = Program.from_bytes(program.to_bytes())
    assert again.table_names == program.table_names
    stored, fresh = bind(again, {}), bind(program, {})
    assert stored.errors == fresh.errors
    parts = ("index", "kind", "reads", "writes", "flows", "indirect", "ambiguous", "missing")
    for one, other in zip(stored.statements, fresh.statements, strict=True):
        assert [getattr(one, part) for part in parts] == [getattr(other, part) for part in parts]


def test_a_program_of_another_format_is_refused():
    with pytest.raises(ValueError, match="compile the text again"):
        Program.from_bytes(b'[0,"",[],[],[],[],[],[]]')


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_makes_a_program_that_can_be_stored(text: str):
    program = compile_sql(text)
    assert Program.from_bytes(program.to_bytes()).errors == program.errors


def test_tables_that_live_in_the_text_only_are_not_named():
    program = compile_sql(
        "create temp table s as select a from t; with q as (select a from s) insert into x select a from q",
        "postgres",
    )
    assert [str(name) for name in program.table_names] == ["t", "x"]


LITERALS = [
    ("select a || 'Ada' as b, case when c = 'Ada' then 1 else a end as d from t where e = 'Ada'", "postgres"),
    (
        "with c as (select concat(a, 'Ada') as b from t) select b from c union all select upper(c) from u",
        None,
    ),
    ('select concat(a, "Ada") as b from t', "bigquery"),
    ("select concat(a, $$Ada$$) as b, coalesce(c, 'Ada') from t -- Ada", "snowflake"),
    ("select concat(a, N'Ada') as b from t", "tsql"),
    ("create temp table s as select a || e'Ada' as b from t; insert into x select b from s", "postgres"),
    ("insert into t values ('Ada'); update t set a = b || 'Ada' where c = 'Ada'", "postgres"),
    ("select a, {{ f('Ada') }} as b, a || {{ g('Ada') }} as c from t", None),
    ("call f('Ada'); execute immediate 'Ada'; alter session set x = 'Ada'", "snowflake"),
    ("select a from t where 'Ada' 'Ada' = = 'Ada", None),
    ("select interval 'Ada' foo bar; select a from t as of 'Ada' where", None),
    (
        "set x = 'Ada'; select a from t where b in ('Ada') group by coalesce(a, 'Ada') order by a = 'Ada'",
        "duckdb",
    ),
]


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize(("text", "dialect"), LITERALS)
def test_a_program_without_literals_holds_none(text: str, dialect: str | None, keep: bool):
    program = compile_sql(text, dialect)
    bare = program.without_literals(keep=keep)
    assert b"Ada" not in bare.to_bytes()
    assert bare.table_names == program.table_names
    assert [(e.statement, e.line, e.column, e.reason) for e in bare.errors] == [
        (e.statement, e.line, e.column, e.reason) for e in program.errors
    ]


def test_expressions_are_masked_or_dropped():
    program = compile_sql("with c as (select a || 'Ada' as b from t) select b, b as d from c", "postgres")
    masked, bare = program.without_literals(keep=True), program.without_literals(keep=False)
    assert [o.expression for o in bind(masked, {}).statements[0].outputs] == ["a || ?", "a || ?"]
    assert [o.expression for o in bind(bare, {}).statements[0].outputs] == [None, None]
    assert [len(o.upstreams) for o in bind(bare, {}).statements[0].outputs] == [1, 1]


def test_an_error_that_may_quote_the_text_is_shortened():
    text = "select a from t where; create external table x (a int) partition by (list 'Ada' 'Bob'); select ) from"
    messages = [e.message for e in compile_sql(text).without_literals(keep=True).errors]
    assert messages[0] == "something is missing in WHERE"
    assert set(messages[1:]) <= {
        "cannot be parsed",
        "not understood",
        "Expecting )",
        "Invalid expression / Unexpected token",
    }


def test_importing_the_package_does_not_load_the_parser():
    code = "import sys, lineage.sql; sys.exit('sqlglot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
