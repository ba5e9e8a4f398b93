"""What the API changes: edges by hand, and events that it receives."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime

import httpx
import pytest

from tests.pipelines.server.conftest import serving, sync, token

ORDERS, BOARD = "app/app.main.orders", "hand/revenue"


@pytest.fixture
def mine(served_folder, tmp_path):
    """The synced project in a folder of its own."""
    return shutil.copytree(served_folder, tmp_path / "project")


@pytest.fixture
def client(mine):
    headers = token(mine, "write")
    with serving(mine) as url, httpx.Client(base_url=f"{url}/api/v1/", headers=headers, timeout=30) as made:
        yield made


def test_an_edge_by_hand_is_shown_when_it_is_added_and_gone_when_it_is_removed(client):
    ends = {"from": "main.customers", "to": "revenue"}
    assert client.get("lineage/explain", params=ends).json()["edges"] == []
    made = client.post("edges", json={**ends, "note": "the finance team says so"})
    assert made.status_code == 201
    assert made.json() == {
        "from": "app/app.main.customers",
        "to": BOARD,
        "note": "the finance team says so",
        "as_of": f"{datetime.now(UTC):%Y-%m-%d}",
    }
    (edge,) = client.get("lineage/explain", params=ends).json()["edges"]
    (why,) = edge["provenance"]
    assert (why["origin"], why["location"]) == ("manual", "the finance team says so")
    again = client.post("edges", json=ends)
    assert again.status_code == 409
    assert "already" in again.json()["detail"]
    assert client.delete("edges", params=ends).status_code == 204
    assert client.get("lineage/explain", params=ends).json()["edges"] == []
    assert client.delete("edges", params=ends).status_code == 404


EVENT = {
    "eventTime": datetime.now(UTC).isoformat(),
    "eventType": "COMPLETE",
    "producer": "https://example.com/job",
    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    "run": {"runId": "3f5e83fa-3480-44ff-99c5-ff943904e5e8"},
    "job": {"namespace": "jobs", "name": "nightly"},
    "inputs": [{"namespace": "postgres://shop:5432", "name": "shop.public.orders"}],
    "outputs": [{"namespace": "postgres://shop:5432", "name": "shop.public.report"}],
}


def test_received_events_are_lineage_after_the_next_sync(client, mine):
    assert client.post("lineage", json=EVENT).json() == {"received": 1, "connection": "events"}
    other = {**EVENT, "job": {"namespace": "jobs", "name": "hourly"}}
    assert (
        client.post("lineage", json=[EVENT, other], params={"connection": "events"}).json()["received"] == 2
    )
    (file,) = (mine / "events").glob("received-*.jsonl")
    assert [json.loads(line) for line in file.read_text().splitlines()] == [EVENT, EVENT, other]
    sync(mine)
    graph = client.get("lineage/export", params={"as_of": f"{datetime.now(UTC):%Y-%m-%d}"}).json()
    (edge,) = [one for one in graph["edges"] if one["to"].endswith("report")]
    assert {why["origin"] for why in edge["provenance"]} == {"openlineage"}


def test_openlineages_own_client_can_send_to_it(client, mine):
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import InputDataset, Job, Run, RunEvent, RunState
    from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport

    secret = client.headers["authorization"].removeprefix("Bearer ")
    config = HttpConfig(
        url=str(client.base_url).removesuffix("/api/v1/"), auth=ApiKeyTokenProvider({"apiKey": secret})
    )
    sender = OpenLineageClient(transport=HttpTransport(config))
    sender.emit(
        RunEvent(
            eventType=RunState.COMPLETE,
            eventTime=datetime.now(UTC).isoformat(),
            run=Run(runId="3f5e83fa-3480-44ff-99c5-ff943904e5e8"),
            job=Job(namespace="jobs", name="nightly"),
            producer="https://example.com/job",
            inputs=[InputDataset(namespace="n", name="a.b.c")],
        )
    )
    (file,) = (mine / "events").glob("received-*.jsonl")
    assert json.loads(file.read_text())["job"]["name"] == "nightly"


@pytest.mark.parametrize(
    ("content", "headers", "status", "said"),
    [
        (b"{", {}, 422, "not JSON"),
        (b"{}", {}, 422, "event 0"),
        (json.dumps([EVENT, {"job": {}}]).encode(), {}, 422, "event 1"),
        (b"1", {}, 422, "event 0"),
        (b"a=b", {"content-type": "application/x-www-form-urlencoded"}, 415, "application/json"),
        (b"\x1f\x8b", {"content-encoding": "gzip"}, 415, "compressed"),
    ],
)
def test_what_is_no_event_is_refused_and_nothing_of_it_kept(client, mine, content, headers, status, said):
    answer = client.post("lineage", content=content, headers={"content-type": "application/json", **headers})
    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert not list((mine / "events").glob("received-*"))


def test_where_no_connection_reads_events_it_says_how_to_add_one(mine):
    file = mine / "headwater.yaml"
    text = file.read_text()
    file.write_text(text.replace("connector: openlineage\n    config: {path: ./events}", "connector: jsonl"))
    headers = token(mine, "write")
    with serving(mine) as url:
        answer = httpx.post(f"{url}/api/v1/lineage", json=EVENT, headers=headers)
    assert answer.status_code == 409
    assert "connector: openlineage" in answer.json()["hint"]


@pytest.mark.parametrize(("path", "file"), [("./one.jsonl", "one.jsonl"), ("./new", None)])
def test_events_go_to_the_file_or_the_folder_that_the_connection_reads(mine, path, file):
    text = (mine / "headwater.yaml").read_text()
    (mine / "headwater.yaml").write_text(text.replace("path: ./events", f"path: {path}"))
    headers = token(mine, "write")
    with serving(mine) as url:
        assert httpx.post(f"{url}/api/v1/lineage", json=EVENT, headers=headers).status_code == 201
    kept = mine / file if file else next((mine / "new").glob("received-*.jsonl"))
    assert json.loads(kept.read_text()) == EVENT


def test_a_pattern_of_files_and_several_connections_are_no_place_for_events(mine):
    text = (mine / "headwater.yaml").read_text()
    headers = token(mine, "write")
    two = text + "  others: {connector: openlineage, config: {path: './x/*.jsonl'}}\n"
    (mine / "headwater.yaml").write_text(two)
    with serving(mine) as url:
        several = httpx.post(f"{url}/api/v1/lineage", json=EVENT, headers=headers)
        assert (several.status_code, several.json()["detail"]) == (
            409,
            "events and others read OpenLineage events",
        )
        pattern = httpx.post(f"{url}/api/v1/lineage?connection=others", json=EVENT, headers=headers)
        assert (pattern.status_code, "pattern" in pattern.json()["detail"]) == (409, True)
