"""Laws that hold for any query: what may change in a text without changing its lineage."""

from __future__ import annotations

import os
import random
import re
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage.sql import analyze
from tests.lineage.sql.grammar import TABLES, Grammar, starred, written
from tests.lineage.sql.reading import columns

EXAMPLES = 2000 if os.environ.get("HEADWATER_LONG") else 150
DIALECTS = [
    *("postgres", "mysql", "snowflake", "bigquery", "spark", "databricks", "tsql", "oracle", "redshift"),
    *("duckdb", "clickhouse", "trino", "sqlite", "teradata", "hive"),
]
KEYWORDS = re.compile(
    r"\b(select|distinct|from|where|as|join|left|cross|semi|using|on|group|by|rollup|having|order|case|when|then|else"
    r"|end|exists|not|in|union|all|except|intersect|with|over|partition|qualify|or|exclude|replace|rename)\b"
)
ALIAS = re.compile(r"\b[sqx]\d+\b")
LITERAL = re.compile(r"\b100\b")
law = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


class Query(NamedTuple):
    text: str
    dialect: str


queries = st.builds(
    lambda chance, dialect: Query(Grammar(chance, dialect).query(), dialect),
    st.randoms(use_true_random=True),
    st.sampled_from(DIALECTS),
)
chances = st.randoms(use_true_random=True)
wraps = st.sampled_from(["{}", "select * from ( {} ) w", "create view x as {}", "insert into x {}"])


def facts(sql: str, dialect: str) -> tuple[object, ...]:
    """All of a text's lineage but the expressions' texts."""
    found = analyze(sql, dialect, schemas=TABLES).to_dict()
    assert (found["errors"], found["ambiguous"]) == ([], []), sql
    lineage = [
        (
            entry["downstream"]["table"],
            entry["downstream"]["column"],
            sorted((up["table"], up["column"]) for up in entry["upstreams"]),
        )
        for entry in found["column_lineage"]
    ]
    indirect = {
        (e["clause"], e["table"], e["column"], e["downstream"]["table"], e["downstream"]["column"])
        for e in found["indirect"]
    }
    return found["in_tables"], found["out_tables"], lineage, indirect


@law
@given(queries, wraps)
def test_stars_equal_their_columns_written_out(query: Query, wrap: str):
    one = wrap.replace("{}", starred(query.text))
    other = wrap.replace("{}", written(query.text))
    assert facts(one, query.dialect) == facts(other, query.dialect)


@law
@given(queries, chances)
def test_white_space_comments_and_keyword_case_change_nothing(query: Query, chance: random.Random):
    plain = starred(query.text)
    shouted = KEYWORDS.sub(lambda m: chance.choice([m[0], m[0].upper(), m[0].title()]), plain)
    blanks = [" ", "\n", "\t ", " /* note, 'it */ ", " -- it's a note\n", "\r\n"]
    spread = "".join(word + chance.choice(blanks) for word in shouted.split(" "))
    assert facts(spread, query.dialect) == facts(plain, query.dialect), spread


@law
@given(queries)
def test_alias_names_change_nothing_but_the_names_of_outputs(query: Query):
    plain = starred(query.text)
    renamed = ALIAS.sub(lambda m: f"Other_{m[0][::-1]}_{m[0]}", plain)
    before, after = facts(plain, query.dialect), facts(renamed, query.dialect)
    assert re.sub(r"Other_\w+?_([sqx]\d+)", r"\1", repr(after[:3])) == repr(before[:3])
    assert {(*e[:4], e[4] and e[4].rpartition("_")[2]) for e in after[3]} == before[3]


@law
@given(queries, chances)
def test_an_alias_may_be_the_name_of_another_table(query: Query, chance: random.Random):
    plain = starred(query.text)
    aliases = sorted(set(re.findall(r"\bs\d+\b", plain)))
    renamed = re.sub(rf"\b{chance.choice(aliases)}\b", chance.choice(sorted(TABLES)), plain)
    assert facts(renamed, query.dialect) == facts(plain, query.dialect), renamed


@law
@given(queries, chances)
def test_values_of_literals_change_nothing(query: Query, chance: random.Random):
    plain = starred(query.text)
    quote = "\\'" if query.dialect == "bigquery" else "''"
    values = ["7", "1.5", "- 3", f"'it{quote}s'", "'from t'", "''", "null"]
    assert facts(LITERAL.sub(lambda m: chance.choice(values), plain), query.dialect) == facts(
        plain, query.dialect
    )


@law
@given(queries)
def test_a_query_wrapped_in_another_keeps_its_lineage(query: Query):
    plain = starred(query.text)
    expected = facts(plain, query.dialect)
    assert facts(f"select * from ({plain}) w", query.dialect) == expected
    assert facts(f"with w as ({plain}) select * from w", query.dialect) == expected


@law
@given(
    st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f"]), min_size=1, max_size=4),
    st.sampled_from("abcdef"),
)
def test_qualifiers_are_not_needed_where_schemas_decide(names: list[str], filtered: str):
    owner = {name: table for table, own in TABLES.items() for name in own if name != "k"}
    bare = f"select {', '.join(names)} from t, u, v where {filtered} > 0"
    full = re.sub(r"\b[a-f]\b", lambda m: f"{owner[m[0]]}.{m[0]}", bare)
    assert columns(bare, schemas=TABLES) == columns(full, schemas=TABLES)
