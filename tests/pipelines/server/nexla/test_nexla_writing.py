"""What is made through the Nexla-compatible API is part of the project: it syncs, has runs, and can be changed."""

from __future__ import annotations

import json

import httpx
import pytest
from nexla_sdk.exceptions import NotFoundError, ResourceConflictError, ValidationError
from nexla_sdk.models.credentials.requests import CredentialCreate
from nexla_sdk.models.destinations.requests import DestinationCreate
from nexla_sdk.models.nexsets.requests import NexsetCreate, NexsetUpdate
from nexla_sdk.models.sources.requests import SourceCreate, SourceUpdate

from pipelines.cli.main import run
from pipelines.client import ApiError
from pipelines.project import read_project, resolve_connection
from tests.pipelines.server.conftest import until

SECRET = "pa55-Word-of-the-tests"
RENAMED = {"version": 1, "operations": [{"operation": "rename", "fields": {"id": "order_id"}}]}


@pytest.fixture
def client(own_shop):
    return own_shop.real()


def named(things, name):
    return next(one for one in things if one.name == name)


def test_a_flow_that_is_made_through_the_api_syncs_and_is_measured(own_shop, client):
    folder = own_shop.folder
    source = client.sources.create(
        SourceCreate(
            name="The Second Warehouse",
            source_type="duckdb",
            source_config={"path": "wh.duckdb", "records": ["wh.main.orders"]},
        )
    )
    # Its tables are data sets once they are read, or something is made of them.
    assert source.data_sets == []
    assert run(["--project", str(folder), "sync", "the_second_warehouse"]) == 0
    until(lambda: client.sources.get(source.id).data_sets)
    parent = client.sources.get(source.id).data_sets[0]
    assert client.nexsets.pause(parent.id).status == "PAUSED"
    assert client.nexsets.activate(parent.id).status == "ACTIVE"
    made = client.nexsets.create(
        NexsetCreate(
            name="renamed",
            parent_data_set_id=parent.id,
            has_custom_transform=False,
            transform=RENAMED,
            output_schema_validation_enabled=True,
            output_validation_schema={"properties": {"order_id": {"maximum": 11}}},
        )
    )
    shared = client.transforms.list()[0].id
    other = client.nexsets.create(
        NexsetCreate(
            name="twice", parent_data_set_id=parent.id, has_custom_transform=True, transform_id=shared
        )
    )
    assert other.id in client.transforms.get(shared).data_sets
    sink = own_shop.ours().destinations.create(
        name="as files", sink_type="files", data_set_id=made.id, sink_config={"path": "made", "format": "csv"}
    )
    assert [one.id for one in client.nexsets.get(made.id).data_sinks] == [sink.id]
    assert run(["--project", str(folder), "sync", "the_second_warehouse"]) == 0
    assert sorted((folder / "made").rglob("*.csv"))
    until(
        lambda: (
            own_shop.ours()
            .metrics.get_resource_metrics_by_run("data_sinks", sink.id, groupby="runId")
            .metrics
        )
    )
    rows = own_shop.ours().metrics.get_resource_metrics_by_run("data_sets", made.id, groupby="runId").metrics
    assert [(row.status, row.records, row.errors) for row in rows] == [("WARNING", 2, 1)]
    flow = client.flows.get_by_resource("data_sinks", sink.id)
    assert [node.name for node in flow.flows[0].children] == ["wh.main.orders"]
    assert {one.name for one in flow.flows[0].children[0].children} == {"renamed", "twice"}
    for resource, number in (
        (client.destinations, sink.id),
        (client.nexsets, made.id),
        (client.nexsets, other.id),
    ):
        resource.delete(number)
        with pytest.raises(NotFoundError):
            resource.get(number)
    client.sources.delete(source.id)
    assert "the_second_warehouse" not in read_project(folder).connections


def test_what_is_used_or_stands_in_the_file_stays(own_shop, client):
    tidy, wh = named(client.nexsets.list(), "tidy"), named(client.sources.list(), "wh")
    with pytest.raises(ResourceConflictError, match=r"headwater\.yaml"):
        client.nexsets.delete(tidy.id)
    with pytest.raises(ResourceConflictError):
        client.sources.update(wh.id, SourceUpdate(description="mine"))
    with pytest.raises(ResourceConflictError, match="no schedule"):
        client.sources.pause(wh.id)
    parent = client.nexsets.create(
        NexsetCreate(name="parent", parent_data_set_id=tidy.id, has_custom_transform=False, transform=RENAMED)
    )
    child = client.nexsets.create(
        NexsetCreate(
            name="child",
            parent_data_set_id=parent.id,
            has_custom_transform=False,
            transform={"version": 1, "operations": [{"operation": "filter", "condition": "order_id > 1"}]},
        )
    )
    with pytest.raises(ResourceConflictError, match="child"):
        client.nexsets.delete(parent.id)
    changed = client.nexsets.update(
        child.id,
        NexsetUpdate(
            description="later ones",
            transform={"operations": [{"operation": "filter", "condition": "order_id > 10"}]},
        ),
    )
    assert changed.description == "later ones"
    assert client.nexsets.get(child.id).transform["operations"][0]["condition"] == "order_id > 10"
    copied = client.nexsets.copy(child.id)
    assert (copied.name, copied.copied_from_id, copied.id != child.id) == ("child copy", child.id, True)
    assert client.nexsets.copy(tidy.id).transform_id == tidy.transform_id


@pytest.mark.parametrize(
    "wish",
    [
        {"transform": None},
        {"transform": RENAMED, "transform_id": 1},
        {"transform": {"operations": [{"operation": "explode"}]}},
        {"transform": {"operations": [{"operation": "nexla.custom", "spec": {"script": "cGFzcw=="}}]}},
        {"transform": {"operations": "none"}},
        {
            "transform": {
                "operations": [{"operation": "compute", "expression": "read_text('/etc/passwd')", "as": "x"}]
            }
        },
        {"transform": RENAMED, "parent_data_set_id": 1},
        {"transform": RENAMED, "parent_data_set_id": "1"},
        {"transform": RENAMED, "name": ""},
        {
            "transform": RENAMED,
            "output_schema_validation_enabled": True,
            "output_validation_schema": {"type": "nothing"},
        },
    ],
)
def test_a_data_set_that_cannot_be_is_refused(refusing_shop, refused, wish):
    tidy = named(refusing_shop.ours().nexsets.list(), "tidy")
    answer = refused.post("/data_sets", json={"name": "x", "parent_data_set_id": tidy.id, **wish})
    assert answer.status_code == 400, answer.text
    assert answer.json()["message"]
    assert {name for kind, name in read_project(refusing_shop.folder).overlay if kind == "dataset"} == set()


def test_sources_that_would_run_code_or_leave_the_project_are_refused(own_shop, client, monkeypatch):
    for wish in (
        {"source_type": "./evil.py"},
        {"source_type": "cloudquery", "source_config": {"plugin": "sh"}},
        {"source_type": "nothing_like_it"},
        {"source_type": "sqlite", "source_config": {"path": "/etc/passwd"}},
        {"source_type": "sqlite", "source_config": {"path": "../../x"}},
    ):
        with pytest.raises(ValidationError):
            client.sources.create({"name": "evil", **wish})
    monkeypatch.setenv("A_SECRET_OF_THE_SERVER", SECRET)
    client.sources.create(
        {"name": "curious", "source_type": "sqlite", "source_config": {"path": "${A_SECRET_OF_THE_SERVER}"}}
    )
    resolved = resolve_connection(read_project(own_shop.folder), "curious")
    assert SECRET not in repr(resolved)


def test_secrets_are_given_and_never_shown(own_shop, client, monkeypatch, capfd, caplog):
    made = client.credentials.create(
        CredentialCreate(
            name="login", credentials_type="postgres", credentials={"host": "db.example", "password": SECRET}
        )
    )
    source = client.sources.create(
        SourceCreate(name="pg", source_type="postgres", data_credentials_id=made.id)
    )
    bearer = {"Authorization": f"Bearer {own_shop.key()}"}
    for path in (
        "data_credentials",
        f"data_credentials/{made.id}",
        f"data_sources/{source.id}?expand=1",
        "flows",
    ):
        assert SECRET not in httpx.get(f"{own_shop.url}/{path}", headers=bearer).text
    assert client.credentials.get(made.id).credentials_type == "postgres"
    assert [one.id for one in client.credentials.list(credentials_type="postgres")] == [made.id]
    # Nor when a run uses it: in its log, in Dagster's records, in what it says.
    assert run(["--project", str(own_shop.folder), "sync", "pg"]) == 1
    assert SECRET not in "".join(capfd.readouterr()) + caplog.text
    assert client.sources.get(source.id).run_ids
    for file in own_shop.folder.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file
    with pytest.raises(ResourceConflictError, match="pg"):
        client.credentials.delete(made.id)
    with pytest.raises(ValidationError):
        client.credentials.copy(made.id)
    monkeypatch.delenv("HEADWATER_SECRET_KEY")
    with pytest.raises(ResourceConflictError, match="HEADWATER_SECRET_KEY"):
        client.credentials.create(
            CredentialCreate(name="other", credentials_type="postgres", credentials={"password": "x"})
        )


def test_sources_are_paused_and_activated(own_shop, client):
    made = client.sources.create(
        SourceCreate(name="by hand", source_type="jsonl", source_config={"resources": "r.jsonl"})
    )
    assert client.sources.pause(made.id).status == "PAUSED"
    assert client.sources.get(made.id).status == "PAUSED"
    assert client.sources.activate(made.id).status == "ACTIVE"


@pytest.mark.timeout(400)  # Dagster reads the definitions anew a dozen times
def test_schedules_are_turned_on_and_off_in_dagster(own_shop):
    ours = own_shop.ours()
    made = ours.sources.create(
        name="nightly", source_type="jsonl", source_config={"resources": "r.jsonl", "start.cron": "0 2 * * *"}
    )
    for name in ("nightly", "hand"):
        number = named(ours.sources.list(), name).id
        assert ours.sources.get(number).status == "PAUSED"
        assert ours.sources.activate(number).status == "ACTIVE"
        assert ours.sources.pause(number).status == "PAUSED"
    # It is made known to a Dagster that is running already.
    later = ours.sources.create(
        name="later", source_type="jsonl", source_config={"resources": "r.jsonl", "start.cron": "0 2 * * *"}
    )
    assert ours.sources.activate(later.id).status == "ACTIVE"
    flow = ours.flows.get_by_resource("data_sources", made.id).flows[0]
    assert ours.flows.activate(flow.id).flows[0].status == "ACTIVE"
    with pytest.raises(ApiError, match="no schedule"):
        ours.sources.activate(named(ours.sources.list(), "wh").id)
    # What Dagster remembers of a schedule that is gone turns no other one on.
    config = {"resources": "r.jsonl", "start.cron": "0 2 * * *"}
    ours.sources.delete(later.id)
    later = ours.sources.create(name="later", source_type="jsonl", source_config=config)
    assert later.status == "PAUSED"
    ours.sources.activate(later.id)
    ours.sources.update(later.id, source_config={"resources": "r.jsonl"})
    assert ours.sources.pause(later.id).status == "PAUSED"
    assert ours.sources.update(later.id, source_config=config).status == "PAUSED"
    # One that was activated while it had no schedule has it on once it gets one.
    ours.sources.update(later.id, source_config={"resources": "r.jsonl"})
    assert ours.sources.activate(later.id).status == "ACTIVE"
    assert ours.sources.update(later.id, source_config=config).status == "ACTIVE"


def test_a_destination_wants_a_derived_data_set(own_shop, client):
    detected = named(client.nexsets.list(), "wh.main.orders")
    made = client.credentials.create(
        CredentialCreate(name="c", credentials_type="postgres", credentials={"password": "p"})
    )
    with pytest.raises(ValidationError, match="derive"):
        client.destinations.create(
            DestinationCreate(
                name="x", sink_type="postgres", data_credentials_id=made.id, data_set_id=detected.id
            )
        )


def test_a_destination_keeps_its_id_whatever_it_is_given(own_shop):
    ours = own_shop.ours()
    tidy, joined = (named(ours.nexsets.list(), name).id for name in ("tidy", "joined"))
    config = {"path": "mine", "format": "csv"}
    made = ours.destinations.create(name="mine", sink_type="files", data_set_id=tidy, sink_config=config)
    moved = ours.destinations.update(made.id, data_set_id=joined)
    assert (moved.id, moved.data_set_id) == (made.id, joined)
    assert ours.destinations.get(made.id).data_set_id == joined


def test_what_is_switched_is_answered(own_shop):
    """A sink of the file that is given two datasets is two destinations."""
    file = own_shop.folder / "headwater.yaml"
    whole = json.loads(file.read_text())
    whole["datasets"]["joined"]["sinks"] = ["lake"]
    whole["connections"]["wh"]["schedule"] = "0 2 * * *"
    file.write_text(json.dumps(whole))
    ours = own_shop.ours()
    until(lambda: len([one for one in ours.destinations.list() if one.name.startswith("lake/")]) == 2)
    for one in ours.destinations.list():
        if one.name.startswith("lake/"):
            assert ours.destinations.activate(one.id).id == one.id
