"""OpenLineage events in a project: what is stored of them, and how their tables find their owners."""

from __future__ import annotations

import logging
import sqlite3
from datetime import UTC, datetime

import orjson
import pytest

from connectors.config.secrets import MASK
from connectors.model import ExternalRun
from lineage import open_store
from lineage.graph.build import build_graph
from pipelines.extract import RunInfo, extract_partition
from pipelines.partitions import partitions_definition, window_of
from pipelines.project import connection_specs, read_project
from tests.connectors.builtin.openlineage_events import as_lines, columns, dataset, event, facet

DAY = "2025-11-20"
SECRET = "s3cr3t-Val-ue"
PROJECT = """
partitions: {every: day, start: 2025-01-01}
connections:
  app:
    connector: sqlite
    allow_late: true
    config: {path: app.db}
  events:
    connector: openlineage
    config: {path: events.jsonl}
  told:
    connector: ./told.py
    allow_late: true
    credential: {api_key: "${OWN_KEY}"}
"""
TOLD = """
from datetime import UTC, datetime
from connectors import Connector, DeclaredLineage, ExternalRun, InternalResource

class Told(Connector):
    def addresses(self):
        key = self.credentials["api_key"]
        return [f"https://h/{key}", "postgres://ada:pw12345@h:5432/x", "postgres://h:5432/x", "s3://bucket"]

    def extract(self):
        key, one = self.credentials["api_key"], InternalResource(databuilder_id="a")
        self.declare_lineage(DeclaredLineage(from_identifier=one, to_identifier=one, kind="indirect",
            clauses=["where"], expression=f"x = '{key}'", location=f"at {key}"))
        self.declare_run(ExternalRun(id="1", job="j", status="FAILED", started_at=datetime.now(UTC), error=key))
        self.declare_run({"id": "", "job": "j"})
"""


@pytest.fixture
def extracted(tmp_path, monkeypatch):
    """Stores a connection's partition; gives the outcome, the store and its rows."""
    monkeypatch.setenv("OWN_KEY", SECRET)
    (tmp_path / "headwater.yaml").write_text(PROJECT)
    (tmp_path / "told.py").write_text(TOLD)
    with sqlite3.connect(tmp_path / "app.db") as db:
        db.executescript("create table orders (id, total); create table mart (id, total)")
    db.close()
    project = read_project(tmp_path)
    store = open_store(project.storage)
    window = window_of(partitions_definition(project.model.partitions), DAY)

    def extract(name: str):
        run = RunInfo("run", datetime.now(UTC))
        outcome = extract_partition(project, store, name, window, run, logging.getLogger("test"))
        assert outcome.error is None
        header = outcome.header
        return outcome, store.snapshots.table.rows([(name, header.content)]).to_pylist()

    extract.project, extract.store, extract.folder = project, store, tmp_path
    return extract


def test_runs_lineage_and_masked_sql_are_stored(extracted):
    sql = {"sql": facet(query="insert into mart select * from orders where mail = 'ada@example.com'")}
    namespace = f"sqlite://{extracted.folder}/app.db"
    source, target = dataset("app.main.orders", namespace), dataset("app.main.mart", namespace)
    (extracted.folder / "events.jsonl").write_text(
        as_lines(event("START", inputs=[source], job_facets=sql), event(outputs=[target]))
    )
    outcome, rows = extracted("events")
    assert outcome.header.origin == "openlineage"
    assert dict(outcome.header.counts) == {"declaration": 1, "resource": 3, "run": 1}
    (declared,) = (row for row in rows if row["kind"] == "declaration")
    assert orjson.loads(declared["body"]) == {"location": "airflow/load"}
    (run,) = (ExternalRun.model_validate_json(row["body"]) for row in rows if row["kind"] == "run")
    assert (run.status, run.outputs) == ("SUCCESS", [f'"{namespace}".app.main.mart'])
    (job,) = (orjson.loads(row["body"]) for row in rows if row["entity_type"] == "job")
    assert "insert into mart" in job["definition"].lower()
    assert "ada@example.com" not in str(rows)


def test_secrets_are_stored_neither_in_runs_nor_in_lineage_nor_in_addresses(extracted):
    outcome, rows = extracted("told")
    assert list(outcome.header.addresses) == ["postgres://h:5432/x", "s3://bucket"]
    assert SECRET not in str(rows)
    assert SECRET not in outcome.header.to_json()
    (declared,) = (orjson.loads(row["body"]) for row in rows if row["kind"] == "declaration")
    assert declared == {
        "kind": "indirect",
        "clauses": ["where"],
        "expression": f"x = '{MASK}'",
        "location": f"at {MASK}",
    }
    (run,) = (orjson.loads(row["body"]) for row in rows if row["kind"] == "run")
    assert run["error"] == MASK
    assert [reject.cause for reject in outcome.report.rejects]  # a run without an id is refused


def test_a_dataset_of_a_connection_s_place_is_the_connection_s_table(extracted):
    namespace = f"sqlite://{extracted.folder}/app.db"
    target = columns("app.main.mart", total=[("app.main.orders", "total", {})])
    target["namespace"] = namespace
    target["facets"]["columnLineage"]["fields"]["total"]["inputFields"][0]["namespace"] = namespace
    (extracted.folder / "events.jsonl").write_text(
        as_lines(event(inputs=[dataset("app.main.orders", namespace)], outputs=[target]))
    )
    outcome, _ = extracted("app")
    assert list(outcome.header.addresses) == [namespace]
    extracted("events")
    graph = build_graph(extracted.store, DAY, list(connection_specs(extracted.project)))
    found = {(edge["from"], edge["to"]) for edge in graph.to_dict()["edges"]}
    assert ("app/app.main.orders", "app/app.main.mart") in found
    assert ("app/app.main.orders.total", "app/app.main.mart.total") in found
