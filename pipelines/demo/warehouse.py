"""The shop's DuckDB warehouse, made as it would be in life: load, dbt, views, nightly aggregate.

The scripts are those that the project's connections read, so that the lineage they tell is true. dbt is not
needed: what runs is the SQL that it compiled, out of its committed manifest.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from graphlib import TopologicalSorter
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.demo.application import TABLES

LOAD, NIGHTLY = Path("sql/load_raw.sql"), Path("sql/nightly_sales.sql")
REPORTING = Path("warehouse/reporting.sql")
MANIFEST = Path("dbt/target/manifest.json")


def make_raw(path: Path, application: Path, project: Path) -> None:
    """A new warehouse with the raw tables only."""
    with duckdb.connect(str(path)) as db:
        _attach(db, application)
        db.execute((project / LOAD).read_text(encoding="utf-8"))


def make_warehouse(path: Path, application: Path, project: Path) -> None:
    """A new warehouse, whole. `project` is the demo project's folder."""
    make_raw(path, application, project)
    with duckdb.connect(str(path)) as db:
        for statement in dbt_statements(project / MANIFEST):
            db.execute(statement)
        for script in (REPORTING, NIGHTLY):
            db.execute((project / script).read_text(encoding="utf-8"))


def _attach(db: duckdb.DuckDBPyConnection, application: Path) -> None:
    """The application's tables, in a database called `app`.

    DuckDB's own `attach ... (type sqlite)` is an extension, to be downloaded; Python reads SQLite as it is.
    """
    db.execute("attach ':memory:' as app")
    with closing(sqlite3.connect(application)) as source:
        for table in TABLES:
            cursor = source.execute(f"select * from {table}")  # noqa: S608 - names of ours
            names = [column[0] for column in cursor.description]
            rows = pa.table([pa.array(values) for values in zip(*cursor, strict=True)], names)
            db.register("application_rows", rows)
            db.execute(f"create table app.main.{table} as select * from application_rows")  # noqa: S608
            db.unregister("application_rows")


def dbt_statements(manifest: Path) -> Iterator[str]:
    """What makes the models' schemas, tables and views, in their order."""
    content = json.loads(manifest.read_text(encoding="utf-8"))
    models = {key: node for key, node in content["nodes"].items() if node["resource_type"] == "model"}
    for schema in sorted({node["schema"] for node in models.values()}):
        yield f"create schema if not exists {schema}"
    parents = {key: node["depends_on"]["nodes"] for key, node in models.items()}
    for key in TopologicalSorter(parents).static_order():
        if node := models.get(key):
            kind = node["config"]["materialized"]
            yield f"create or replace {kind} {node['relation_name']} as {node['compiled_code']}"
