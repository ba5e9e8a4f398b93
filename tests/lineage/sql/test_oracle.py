"""What DuckDB's plans read, against what we say: no column that matters to a query is missing.

A plan's scans read the columns that the query needs when all optimizers are off but `unused_columns`. That one
leaves some columns in: of a derived table none of whose columns is needed, of branches of a set operation. Such
a column is none that we miss if the answer stays the same whatever stands in it, and this is tried.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lineage.sql import analyze
from tests.lineage.sql.grammar import TABLES, Grammar, starred

Column = tuple[str, str]
QUERIES = 3_000 if os.environ.get("HEADWATER_LONG") else 600
PLANS = Path(__file__).with_name("tpcds_plans.py")
PACKAGES = ("duckdb==1.5.5", "duckdb-extension-tpcds==1.5.5")


def ours(sql: str, schemas: dict[str, list[str]]) -> set[Column]:
    """Every column that we say the query depends on, directly or not."""
    found = analyze(sql, "duckdb", schemas=schemas).to_dict()
    assert (found["errors"], found["ambiguous"]) == ([], []), sql
    direct = {(up["table"], up["column"]) for entry in found["column_lineage"] for up in entry["upstreams"]}
    return direct | {(entry["table"], entry["column"]) for entry in found["indirect"]}


@pytest.fixture(scope="session")
def tpcds() -> dict[str, Any]:
    """Texts and plans of the TPC-DS queries, from a DuckDB that has the extension, in an environment of its own."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "headwater-tests" / "-".join(name.replace("==", "-") for name in PACKAGES)
    python = folder / "bin" / "python"
    uv = str(Path(sys.executable).with_name("uv"))
    if not (folder / "ready").exists():
        run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        run(uv, "pip", "install", "--quiet", "--python", str(python), *PACKAGES)
        (folder / "ready").touch()
    plans: dict[str, Any] = json.loads(run(str(python), str(PLANS)))
    return plans


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=150)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_tpcds_queries_depend_on_the_very_columns_that_their_plans_read(tpcds):
    assert len(tpcds["queries"]) == 99
    for query in tpcds["queries"]:
        read = {(table, column) for table, columns in query["reads"].items() for column in columns}
        assert len(read) > 3
        assert ours(query["sql"], tpcds["schemas"]) == read, query["number"]


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Where queries run."""
    with duckdb.connect() as connection:
        create_tables(connection)
        yield connection


@pytest.fixture(scope="module")
def planner() -> Iterator[duckdb.DuckDBPyConnection]:
    """Where queries are only planned."""
    with duckdb.connect() as connection:
        create_tables(connection)
        names = connection.execute("select name from duckdb_optimizers()").fetchall()
        off = ",".join(name for (name,) in names if name != "unused_columns")
        connection.execute(f"set disabled_optimizers = '{off}'")
        yield connection


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    for table, columns in TABLES.items():
        connection.execute(f"create table {table} ({', '.join(f'{column} int' for column in columns)})")


def reads(connection: duckdb.DuckDBPyConnection, sql: str) -> set[Column]:
    """The columns that the scans of the query's plan read."""
    found: set[Column] = set()
    nodes = json.loads(connection.execute("explain (format json) " + sql).fetchall()[0][1])
    while nodes:
        node = nodes.pop()
        nodes += node.get("children", [])
        info = node.get("extra_info", {})
        if "Table" in info:
            columns = info.get("Projections", [])
            table = info["Table"].rpartition(".")[2]
            found |= {(table, name) for name in ([columns] if isinstance(columns, str) else columns) if name}
    return found


def fill(connection: duckdb.DuckDBPyConnection, chance: random.Random, count: int) -> None:
    """A few rows for each table, of values near those that the queries compare with."""
    for table, columns in TABLES.items():
        connection.execute(f"delete from {table}")
        rows = [[chance.choice([None, 99, 100, 101, 102]) for _ in columns] for _ in range(count)]
        places = ", ".join("?" * len(columns))
        connection.executemany(f"insert into {table} values ({places})", rows)


def matters(connection: duckdb.DuckDBPyConnection, sql: str, column: Column) -> bool:
    """Whether the answer changes with what stands in the column."""
    chance = random.Random(sql)
    table, name = column
    count = 4 if len(re.findall(r"\b(?:from|join)\b", sql)) < 8 else 2  # cross joins multiply them
    for _ in range(20):
        fill(connection, chance, count)
        before = sorted(connection.execute(sql).fetchall(), key=repr)
        connection.execute(f"update {table} set {name} = 98 + (random() * 5)::int")
        if sorted(connection.execute(sql).fetchall(), key=repr) != before:
            return True
    return False


def test_no_column_that_a_plan_reads_and_that_matters_is_missing(database, planner):
    equal = more = 0
    for seed in range(QUERIES):
        sql = starred(Grammar(random.Random(seed), "duckdb").query())
        read, found = reads(planner, sql), ours(sql, TABLES)
        for column in sorted(read - found):
            assert not matters(database, sql, column), (seed, column, sql)
        equal += read == found
        more += bool(found - read)
    assert equal > 0.9 * QUERIES
    assert more < 0.05 * QUERIES


def test_the_check_knows_columns_that_matter(database):
    assert matters(database, "select count(*) from (select distinct a, b from t) q", ("t", "b"))
    assert not matters(database, "select q.a from (select a, b from t) q", ("t", "b"))
