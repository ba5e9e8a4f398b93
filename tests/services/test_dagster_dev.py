"""`dagster dev` for real, asked as its UI asks. No network: every proxy is a port where nothing listens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.pipelines.conftest import write_project
from tests.services.dagster_dev import ASSETS, free_port, serving, without_network

ROOT = Path(__file__).resolve().parents[2]
HEADWATER = [sys.executable, "-c", "from pipelines.cli import main; main()"]
DAGSTER = [sys.executable, "-m", "dagster"]
CONNECTIONS = ("app", "scripts", "hand")
ASSET_GRAPH = {
    **{f"resources/{name}": set() for name in CONNECTIONS},
    **{f"flow_runs/{name}": {f"resources/{name}"} for name in CONNECTIONS},
    "lineage_graph": {f"flow_runs/{name}" for name in CONNECTIONS},
}


@pytest.fixture
def project(tmp_path):
    return write_project(tmp_path / "project")


@pytest.fixture
def environment():
    return without_network() | {"PYTHONPATH": str(ROOT)}


def headwater(project, environment, *arguments):
    command = [*HEADWATER, "--project", str(project), *arguments]
    finished = subprocess.run(command, env=environment, capture_output=True, timeout=60)
    assert finished.returncode == 0, finished.stderr.decode()
    return json.loads(finished.stdout)


def asset_graph(server):
    """The assets that each asset depends on."""
    nodes = server.ask(ASSETS)["assetNodes"]
    return {
        "/".join(n["assetKey"]["path"]): {"/".join(d["path"]) for d in n["dependencyKeys"]} for n in nodes
    }


def test_in_the_checkout_a_run_launched_in_the_ui_is_a_flow_run_at_once(project, tmp_path, environment):
    environment |= {"HEADWATER_PROJECT": str(project), "DAGSTER_HOME": str(tmp_path / "home")}
    assert headwater(project, environment, "runs", "--json") == []
    port, today = free_port(), f"{datetime.now(UTC):%Y-%m-%d}"
    dev = [*DAGSTER, "dev", "-h", "127.0.0.1", "-p", str(port)]
    with serving(dev, port, ROOT, environment, tmp_path / "log") as server:
        assert [place["name"] for place in server.locations()] == ["pipelines.definitions"]
        assert asset_graph(server) == ASSET_GRAPH
        run_id = server.launch([key.split("/") for key in ASSET_GRAPH], today)
        assert server.end_of(run_id) == "SUCCESS"
        runs = headwater(project, environment, "runs", "--json")
        export = headwater(project, environment, "lineage", "export")
    assert {(r["id"], r["flow"], *r["partitions"], r["status"], r["trigger"]) for r in runs} == {
        (run_id, name, today, "SUCCESS", "manual") for name in CONNECTIONS
    }
    assert {why["run_id"] for edge in export["edges"] for why in edge["provenance"]} == {run_id}
    assert ("app/app.main.orders", "app/app.main.summary") in {(e["from"], e["to"]) for e in export["edges"]}


def test_in_the_checkout_the_demo_is_served_where_no_project_is_named(tmp_path, environment):
    command = [*DAGSTER, "definitions", "validate"]
    environment |= {"DAGSTER_HOME": str(tmp_path)}
    finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90)
    said = finished.stdout + finished.stderr
    assert finished.returncode == 0, said
    assert "loading the packaged demo" in said
    assert "pipelines.definitions" in said


@pytest.mark.skipif(not os.environ.get("HEADWATER_LONG"), reason="a second server: `make test-long`")
def test_the_ui_command_serves_a_project(project, tmp_path, environment):
    port = free_port()
    ui = [*HEADWATER, "--project", str(project), "ui", "--port", str(port)]
    with serving(ui, port, tmp_path, environment, tmp_path / "log") as server:
        assert [place["name"] for place in server.locations()] == ["pipelines.definitions"]
        assert asset_graph(server) == ASSET_GRAPH
    assert (project / ".headwater" / "dagster" / "dagster.yaml").exists()
