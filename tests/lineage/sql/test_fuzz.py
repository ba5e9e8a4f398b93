"""Broken, odd and huge texts: `analyze` never raises, always gives JSON, and stays below its budget."""

import json
import os
import random
import re
import time
from pathlib import Path

import pytest

from lineage.sql import analyze
from lineage.sql.isolated import STATEMENT_CPU_S
from tests.lineage.sql.seeds import SEEDS

LONG = bool(os.environ.get("HEADWATER_LONG"))
TEXTS = 10_000 if LONG else 2000
DEEP = 10_000
# In this process a text takes tenths of a second, in the child some statements may take their whole budget.
BUDGET_S = 6.0 * STATEMENT_CPU_S
CASES = Path(__file__).parents[4] / "shared" / "accept" / "sql" / "cases.jsonl"
DIALECTS = [
    None, "athena", "bigquery", "clickhouse", "databricks", "doris", "drill", "druid", "duckdb", "dune", "exasol",
    "fabric", "hive", "materialize", "mysql", "oracle", "postgres", "presto", "redshift", "risingwave",
    "singlestore", "snowflake", "spark", "spark2", "sqlite", "starrocks", "tableau", "teradata", "trino", "tsql",
]  # fmt: skip
TOKEN = re.compile(r"\s+|\w+|'[^']*'|.", re.S)
ODD = "'\"`;()[]{}<>-/*#$@:?\\%|,.\0\n\t\u00a0\u2028\ud800é漢🙂ª"
PIECES = [
    "(",
    ")",
    "[",
    "]",
    "select",
    "from",
    "join",
    "case",
    "end",
    "with",
    "union all",
    "array[",
    "date(",
    "/*",
    "--",
    "$$",
    "'",
]


def seeds() -> list[tuple[str | None, str]]:
    found: list[tuple[str | None, str]] = list(SEEDS)
    if LONG and CASES.exists():
        lines = (json.loads(line) for line in CASES.read_text().splitlines())
        found += [(case["dialect"], case["sql"]) for case in lines]
    return found


def mutated(rng: random.Random, sql: str, other: str) -> str:
    """The text with some changes of tokens or characters."""
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        tokens = TOKEN.findall(sql) or [" "]
        at, to = rng.randrange(len(tokens)), rng.randrange(len(tokens))
        kind = rng.randrange(9)
        if kind == 0:
            del tokens[min(at, to) : max(at, to) if rng.random() < 0.3 else min(at, to) + 1]
        elif kind == 1:
            tokens.insert(at, tokens[to] * rng.choice((1, 2, 30)))
        elif kind == 2:
            tokens[at], tokens[to] = tokens[to], tokens[at]
        elif kind == 3:
            tokens[at:at] = TOKEN.findall(other)[: rng.randrange(40)]
        elif kind == 4:
            del tokens[at:]
        elif kind == 5:
            tokens[at] = "".join(rng.choice(ODD) for _ in range(rng.randrange(4)))
        elif kind == 6:
            tokens[min(at, to) : max(at, to)] *= rng.choice((2, 3, 12))
        elif kind == 7:
            tokens.insert(at, f" {rng.choice(PIECES)} " * rng.choice((1, 3, 40)))
        else:
            tokens = [*tokens[:at], *TOKEN.findall(other)[to:]]
        sql = "".join(tokens)[:20_000]
    return sql


def check(sql: str, dialect: str | None, **given: object) -> dict[str, object]:
    """Analyze within the budget, and give the dictionary. Its errors have places and reasons."""
    started = time.monotonic()
    found = analyze(sql, dialect, **given).to_dict()  # type: ignore[arg-type]
    json.dumps(found)
    taken = time.monotonic() - started
    assert taken < BUDGET_S, f"{taken:.1f} s"
    for error in found["errors"]:
        assert error["reason"] in {"sql_parse_error", "sql_unsupported", "sql_budget"}
        assert error["message"]
        assert 0 <= error["statement"] <= len(found["statements"])
    return found


@pytest.mark.parametrize(("dialect", "sql"), SEEDS)
def test_seeds_are_read(dialect: str | None, sql: str):
    check(sql, dialect, schemas={"t": ["a", "b", "c"], "u": {"a": "int"}}, default_schema="s")


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(10))
def test_changed_texts_never_raise(part: int):
    rng = random.Random(part)
    known = seeds()
    for number in range(TEXTS // 10):
        dialect, sql = rng.choice(known)
        text = mutated(rng, sql, rng.choice(known)[1])
        if rng.random() < 0.3:
            dialect = rng.choice(DIALECTS)
        try:
            check(text, dialect, schemas={"t": ["a", "b"]} if rng.random() < 0.5 else None)
        except Exception as error:
            raise AssertionError(f"text {number} of part {part}, {dialect}: {text!r}") from error


@pytest.mark.parametrize("part", range(4))
def test_random_characters_never_raise(part: int):
    rng = random.Random(1000 + part)
    for _ in range(TEXTS // 8):
        size = rng.randrange(200)
        text = rng.choice(
            [
                lambda n: "".join(map(chr, rng.choices(range(0x11000), k=n))),
                lambda n: rng.randbytes(n).decode("latin-1"),
                lambda n: "".join(rng.choices(ODD, k=n)),
                lambda n: " ".join(rng.choices(PIECES, k=n)),
            ]
        )(size)
        check(text, rng.choice(DIALECTS))


NESTS = {
    "parentheses": ("select ", "(", "1", ")"),
    "brackets": ("select a", "[", "1", "]"),
    "braces": ("select ", "{'a': ", "1", "}"),
    "arrays": ("select ", "array(", "1", ")"),
    "array types": ("create table t (a ", "array<", "int", ">"),
    "struct types": ("create table t (a ", "struct<b ", "int", ">"),
    "calls": ("select ", "f(", "1", ")"),
    "casts": ("select ", "cast(", "1", " as int)"),
    "cases": ("select ", "case when a then ", "1", " end"),
    "derived tables": ("select * from ", "(select * from ", "t", ") x"),
    "subqueries": ("select ", "(select ", "1", ")"),
    "exists": ("select 1 where ", "exists (select 1 where ", "a", ")"),
    "joins": ("select * from ", "(a join ", "b", " on 1 = 1)"),
    "unions": ("", "select 1 union all (", "select 1", ")"),
    "ctes": ("", "with a as (", "select 1", ") select * from a"),
    "negations": ("select ", "not ", "a", ""),
    "signs": ("select ", "- ", "a", ""),
    "blocks": ("", "begin ", "select 1;", " end;"),
    "conditions": ("", "if 1 = 1 ", "select 1", ""),
    "comments": ("", "/*", "", "*/"),
    "templates": ("select ", "{{ ", "a", " }}"),
    "open parentheses": ("select ", "(", "", ""),
    "open cases": ("select ", "case ", "", ""),
    "late conditions": ("select * from a ", "join b ", "", "on 1 = 1 "),
    "windows": ("select ", "sum(", "a", ") over (order by b)"),
    "lambdas": ("select f(", "x -> ", "x", ""),
}


SLOW = {"arrays", "windows", "open cases"}  # these run into the budget


@pytest.mark.parametrize("kind", NESTS if LONG else [kind for kind in NESTS if kind not in SLOW])
@pytest.mark.parametrize("dialect", [None, "tsql", "bigquery", "clickhouse"] if LONG else [None])
def test_deep_nests_end(kind: str, dialect: str | None):
    before, opening, middle, closing = NESTS[kind]
    check(f"{before}{opening * DEEP}{middle}{closing * DEEP}; select a from t", dialect)


def test_a_list_of_five_megabytes_ends():
    numbers = ", ".join(map(str, range(700_000)))
    sql = f"select a from t where b in ({numbers}); select c from u"
    assert len(sql) > 5_000_000
    found = check(sql, "snowflake")
    assert found["in_tables"] == ["t", "u"]


def test_a_script_of_many_statements_is_read():
    found = check(
        "".join(f"insert into t{i % 50} select a, b from u{i % 70};\n" for i in range(8000)), "spark"
    )
    assert (len(found["statements"]), found["errors"]) == (8000, [])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "join",
    [" join t{i}", ", t{i}", " join t{i} on t.k = t{i}.k", " natural join t{i}", " join t{i} using (k)"],
)
def test_a_join_of_a_thousand_tables_is_read(join: str):
    sql = "select t.a from t" + "".join(join.format(i=i) for i in range(1000))
    found = check(sql, None)
    assert (len(found["in_tables"]), found["errors"]) == (1001, [])  # type: ignore[arg-type]


def test_five_thousand_columns_are_read():
    columns = ", ".join(f"c{i}" for i in range(5000))
    sql = f"with a as (select {columns} from t) insert into x select * from a"
    assert len(check(sql, None)["column_lineage"]) == 5000  # type: ignore[arg-type]


@pytest.mark.parametrize("what", ["*", "a, b"])
def test_five_thousand_unions_are_read(what: str):
    sql = " union all ".join(f"select {what} from t{i}" for i in range(5000))
    found = check(sql, None)
    assert (len(found["in_tables"]), found["errors"]) == (5000, [])  # type: ignore[arg-type]
