"""Shapes: what makes texts the same, and what keeps them apart."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.sql import compile_sql
from lineage.sql.fingerprint import fingerprint, shape_of, strings_in

SAME = [
    ("", "select a from t where b = 1", "select  a\nfrom t where b=22.5e3 -- x"),
    ("postgres", "select a from t where b = 'x'", "SELECT a FROM T WHERE b = 'it''s'"),
    ("postgres", "select a from t where b = $1", "select a from t where b = $2"),
    ("postgres", "select E'a\\'b' from t", "select E'c' from t"),
    ("postgres", "select t.a from t where b = 'x'", "select t.a from t where b = 'E'"),
    ("postgres", "select t.a from t where b = 'x'", "select t.a /* a /* b */ c */ from t where b = $$y$$"),
    ("duckdb", "select t.a, 1.5 from t where b = 'x'", "select t.a, .5 from t where b = ' e'"),
    ("postgres", "do $$ begin x; end $$", "do $q$ begin y; end $q$"),
    ("mysql", 'select a from t where b = "x"', 'select a from t where b = "y \\" z"'),
    ("mysql", "select a from t # x", "select a from t -- y"),
    ("bigquery", "select r'\\d' from t", "select r'\\w' from t"),
    ("bigquery", "select '''a'b''' from t", "select '''c''' from t"),
    ("oracle", "select q'[it's]' from t", "select q'[no]' from t"),
    ("tsql", "select N'x' from t /* a */", "select N'y' from t"),
    ("duckdb", "values (1, 'a'), (2, 'b')", "values (3, 'c')"),
    ("snowflake", "select a from t where b in (1, 2)", "select a from t where b in (1, 2, 3)"),
    (
        "postgres",
        "select a from t where (b, c) in ((1, 2))",
        "select a from t where (b, c) in ((3, 4), (5, 6))",
    ),
    (
        "postgres",
        "select a from t where b = any(array[1])",
        "select a from t where b = any(array['x', null])",
    ),
]
APART = [
    ("postgres", "select a from t1", "select a from t2"),
    ("postgres", "prepare p as select E'a' from t1", "prepare p as select E'a' from t2"),
    ("oracle", "select q'[x]', a from t1", "select q'[x]', a from t2"),
    (
        "postgres",
        "select $q$it's$q$, a from t1 /* x */ where b = 'y'",
        "select $q$it's$q$, a from t2 where b = 'y'",
    ),
    ("spark", "select * from {{ ref('t1') }}", "select * from {{ ref('t2') }}"),
    ("postgres", 'select "A" from t', 'select "a" from t'),
    ("postgres", 'select "x 1" from t', 'select "x 2" from t'),
    ("clickhouse", "select A from t", "select a from t"),
    ("mysql", "select `b 1` from t", "select `b 2` from t"),
    ("bigquery", "select a from `p.d.t_2024`", "select a from `p.d.t_2025`"),
    ("bigquery", "select a from my-project-1.d.t", "select a from my-project-2.d.t"),
    ("hive", "select 1abc from t", "select 2abc from t"),
    ("tsql", "select [a 1] from t", "select [a 2] from t"),
    ("snowflake", "select $1 from @s", "select $2 from @s"),
    ("postgres", "select a from t where b = 1", "select a from t where b = c"),
    ("postgres", "select a from t where b = 1", "select a from t where b < 1"),
    ("oracle", "select a from t#1", "select a from t#2"),
    ("postgres", "insert into t select (1), (2), x from s", "insert into t select (1), x from s"),
    ("postgres", "select v.*, x from (values (1, 2)) v, s", "select v.*, x from (values (1, 2, 3)) v, s"),
]


@pytest.mark.parametrize(("dialect", "one", "other"), SAME)
def test_literals_space_comments_and_case_do_not_change_a_shape(dialect: str, one: str, other: str):
    assert shape_of(one, dialect) == shape_of(other, dialect)
    assert fingerprint(one, dialect) == fingerprint(other, dialect)


@pytest.mark.parametrize(("dialect", "one", "other"), APART)
def test_names_and_signs_do(dialect: str, one: str, other: str):
    assert shape_of(one, dialect) != shape_of(other, dialect)


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("postgres", "select a, b from t order by {}"),
        ("postgres", "select a, b from t order by +{}"),
        ("postgres", "select a, b from t order by a, {}"),
        ("postgres", "select a, b from t order by -- a comment that is longer than forty characters\n {}"),
        ("snowflake", "select a, b from t order by // why\n {}"),
        ("postgres", "select a, b from t group by distinct {}"),
        ("postgres", "select distinct on ({}) a, b from t"),
    ],
)
def test_places_in_the_select_list_make_a_shape_finer(dialect: str, text: str):
    one, other = text.format(1), text.format(2)
    assert fingerprint(one, dialect) == fingerprint(other, dialect)
    assert fingerprint(one, dialect, positions=True) != fingerprint(other, dialect, positions=True)


def test_strings_are_found_with_their_quotes_undone():
    assert strings_in("select 'it''s', \"b\" from t -- 'no'", "postgres") == {"it's"}
    assert strings_in("select $$a$$, 'b'", "postgres") == {"a", "b"}


def test_a_shape_is_of_its_dialect():
    assert fingerprint("select a from t", "mysql") != fingerprint("select a from t", "postgres")


STRING = st.text(
    st.characters(codec="utf-8", exclude_characters="\\\0", exclude_categories=["Cs", "Cc"]), max_size=9
)
NUMBER = st.one_of(st.integers(0, 10**9), st.floats(0, 10**6, allow_nan=False)).map(str)
TEXTS = [
    "select a, b as c from t where d = {s} and e > {n} or f like {s}",
    "select a, sum(b) from t join u on t.x = u.x and u.y = {n} group by a having sum(b) > {n} limit {n}",
    "insert into m (x, y) select {n}, coalesce(z, {s}) from t where day between {s} and {s}",
    "with r as (select a, row_number() over (partition by b order by c) as n from t) select a from r where n = {n}",
    "update t set a = {s}, b = b + {n} where c in ({n}, {n}, {s})",
    "merge into x using s on x.i = s.i when matched and s.k = {s} then update set a = s.a, b = {n}",
    "select case when a = {s} then {n} else b end as c, a || {s} as d from t order by a",
    "delete from t where a = {s} and exists (select 1 from u where u.id = t.id and u.n < {n})",
]


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(TEXTS), st.sampled_from(["postgres", "mysql", "snowflake", "tsql", "duckdb"]), st.data()
)
def test_texts_of_one_shape_have_one_program(text: str, dialect: str, data: st.DataObject):
    one, other = (_filled(text, data) for _ in range(2))
    assert shape_of(one, dialect) == shape_of(other, dialect)
    assert _program(one, dialect) == _program(other, dialect)


def _filled(text: str, data: st.DataObject) -> str:
    while "{s}" in text or "{n}" in text:
        text = text.replace("{s}", "'" + data.draw(STRING).replace("'", "''") + "'", 1)
        text = text.replace("{n}", data.draw(NUMBER), 1)
    return text


def _program(sql: str, dialect: str) -> list[object]:
    program = compile_sql(sql, dialect)
    assert not program.literals_matter
    assert not program.errors
    return json.loads(program.without_literals(keep=False).to_bytes())
