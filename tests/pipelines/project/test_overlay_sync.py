"""What the API created, run through Dagster."""

from __future__ import annotations

from datetime import UTC, datetime

from lineage.store import open_store
from pipelines.cli.main import run
from pipelines.loading import build_definitions
from pipelines.overlay import OverlayEditor
from pipelines.partitions import key_at
from pipelines.project import read_project
from pipelines.project.sealing import KEY
from pipelines.sync import run_sync

ORDERS = {"from": "bench/app.main.orders", "transform": "tidy"}
LAKE = {"connector": "files", "config": {"path": "lake", "format": "csv"}, "of": "orders"}


def test_a_connection_a_dataset_and_a_sink_of_the_api_sync(folder, monkeypatch, capfd):
    import sqlite3

    monkeypatch.setenv(KEY, "c2VjcmV0LWtleS10aGF0LWlzLTMyLWJ5dGVzLWxvbmc=")
    with sqlite3.connect(folder / "app.db") as db:
        db.execute("insert into orders values (1, null, 12.5), (2, null, 3.0)")
    db.close()
    editor = OverlayEditor(folder)
    editor.create("credential", "login", {}, secret={"path": "app.db"})
    connection = {"connector": "sqlite", "credential": "login", "records": ["app.main.orders"]}
    editor.create("connection", "bench", connection)
    editor.create("transform", "tidy", {"operations": [{"rename": {"id": "order_id"}}]})
    editor.create("dataset", "orders", ORDERS)
    editor.create("sink", "lake", LAKE)
    project = read_project(folder)
    report = run_sync(project, ["bench"], [key_at(project.model.partitions, datetime.now(UTC))])
    assert report.ok, report
    assert [outcome.connection for outcome in report.outcomes] == ["bench"]
    (written,) = (folder / "lake").rglob("*.csv")
    assert written.read_text().splitlines()[0] == "order_id,customer_id,amount"
    graph = open_store(project.storage).graph()
    assert graph.path("bench/app.main.orders.id", "datasets/orders.order_id")
    assert run(["--project", str(folder), "check", "bench"]) == 0
    assert "bench" in capfd.readouterr().out
    # A column that is not there is its dataset's failure, and nothing else's.
    misspelt = {"from": "bench/app.main.orders", "transform": {"operations": [{"select": ["amout"]}]}}
    editor.create("dataset", "wrong", misspelt)
    project = read_project(folder)
    build_definitions(project)
    report = run_sync(project, ["bench"], [key_at(project.model.partitions, datetime.now(UTC))])
    assert {made.name: made.status for made in report.made} == {
        "datasets/orders": "SUCCESS",
        "datasets/wrong": "FAILED",
        "sinks/lake/orders": "SUCCESS",
    }
    assert report.graph is not None
