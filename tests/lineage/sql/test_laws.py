"""Laws that hold for any query: what may change in a text without changing its lineage."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from lineage.sql import analyze
from tests.lineage.sql.reading import columns

SCHEMAS = {"t": ["a", "b", "k"], "u": ["c", "d", "k2"], "v": ["e", "f"]}
ALL = [(table, column) for table, names in SCHEMAS.items() for column in names]

expressions = st.sampled_from(ALL).map(lambda c: f"{c[0]}.{c[1]}")


@st.composite
def queries(draw: st.DrawFn) -> str:
    """A query over t, u and v with an expression or two, a filter, perhaps grouped."""
    items = draw(st.lists(expressions, min_size=1, max_size=4))
    shown = ", ".join(f"coalesce({item}, 1) as x{n}" for n, item in enumerate(items))
    where = draw(expressions)
    return f"select {shown} from t, u, v where {where} > 0"


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(SCHEMAS)), st.sampled_from(["{t}.*", "*"]))
def test_a_star_equals_its_columns_written_out(table: str, star: str):
    written = ", ".join(f"{table}.{name}" for name in SCHEMAS[table])
    for wrap in (
        "{}",
        "select * from ({}) q",
        "with q as ({}) select * from q",
        "insert into x {}",
        "{} union all {}",
    ):
        one = wrap.replace("{}", f"select {star.format(t=table)} from {table}")
        other = wrap.replace("{}", f"select {written} from {table}")
        assert columns(one, schemas=SCHEMAS) == columns(other, schemas=SCHEMAS)


@settings(max_examples=60, deadline=None)
@given(queries(), st.randoms())
def test_white_space_comments_and_keyword_case_change_nothing(query: str, chance: random.Random):
    words = query.split(" ")
    shouted = [word.upper() if word in ("select", "from", "where", "as") else word for word in words]
    spread = "".join(
        word + chance.choice([" ", "\n", "  ", " /* note */ ", " -- note\n"]) for word in shouted
    )
    assert _facts(spread) == _facts(query)


@settings(max_examples=60, deadline=None)
@given(queries())
def test_alias_names_of_sources_change_nothing(query: str):
    renamed = query.replace("t.", "one.").replace("u.", "two.").replace("v.", "three.")
    renamed = renamed.replace("from t, u, v", "from t as one, u two, v as three")
    assert _facts(renamed) == _facts(query)


@settings(max_examples=60, deadline=None)
@given(queries(), st.integers(0, 99))
def test_values_of_literals_change_nothing(query: str, value: int):
    assert _facts(query.replace("> 0", f"> {value}").replace(", 1)", ", 'it''s')")) == _facts(query)


@settings(max_examples=60, deadline=None)
@given(queries())
def test_a_query_wrapped_in_another_keeps_its_lineage(query: str):
    assert columns(f"select * from ({query}) q", schemas=SCHEMAS) == columns(query, schemas=SCHEMAS)
    assert columns(f"with q as ({query}) select * from q", schemas=SCHEMAS) == columns(query, schemas=SCHEMAS)


@settings(max_examples=60, deadline=None)
@given(queries())
def test_qualifiers_are_not_needed_where_schemas_decide(query: str):
    bare = query.replace("t.", "").replace("u.", "").replace("v.", "")
    assert columns(bare, schemas=SCHEMAS) == columns(query, schemas=SCHEMAS)


def _facts(sql: str) -> tuple[object, ...]:
    found = analyze(sql, schemas=SCHEMAS).to_dict()
    lineage = [
        (entry["downstream"]["column"], sorted((up["table"], up["column"]) for up in entry["upstreams"]))
        for entry in found["column_lineage"]
    ]
    return (
        found["in_tables"],
        lineage,
        sorted((e["table"], e["column"], e["clause"]) for e in found["indirect"]),
    )
