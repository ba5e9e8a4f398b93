from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from pipelines.project import Project, read_project

FILE = """\
name: shop
partitions: {every: day, start: 2026-11-01}
connections:
  app:
    connector: sqlite
    config: {path: ./app.db}
    schedule: "15 * * * *"
  scripts:
    connector: sql_files
    config: {path: ./sql, dialect: sqlite}
    defaults: {database: app, schema: main}
  hand:
    connector: jsonl
    config: {resources: ./r.jsonl, lineage: ./l.jsonl}
    schedule: "0 3 * * *"
"""
SCHEMA = """
create table customers (id integer primary key, name text);
create table orders (id integer primary key, customer_id int references customers (id), amount real);
create table summary (total real, who text);
create view named_orders as select o.id, c.name as customer from orders o join customers c on c.id = o.customer_id;
"""
RESOURCE = '{"entity_type": "dashboard", "databuilder_id": "revenue", "title": "Revenue"}\n'
LINEAGE = (
    '{"from_identifier": {"type": "external_table", "table": "SUMMARY"}, '
    '"to_identifier": {"type": "internal_resource", "databuilder_id": "revenue"}}\n'
)
SCRIPT = (
    "insert into summary (total, who)\n"
    "select sum(o.amount), c.name from orders o join customers c on o.customer_id = c.id group by c.name;\n"
)


def write_project(folder: Path, text: str = FILE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "headwater.yaml").write_text(text)
    (folder / "sql").mkdir(exist_ok=True)
    (folder / "sql" / "summary.sql").write_text(SCRIPT)
    (folder / "r.jsonl").write_text(RESOURCE)
    (folder / "l.jsonl").write_text(LINEAGE)
    with sqlite3.connect(folder / "app.db") as db:
        db.executescript(SCHEMA)
    db.close()
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project, with Dagster's records beside it."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HEADWATER_PROJECT", raising=False)
    return write_project(tmp_path / "project")


@pytest.fixture
def project(folder: Path) -> Project:
    return read_project(folder)
