"""A project whose store is a server that speaks S3: what the API creates lies there too, and a sync's graph.

The server is moto's: what it does with two writers at once is no proof of what Amazon's does.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lineage import LineageGraph
from lineage.store import open_store
from pipelines.overlay import OverlayEditor
from pipelines.project import read_project
from pipelines.sync import run_sync
from tests.pipelines.conftest import folder
from tests.pipelines.test_sync import today
from tests.services.s3_server import S3Server, s3_server

__all__ = ["folder"]
SOURCE = {"connector": "sqlite", "config": {"path": "app.db"}, "records": ["app.main.orders"]}


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        server.make_bucket("lake")
        yield server


@pytest.fixture
def remote(folder: Path, s3: S3Server, request: pytest.FixtureRequest) -> Path:
    """The project, with a store of the test's own in the bucket."""
    _store_at(folder, s3.url, request.node.name)
    return folder


def _store_at(folder: Path, url: str, name: str) -> None:
    file = folder / "headwater.yaml"
    options = (
        f"{{AWS_ENDPOINT_URL: '{url}', AWS_ALLOW_HTTP: 'true', AWS_REGION: eu-west-1,"
        " AWS_ACCESS_KEY_ID: AKIAHEADWATER, AWS_SECRET_ACCESS_KEY: very-secret-key}"
    )
    file.write_text(f"storage: s3://lake/{name}\nstorage_options: {options}\n{file.read_text()}")


def test_what_the_api_creates_is_synced_and_its_graph_is_read(remote):
    OverlayEditor(remote).create("connection", "bench", SOURCE)
    project = read_project(remote)
    assert "bench" in project.connections
    run_sync(project, ["bench"], [today(project)])
    graph = LineageGraph.load(open_store(project.storage, project.storage_options))
    assert graph.resource("app.main.orders")["connection"] == "bench"


def test_writers_at_once_lose_nothing(remote):
    editors = [OverlayEditor(remote) for _ in range(4)]

    def create(number: int) -> str:
        return editors[number % 4].create("connection", f"source {number}", SOURCE)[0]

    with ThreadPoolExecutor(4) as pool:
        keys = list(pool.map(create, range(12)))
    assert len(set(keys)) == 12
    assert set(keys) < set(read_project(remote).connections)


def test_a_project_loads_without_its_store_and_says_what_is_missing(folder, caplog):
    _store_at(folder, "http://127.0.0.1:9", "away")
    with caplog.at_level(logging.WARNING):
        project = read_project(folder)
    assert "app" in project.connections
    assert "what the API created is left out" in caplog.text
    assert "very-secret-key" not in caplog.text
