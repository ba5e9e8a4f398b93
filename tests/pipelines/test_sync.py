"""Syncs through Dagster: what is stored, what fails, and what does not."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest

from lineage import open_store
from pipelines.assets.extract import ACCEPT_DROP_TAG
from pipelines.extract import RunInfo, extract_partition
from pipelines.flow_runs import open_flow_runs
from pipelines.keys import AssetKeys
from pipelines.partitions import key_at, partitions_definition, window_of
from pipelines.project import read_project
from pipelines.sync import run_sync
from tests.pipelines.conftest import FILE, RESOURCE, write_project


def today(project) -> str:
    from datetime import UTC, datetime

    return key_at(project.model.partitions, datetime.now(UTC))


def sync(project, *names: str, **kw):
    return run_sync(project, list(names) or list(project.connections), [today(project)], **kw)


def flow_runs(project, **kw):
    with open_flow_runs(project) as found:
        return found.find(**kw)


def test_a_sync_stores_every_connection_and_the_graph(project):
    report = sync(project)
    assert report.ok
    assert {o.connection: o.status for o in report.outcomes} == {
        "app": "SUCCESS",
        "scripts": "SUCCESS",
        "hand": "SUCCESS",
    }
    graph = open_store(project.storage).graph()
    way = [edge["to"] for edge in graph.path("app/app.main.orders.amount", "hand/revenue")]
    assert way == ["app/app.main.summary.total", "hand/revenue"]
    assert graph.header.run_id == report.run_id


def test_a_source_that_fails_does_not_stop_the_others(project, folder):
    sync(project)
    (folder / "app.db").rename(folder / "gone.db")
    (folder / "r.jsonl").write_text(
        RESOURCE + RESOURCE.replace("revenue", "costs").replace("Revenue", "Costs")
    )
    report = sync(project)
    assert not report.ok
    assert {o.connection: o.status for o in report.outcomes}["app"] == "FAILED"
    assert "app.db" in next(o.error for o in report.outcomes if o.connection == "app")
    graph = open_store(project.storage).graph()
    ids = {r["id"] for r in graph.resources()}
    assert {"hand/costs", "app/app.main.orders"} <= ids
    with dg.DagsterInstance.get() as instance:
        run = instance.get_run_by_id(report.run_id)
        assert run.status == dg.DagsterRunStatus.FAILURE
        keys = AssetKeys()
        last = {
            key: instance.get_latest_materialization_event(key).run_id
            for key in (keys.resources("app"), keys.flow_run("app"), keys.resources("hand"), keys.graph)
        }
    assert last[keys.resources("app")] != report.run_id
    assert last[keys.flow_run("app")] == last[keys.resources("hand")] == last[keys.graph] == report.run_id


def test_flow_runs_are_dagsters_records(project, folder):
    sync(project)
    (folder / "app.db").rename(folder / "gone.db")
    failed = sync(project, "app")
    runs = flow_runs(project)
    assert [(r.flow, r.status) for r in runs[:1]] == [("app", "FAILED")]
    assert "app.db" in runs[0].error
    assert (runs[0].id, runs[0].errors, runs[0].partitions) == (failed.run_id, 1, [today(project)])
    assert {(r.flow, r.status, r.trigger, r.attempt) for r in runs[1:]} == {
        (name, "SUCCESS", "manual", 1) for name in project.connections
    }
    app = next(r for r in runs[1:] if r.flow == "app")
    assert app.resources == app.datasets[0].records - 1
    assert app.size_bytes > 0
    assert app.link == f"/runs/{app.id}"
    assert len(flow_runs(project, flow="app")) == 2
    assert len(flow_runs(project, limit=1)) == 1


def test_bad_lines_make_the_run_partial(project, folder):
    (folder / "r.jsonl").write_text(RESOURCE + "not json\n")
    report = sync(project)
    assert report.ok
    hand = next(o for o in report.outcomes if o.connection == "hand")
    assert hand.status == "WARNING"
    assert hand.report.rejects[0].location.endswith("r.jsonl:2")
    assert flow_runs(project, flow="hand")[0].status == "WARNING"


def test_bad_lines_fail_the_run_where_that_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    text = FILE.replace('    schedule: "0 3 * * *"\n', "    on_error: fail\n")
    folder = write_project(tmp_path / "project", text)
    (folder / "r.jsonl").write_text(RESOURCE + "not json\n")
    report = sync(read_project(folder))
    assert {o.connection: o.status for o in report.outcomes}["hand"] == "FAILED"
    assert not open_store(read_project(folder).storage).snapshots.headers("hand")


def test_a_large_loss_is_held_back_until_accepted(project, folder):
    (folder / "r.jsonl").write_text("".join(RESOURCE.replace("revenue", f"r{n}") for n in range(10)))
    (folder / "l.jsonl").write_text("")
    sync(project)
    (folder / "r.jsonl").write_text(RESOURCE.replace("revenue", "r0"))
    report = sync(project)
    hand = next(o for o in report.outcomes if o.connection == "hand")
    assert (report.ok, hand.status) == (True, "WARNING")
    assert "9 of 10" in hand.header.held_back
    assert (
        len([r for r in open_store(project.storage).graph().resources() if r["connection"] == "hand"]) == 10
    )
    accepted = sync(project, accept_drop=["hand"])
    assert accepted.ok
    assert len([r for r in open_store(project.storage).graph().resources() if r["connection"] == "hand"]) == 1
    with dg.DagsterInstance.get() as instance:
        assert instance.get_run_by_id(accepted.run_id).tags[ACCEPT_DROP_TAG] == "hand"


def test_a_past_partition_of_a_snapshot_connector_is_refused(project):
    report = run_sync(project, ["app"], ["2026-11-02"])
    assert not report.ok
    assert "allow_late: true" in report.outcomes[0].error
    assert open_store(project.storage).snapshots.headers() == []


def test_a_run_within_an_hour_after_its_partition_still_counts(project):
    import logging
    from datetime import timedelta

    parts = partitions_definition(project.model.partitions)
    window = window_of(parts, "2026-11-02")
    store = open_store(project.storage)
    for late, status in ((timedelta(minutes=59), "SUCCESS"), (timedelta(minutes=61), "FAILED")):
        run = RunInfo("r", window.end + late)
        outcome = extract_partition(project, store, "app", window, run, logging.getLogger("test"))
        assert outcome.status == status


def test_several_partitions_are_one_run(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    folder = write_project(
        tmp_path / "project", FILE.replace('    schedule: "15 * * * *"\n', "    allow_late: true\n")
    )
    project = read_project(folder)
    report = run_sync(project, ["app"], ["2026-11-02", "2026-11-03", "2026-11-04"])
    assert report.ok
    store = open_store(project.storage)
    assert [h.partition for h in store.snapshots.headers("app")] == ["2026-11-02", "2026-11-03", "2026-11-04"]
    assert [h.partition for h in store.graphs.headers()] == ["2026-11-02", "2026-11-03", "2026-11-04"]
    runs = flow_runs(project)
    assert [(r.status, r.partitions) for r in runs] == [("SUCCESS", [f"2026-11-0{d}" for d in (2, 3, 4)])]


def test_a_connector_that_cannot_be_loaded_is_its_connections_failure(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    folder = write_project(tmp_path / "project", FILE + "  own:\n    connector: ./own.py\n")
    (folder / "own.py").write_text("import nothing_of_this_name\n")
    report = sync(read_project(folder))
    failed = {o.connection: o.error for o in report.outcomes if o.status == "FAILED"}
    assert list(failed) == ["own"]
    assert "own.py:1" in failed["own"]
    assert open_store(read_project(folder).storage).graph().resources()


@pytest.mark.parametrize("name", ["app", "hand"])
def test_one_connection_can_be_synced_alone(project, name):
    report = sync(project, name)
    assert report.ok
    assert [o.connection for o in report.outcomes] == [name]
    assert report.graph.partitions == {name: [today(project)]}


def test_secrets_are_nowhere_in_what_is_kept(tmp_path, monkeypatch):
    secret = "s3cr3t-Val-ue"
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PG_URL", f"postgresql://ada:{secret}@127.0.0.1:1/shop")
    text = FILE + '  wh:\n    connector: postgres\n    credential: {url: "${PG_URL}"}\n'
    project = read_project(write_project(tmp_path / "project", text))
    report = sync(project)
    wh = next(o for o in report.outcomes if o.connection == "wh")
    assert wh.status == "FAILED"
    assert "127.0.0.1" in wh.error
    kept = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert kept
    assert [file for file in kept if secret.encode() in file.read_bytes()] == []


LITERAL_VIEW = """
create view adas as
with c as (select id, coalesce(name, 'Ada') || '!' as who from customers where name <> 'Ada') select id, who from c;
"""
LITERAL_SCRIPT = """
insert into summary (total, who) select sum(amount), 'Ada' || max(customer_id) from orders;
select 'Ada' from orders where;
select 'Ada
"""


@pytest.fixture
def literals(folder):
    """The small project, with the literal 'Ada' in a view's SQL and in a script's; to be read with a store_sql."""
    with sqlite3.connect(folder / "app.db") as db:
        db.executescript(LITERAL_VIEW)
    db.close()
    (folder / "sql" / "ada.sql").write_text(LITERAL_SCRIPT)

    def read(store_sql: str):
        text = re.sub("(connector: (?:sqlite|sql_files)\n)", rf"\1    store_sql: {store_sql}\n", FILE)
        (folder / "headwater.yaml").write_text(text)
        return read_project(folder)

    return read


def holding(folder: Path, text: str) -> list[str]:
    """The files that hold the text; what Parquet compresses is read as it was before."""
    found = []
    for file in folder.rglob("*"):
        if file.suffix == ".parquet":
            held = str(pq.read_table(file).to_pydict())
        else:
            held = file.read_bytes().decode("latin-1") if file.is_file() else ""
        found += [file.name] if text in held else []
    return found


@pytest.mark.parametrize("store_sql", ["masked", "none"])
def test_literals_of_sql_are_nowhere_in_the_storage_where_they_are_not_to_be_stored(literals, store_sql):
    project = literals(store_sql)
    for _ in range(2):
        assert sync(project).ok
    assert holding(Path(project.storage), "customers")
    assert holding(Path(project.storage), "Ada") == []
    graph = open_store(project.storage).graph()
    (edge,) = [e for e in graph.edges() if e["to"] == "app/app.main.adas.who" and e["kind"] == "direct"]
    assert edge["expression"] == {"masked": "coalesce(name, ?) || ?", "none": None}[store_sql]
    definition = graph.resource("app/app.main.adas").get("definition")
    assert definition is None if store_sql == "none" else "coalesce(name, ?)" in definition
    assert {e["reason"] for e in graph.unresolved() if e["connection"] == "scripts"} == {"sql_parse_error"}


def test_programs_stored_with_literals_are_not_used_again_without_and_the_other_way_round(literals):
    expressions = []
    for store_sql in ("full", "masked", "full", "none", "full"):
        project = literals(store_sql)
        assert sync(project).ok
        edges = open_store(project.storage).graph().edges()
        expressions += [
            e["expression"] for e in edges if e["to"] == "app/app.main.adas.who" and e["kind"] == "direct"
        ]
    full = "coalesce(name, 'Ada') || '!'"
    assert expressions == [full, "coalesce(name, ?) || ?", full, None, full]
    assert holding(Path(project.storage), "Ada")


LEAKY = """
from secodadk import Resource, SecodaIntegration


class Leaky(SecodaIntegration):
    def extract(self):
        print("the key is", self.credentials["api_key"])
        self.declare_resource(Resource(entity_type="dashboard", databuilder_id="d", title="d"))
        raise RuntimeError("refused: " + self.credentials["api_key"])
"""


def test_a_script_that_gives_its_credential_away_is_redacted_everywhere(tmp_path, monkeypatch):
    secret = "s3cr3t-Val-ue"
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LEAKY_KEY", secret)
    text = FILE + '  leaky:\n    connector: ./leaky.py\n    credential: {api_key: "${LEAKY_KEY}"}\n'
    folder = write_project(tmp_path / "project", text)
    (folder / "leaky.py").write_text(LEAKY)
    report = sync(read_project(folder), "leaky")
    (outcome,) = report.outcomes
    assert outcome.status == "FAILED"
    assert "refused: ****" in outcome.error
    assert secret not in outcome.error
    kept = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert [file for file in kept if secret.encode() in file.read_bytes()] == []
    assert any(b"the key is ****" in file.read_bytes() for file in kept)
