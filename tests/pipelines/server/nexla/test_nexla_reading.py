"""Nexla's own client, and plain requests, read a project from the Nexla-compatible API."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime

import httpx
import pytest
from nexla_sdk import NexlaClient
from nexla_sdk.exceptions import AuthenticationError, AuthorizationError, NotFoundError, ValidationError
from nexla_sdk.models.destinations.enums import DestinationType
from nexla_sdk.models.nexsets.requests import NexsetCreate

from pipelines.project import read_project
from pipelines.project.overlay import objects_of
from pipelines.server.nexla.shapes import _KNOWN_SINKS
from pipelines.server.tokens import Tokens


@pytest.fixture(scope="module")
def client(shop):
    return shop.real()


@pytest.fixture(scope="module")
def plain(shop):
    with httpx.Client(
        base_url=shop.url, headers={"Authorization": f"Bearer {shop.key()}"}, timeout=30
    ) as made:
        yield made


@pytest.fixture(scope="module")
def tidy(client):
    return next(one for one in client.nexsets.list() if one.name == "tidy")


def test_a_source_has_its_tables_and_a_data_set_its_destinations(client, tidy):
    wh = next(one for one in client.sources.list() if one.name == "wh")
    assert [one.name for one in wh.data_sets] == ["wh.main.customers", "wh.main.orders"]
    assert wh.source_type == "duckdb"
    assert {sink.name: sink.sink_type for sink in tidy.data_sinks} == {"lake/tidy": None, "files/tidy": None}
    files = next(one for one in client.destinations.list() if one.name == "files/tidy")
    assert (files.sink_type, files.sink_format, files.data_set.name) == ("files", "csv", "tidy")
    joined = next(one for one in client.nexsets.list() if one.name == "joined")
    assert [one.name for one in joined.parent_data_sets] == ["tidy", "wh.main.customers"]
    assert joined.transform["operations"][0]["operation"] == "sql"
    assert tidy.output_schema["properties"]["twice"] == {"type": "number"}
    assert tidy.output_validation_schema["properties"] == {"amount": {"minimum": 3}}


def test_every_kind_of_sink_that_the_client_is_told_is_one_it_knows():
    assert {one.value for one in DestinationType} >= _KNOWN_SINKS


def test_pages_tell_of_the_others_and_end(plain):
    whole = plain.get("/data_sets").json()
    first = plain.get("/data_sets", params={"page": 1, "per_page": 3})
    second = plain.get("/data_sets", params={"page": 2, "per_page": 3})
    assert first.json() + second.json() == whole
    assert (first.headers["X-Total-Count"], first.headers["X-Page-Count"]) == (str(len(whole)), "2")
    assert {one["rel"] for one in first.links.values()} == {"next", "last"}
    assert httpx.URL(second.links["prev"]["url"]).params["page"] == "1"
    assert plain.get("/data_sets", params={"page": 3, "per_page": 3}).json() == []
    for wrong in ({"page": "x"}, {"page": 0}, {"per_page": -1}, {"per_page": "1e3"}):
        refused = plain.get("/data_sets", params=wrong)
        assert refused.status_code == 400
        assert refused.json()["message"] == refused.json()["error"]


def test_samples_mask_what_is_personal(client, tidy):
    rows = client.nexsets.get_samples(tidy.id, count=2)
    assert len(rows) == 2
    assert {row.raw_message["code"] for row in rows} == {"masked"}
    orders = next(one for one in client.nexsets.list() if one.name == "wh.main.orders")
    assert {row.raw_message["code"] for row in client.nexsets.get_samples(orders.id)} == {"masked"}
    told = client.nexsets.get_samples(tidy.id, count=1, include_metadata=True)[0].nexla_metadata
    assert told["resourceId"] == tidy.id
    assert client.nexsets.get_samples(tidy.id, count=0) == []


def test_metrics_come_in_pages_and_by_day(client, tidy):
    runs = client.metrics.get_resource_metrics_by_run("data_sets", tidy.id, groupby="runId").metrics["data"]
    assert [row["records"] for row in runs] == [2, 2]
    assert [row["errors"] for row in runs] == [1, 1]
    assert runs[0]["runId"] > runs[1]["runId"]
    second = client.metrics.get_resource_metrics_by_run("data_sets", tidy.id, groupby="runId", page=2, size=1)
    assert second.metrics["data"] == runs[1:]
    assert second.metrics["meta"] == {"currentPage": 2, "pageCount": 2, "totalCount": 2}
    together = client.metrics.get_resource_metrics_by_run("data_sets", tidy.id).metrics["data"]
    assert [(row["records"], "runId" in row) for row in together] == [(4, False)]
    days = client.metrics.get_resource_daily_metrics("data_sets", tidy.id, "2026-01-01").metrics
    assert sum(row["records"] for row in days) == 4
    for kind, resource in (
        ("data_sinks", tidy.data_sinks[0].id),
        ("data_sources", client.sources.list()[0].id),
    ):
        assert client.metrics.get_resource_daily_metrics(kind, resource, "2026-01-01").metrics


def test_flows_are_trees_and_tell_of_their_runs(client, plain, tidy):
    flow = client.flows.get_by_resource("data_sets", tidy.id)
    root = flow.flows[0]
    assert root.name == "wh"
    health = client.flows.get_flow_health(root.id)["metrics"]
    assert (health["health"], health["status"]) == ("YELLOW", "WARNING")
    status = client.flows.get_run_status(root.id, health["run_id"])
    assert status["status"] == "WARNING"
    assert [one.name for one in flow.data_sources] == ["wh"]
    by_run = client.metrics.get_flow_metrics("data_sets", tidy.id, "2026-01-01", groupby="runId").metrics.data
    assert set(by_run) == {str(run.id) for run in client.sources.get(root.data_source_id).run_ids}
    # Both of the vendor's ways to say it.
    way = f"/data_flows/data_sets/{tidy.id}/metrics"
    assert (
        plain.get(way, params={"from": "2026-01-01", "groupby": "runId"}).json()["metrics"]["data"] == by_run
    )
    hand = next(one for one in client.flows.list(flows_only=True)[0].flows if one.name == "hand")
    assert client.flows.get_flow_health(hand.id)["metrics"]["health"] == "GREEN"
    assert plain.get(f"/flows/{hand.id}/run_status/1").status_code == 404


def test_logs_tell_what_a_run_did_and_wrote(client, plain, tidy):
    run = client.metrics.get_resource_metrics_by_run("data_sets", tidy.id, groupby="runId").metrics["data"][
        0
    ]["runId"]
    logs = client.metrics.get_flow_logs("data_sets", tidy.id, run_id=run, from_ts=run, per_page=1000)
    summaries = {one.resource_id: one.message for one in logs.logs if one.log_type == "SUMMARY"}
    assert "records=2, errors=1" in summaries[tidy.id]
    assert any("Finished execution of run" in one.message for one in logs.logs)
    assert logs.meta.total_count == len(logs.logs)
    flow = client.flows.get_by_resource("data_sets", tidy.id).flows[0].id
    day = datetime.fromtimestamp(run / 1000, UTC).date().isoformat()
    asked = {"from": int(datetime.fromisoformat(day).timestamp()), "run_id": run, "severity": "WARNING"}
    found = plain.get(f"/flows/{flow}/logs", params=asked).json()["logs"]["data"]
    assert {one["severity"] for one in found} == {"WARNING"}
    assert plain.get(f"/flows/{flow}/logs", params={"from": "2100-01-01"}).json()["logs"]["data"] == []


def test_errors_are_those_that_the_client_knows(shop, client):
    with pytest.raises(NotFoundError):
        client.nexsets.get(1)
    with pytest.raises(AuthenticationError):
        NexlaClient(service_key="hw_wrong", base_url=shop.url).sources.list()
    with pytest.raises(AuthorizationError):
        shop.real("read").sources.delete(client.sources.list()[0].id)
    with pytest.raises(ValidationError):
        client.nexsets.create(NexsetCreate(name="x", parent_data_set_id=1, has_custom_transform=False))
    assert httpx.get(f"{shop.url}/data_sources").status_code == 401
    assert httpx.get(f"{shop.url}/nothing/here", headers={"Authorization": "Bearer x"}).status_code == 404


def test_access_tokens_end_with_a_logout_and_with_their_key(shop):
    key = shop.key("read")
    basic = {"Authorization": f"Basic {key}"}
    given = httpx.post(f"{shop.url}/token", headers=basic).json()
    assert given["expires_in"] > 3600
    bearer = {"Authorization": f"Bearer {given['access_token']}"}
    assert httpx.get(f"{shop.url}/data_sources", headers=bearer).status_code == 200
    assert httpx.post(f"{shop.url}/token/logout", headers=bearer).status_code == 200
    assert httpx.get(f"{shop.url}/data_sources", headers=bearer).status_code == 401
    other = httpx.post(f"{shop.url}/token", headers=basic).json()["access_token"]
    bearer = {"Authorization": f"Bearer {other}"}
    for forged in (
        other[:-1] + ("0" if other[-1] != "0" else "1"),
        other.replace(".", "-", 1),
        "hwa....",
        "hwa.a.b.c.d",
    ):
        refused = httpx.get(f"{shop.url}/data_sources", headers={"Authorization": f"Bearer {forged}"})
        assert refused.status_code == 401
    tokens = Tokens(objects_of(read_project(shop.folder)))
    tokens.revoke(next(one.id for one in tokens.list() if one.id == other.split(".")[1]))
    deadline = time.monotonic() + 5
    while httpx.get(f"{shop.url}/data_sources", headers=bearer).status_code != 401:
        assert time.monotonic() < deadline


def test_ids_are_the_same_in_another_process(shop, client):
    program = (
        "import sys; from pathlib import Path; from pipelines.project import read_project; "
        "from pipelines.server.nexla.estate import Estate; "
        "print(sorted(Estate(read_project(Path(sys.argv[1])), {}).sets))"
    )
    said = subprocess.check_output([sys.executable, "-c", program, str(shop.folder)], text=True)
    assert said.strip() == str(sorted(one.id for one in client.nexsets.list()))
