"""A query log synced: usage, edges, and what of its text is stored."""

import json
import logging
import sqlite3
from datetime import UTC, datetime

import pytest

from lineage import open_store
from pipelines.extract import RunInfo, extract_partition
from pipelines.partitions import partitions_definition, window_of
from pipelines.project import read_project
from pipelines.stored_sql import known_programs
from pipelines.sync import run_sync

DAY = f"{datetime.now(UTC):%Y-%m-%d}"
PROJECT = """
partitions: {{every: day, start: 2026-01-01}}
connections:
  app:
    connector: sqlite
    instance: prod
    config: {{path: app.db}}
  log:
    connector: query_log
    {store_sql}
    config: {{path: log.jsonl, dialect: sqlite, default_database: app, default_schema: main}}
    defaults: {{instance: prod}}
"""


def entry(sql: str, hour: int = 1, **more: object) -> dict[str, object]:
    return {"query": sql, "started": f"{DAY}T{hour:02d}:00:00Z", "user": "ada", **more}


@pytest.fixture
def synced(tmp_path, monkeypatch):
    """Syncs a project of an application's database and a log, with a store_sql; gives its storage and the graph."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    with sqlite3.connect(tmp_path / "app.db") as db:
        db.executescript("create table orders (id, total); create table mart (id, total)")
    db.close()

    def sync(entries: list[dict[str, object]], store_sql: str = ""):
        (tmp_path / "headwater.yaml").write_text(PROJECT.format(store_sql=store_sql))
        (tmp_path / "log.jsonl").write_text("".join(json.dumps(e) + "\n" for e in entries))
        project = read_project(tmp_path)
        report = run_sync(project, ["app", "log"], [DAY])
        assert report.ok, [o.error for o in report.outcomes]
        return open_store(project.storage)

    return sync


def test_a_log_gives_usage_and_edges_and_stores_no_literals(synced):
    graph = synced(
        [
            entry("insert into mart select id, total from orders where id = 471147114711", user="etl"),
            entry("select total from orders where id = 471147114712", 3),
            entry("select total from orders where id = 471147114713", 2),
        ]
    ).graph()
    assert graph.resource("app/app.main.orders")["usage"] == {
        "queries": 3,
        "users": 2,
        "last_seen": f"{DAY}T03:00:00Z",
    }
    (edge,) = [e for e in graph.edges() if e["to"] == "app/app.main.mart.total" and e["kind"] == "direct"]
    assert edge["from"] == "app/app.main.orders.total"
    assert "4711471147" not in json.dumps(graph.to_dict())


def test_statements_with_credentials_are_masked_even_where_text_is_stored_in_full(synced):
    store = synced(
        [
            entry("insert into mart select id, total from orders where total > 815"),
            entry("create user x identified by 'hunter-22'"),
            entry("attach 'postgres://bob:hunter-22@db/x' as other"),
        ],
        "store_sql: full",
    )
    stored = store.snapshots.table.rows([(h.connection, h.content) for h in store.snapshots.headers()])
    assert "815" in str(stored.to_pylist())
    assert "hunter" not in str(stored.to_pylist())


def test_programs_of_a_log_are_found_again_by_the_next_run(synced):
    entries = [entry("select total from orders where id = 1"), entry("insert into mart select * from orders")]
    store = synced(entries)
    first = known_programs(store, "log")
    assert len(first) == 2
    again = synced(
        [entry("select total from orders where id = 99"), entries[1], entry("select id from orders")]
    )
    assert first.items() <= known_programs(again, "log").items()


def test_a_dialect_that_nobody_knows_is_told(synced, tmp_path, caplog):
    store = synced([entry("select id from orders")])
    entries = [entry("select total from orders", dialect="postgress"), entry("select id from orders")]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(e) + "\n" for e in entries))
    project = read_project(tmp_path)
    window = window_of(partitions_definition(project.model.partitions), DAY)
    run = RunInfo("r", datetime.now(UTC))
    assert (
        extract_partition(project, store, "log", window, run, logging.getLogger("test")).status == "SUCCESS"
    )
    assert "nobody knows the SQL dialect 'postgress'" in caplog.text
    assert "'sqlite'" not in caplog.text
