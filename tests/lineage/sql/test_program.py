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
    assert bind(again, {}) == bind(program, {})


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


def test_importing_the_package_does_not_load_the_parser():
    code = "import sys, lineage.sql; sys.exit('sqlglot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
