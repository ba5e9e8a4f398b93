"""New graphs land while requests go on; a store that fails leaves the last one."""

from __future__ import annotations

import gc
import shutil
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise

import httpx
import pytest

from connectors.errors import LineageError
from lineage import open_store
from lineage.graph.build import build_graph
from lineage.store import SnapshotHeader, SnapshotWriter
from lineage.store.version import TableVersion
from pipelines.project import connection_specs, read_project
from pipelines.server.graphs import Graphs
from tests.pipelines.conftest import write_project
from tests.pipelines.server.conftest import serving, synced_project, until

ASKING = 20
PARTITIONS = [f"2026-11-{day:02}" for day in range(1, 9)]


def put_graph(folder, partition: str) -> None:
    """Stores a graph whose resources all name the partition: `hand/<partition>-<n>`, each feeding the next."""
    from connectors.model import DeclaredLineage, InternalResource, Resource

    project = read_project(folder)
    store = open_store(project.storage)
    writer = SnapshotWriter(None)
    names = [f"{partition}-{number}" for number in range(8)]
    for name in names:
        writer.resource(Resource(entity_type="table", databuilder_id=name, title=name))
    for start, end in pairwise(names):
        ends = [InternalResource(databuilder_id=one) for one in (start, end)]
        writer.declaration(DeclaredLineage(from_identifier=ends[0], to_identifier=ends[1]))
    now = datetime.now(UTC).isoformat()
    header = SnapshotHeader("hand", partition, f"run-{partition}", True, started_at=now, ended_at=now)
    store.snapshots.commit(header, writer.rows())
    build_graph(store, partition, list(connection_specs(project)), run_id=f"run-{partition}")


@pytest.fixture
def folder(tmp_path):
    """A project with one graph, not synced by Dagster."""
    made = write_project(tmp_path / "project")
    put_graph(made, PARTITIONS[0])
    return made


def test_every_answer_is_of_one_graph_while_new_ones_land(folder):
    seen: set[str] = set()
    ended = threading.Event()

    def ask(url: str) -> int:
        answered = 0
        with httpx.Client(base_url=f"{url}/api/v1/", timeout=30) as client:
            while not ended.is_set():
                found = client.get("resources", params={"limit": 1000}).raise_for_status().json()["items"]
                (as_of,) = {one["title"][:10] for one in found}
                assert len(found) == 8
                whole = client.get("lineage/export").raise_for_status().json()
                assert {one["title"][:10] for one in whole["resources"]} == {whole["as_of"]}
                assert {edge["from"].partition("/")[2][:10] for edge in whole["edges"]} == {whole["as_of"]}
                near = client.get(
                    "lineage/downstream", params={"id": f"hand/{PARTITIONS[0]}-0", "as_of": PARTITIONS[0]}
                )
                told = near.raise_for_status().json()
                assert (told["as_of"], len(told["resources"]), len(told["edges"])) == (PARTITIONS[0], 8, 7)
                seen.update((as_of, whole["as_of"]))
                answered += 3
        return answered

    with serving(folder) as url, ThreadPoolExecutor(ASKING) as pool:
        asking = [pool.submit(ask, url) for _ in range(ASKING)]
        try:
            for partition in PARTITIONS[1:5]:
                put_graph(folder, partition)
                until(lambda partition=partition: partition in seen or any(one.done() for one in asking))
        finally:
            ended.set()
        assert all(one.result() for one in asking)
    assert seen >= set(PARTITIONS[:5])


def test_a_new_graph_is_seen_within_two_seconds_and_the_old_one_is_freed(folder):
    store = open_store(read_project(folder).storage)
    graphs = Graphs(store, TableVersion(store.graphs.table.uri), list)
    graphs.look()
    first = weakref.ref(graphs.newest)
    graphs.look()
    assert graphs.newest is first()
    put_graph(folder, PARTITIONS[1])
    graphs.look()
    assert graphs.newest.as_of == PARTITIONS[1]
    gc.collect()
    assert first() is None

    with serving(folder) as url, httpx.Client(base_url=url) as client:
        put_graph(folder, PARTITIONS[2])
        until(lambda: client.get("/readyz").json()["graph"]["as_of"] == PARTITIONS[2], seconds=2)


def test_a_partition_that_is_asked_for_by_many_at_once_is_read_once(folder):
    for partition in PARTITIONS[1:]:
        put_graph(folder, partition)
    store = open_store(read_project(folder).storage)
    graphs = Graphs(store, TableVersion(store.graphs.table.uri), list)
    graphs.look()
    with ThreadPoolExecutor(ASKING) as pool:
        found = list(pool.map(lambda _: graphs._older_reading(PARTITIONS[3]), range(ASKING)))
    assert len({id(one) for one in found}) == 1
    assert found[0].as_of == PARTITIONS[3]
    kept = []
    for partition in PARTITIONS:
        kept.append(weakref.ref(graphs._older_reading(partition)))
    del found
    gc.collect()
    assert len([one for one in kept if one() is not None]) == 4 + 1  # the newest is one of them
    assert graphs._older_reading("2026-11-07") is graphs._older_reading("2026-11-07")
    assert graphs._older_reading("2030-01-01") is graphs.newest
    with pytest.raises(LineageError):
        graphs._older_reading("2020-01-01")


@contextmanager
def gone(folder):
    """Files of the graphs' log that cannot be read."""
    log = folder / ".headwater" / "graphs" / "_delta_log"
    shutil.move(log, folder / "aside")
    log.mkdir()
    (log / "00000000000000000000.json").write_text("no JSON")
    yield
    shutil.rmtree(log)
    shutil.move(folder / "aside", log)


def test_while_the_store_cannot_be_read_the_last_graph_is_served_and_readiness_says_so(folder):
    with serving(folder) as url, httpx.Client(base_url=url) as client:
        with gone(folder):
            until(lambda: client.get("/readyz").status_code == 503, seconds=5)
            told = client.get("/readyz").json()
            assert PARTITIONS[0] in told["detail"]
            assert str(folder) not in str(told)
            assert len(client.get("/api/v1/resources").raise_for_status().json()["items"]) == 8
            assert client.get("/healthz").status_code == 200
            assert "headwater_store_readable 0.0" in client.get("/metrics").text
        until(lambda: client.get("/readyz").status_code == 200, seconds=5)


def test_a_store_that_cannot_be_read_from_the_start_is_tried_again(folder):
    with gone(folder), serving(folder) as url, httpx.Client(base_url=url) as client:
        answer = client.get("/api/v1/resources")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert client.get("/readyz").status_code == 503


def test_requests_are_counted_by_route_and_the_graph_is_told(folder):
    with serving(folder) as url, httpx.Client(base_url=url) as client:
        for path in (
            "resources",
            f"resources/hand%2F{PARTITIONS[0]}-0",
            "resources/none",
            "nothing/a",
            "nothing/b",
        ):
            client.get(f"/api/v1/{path}")
        text = client.get("/metrics").text
    for line in (
        'headwater_http_requests_total{method="GET",route="/api/v1/resources",status="200"} 1.0',
        'headwater_http_requests_total{method="GET",route="/api/v1/resources/{id:path}",status="200"} 1.0',
        'headwater_http_requests_total{method="GET",route="/api/v1/resources/{id:path}",status="404"} 1.0',
        'headwater_http_requests_total{method="GET",route="(none)",status="404"} 2.0',
        'headwater_http_request_seconds_count{method="GET",route="/api/v1/resources"} 1.0',
        f'headwater_graph_info{{as_of="{PARTITIONS[0]}"}} 1.0',
        "headwater_graph_nodes 8.0",
        "headwater_graph_edges 7.0",
        "headwater_graph_unresolved 0.0",
    ):
        assert line in text
    assert "process_resident_memory_bytes" in text
    assert "hand" not in text


def test_a_connection_that_is_added_to_the_file_is_served_and_a_broken_file_is_not(folder):
    with serving(folder) as url, httpx.Client(base_url=url) as client:
        file = folder / "headwater.yaml"
        text = file.read_text()
        file.write_text(text + "  more: {connector: jsonl, config: {resources: ./r.jsonl}}\n")
        until(lambda: client.get("/api/v1/connections/more").status_code == 200, seconds=3)
        file.write_text("connections: [")
        time.sleep(1.5)
        assert client.get("/api/v1/connections/more").status_code == 200


def test_a_project_is_made_and_synced_while_it_is_served(tmp_path, monkeypatch):
    folder = write_project(tmp_path / "project")
    with serving(folder) as url, httpx.Client(base_url=url) as client:
        assert client.get("/readyz").json()["graph"] is None
        shutil.rmtree(folder)
        synced_project(folder)
        until(lambda: client.get("/readyz").json()["graph"], seconds=5)
        assert client.get("/api/v1/resources/main.orders").status_code == 200
