"""What the API answers: the same as the command line, in pages where there may be much."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lineage import open_store
from pipelines.cli.main import run
from pipelines.project import read_project
from tests.contract.test_cli_json import EDGE, PROVENANCE, UNRESOLVED
from tests.contract.test_cli_json import RESOURCE as RESOURCE_KEYS
from tests.pipelines.server.conftest import SECRET

ORDERS, SUMMARY, BOARD = "app/app.main.orders", "app/app.main.summary", "hand/revenue"
AMOUNT = f"{ORDERS}.amount"


def today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


@pytest.fixture
def command(served_folder, capfdbinary, monkeypatch):
    """The JSON of a command line."""
    monkeypatch.setenv("DAGSTER_HOME", str(served_folder / "home"))

    def ask(*arguments: str):
        capfdbinary.readouterr()
        run(["--project", str(served_folder), *arguments])
        return json.loads(capfdbinary.readouterr().out)

    return ask


def pages(api: httpx.Client, path: str, **parameters):
    cursor, found = None, []
    while True:
        given = {**parameters, **({"cursor": cursor} if cursor else {})}
        page = api.get(path, params=given).raise_for_status().json()
        assert page.keys() == {"items", "next_cursor"}
        assert len(page["items"]) <= parameters.get("limit", 100)
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_a_resource_is_found_by_its_id_by_its_ending_and_with_odd_characters(api):
    whole = api.get(f"resources/{ORDERS}")
    assert whole.status_code == 200
    assert whole.json().keys() >= RESOURCE_KEYS
    assert api.get("resources/main.orders").json() == whole.json()
    assert api.get("resources/app%2Fapp%2Emain%2Eorders").json() == whole.json()
    assert api.get("resources/none%3F%23%20such").status_code == 404


def test_what_is_found_is_what_the_command_finds(api, command):
    found = api.get("resources", params={"q": "orders type:table"}).json()
    assert found["items"] == command("find", "orders", "type:table", "--json")
    assert found["next_cursor"] is None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    limit=st.integers(1, 40), words=st.sampled_from([None, "o", "type:column", "main", "orders customers"])
)
def test_pages_of_any_size_together_are_the_whole(api, served_folder, limit, words):
    graph = open_store(read_project(served_folder).storage).graph()
    whole = graph.find(words.split()) if words else graph.resources()
    assert pages(api, "resources", limit=limit, **({"q": words} if words else {})) == whole
    unresolved = pages(api, "unresolved", limit=limit)
    assert sorted(map(str, unresolved)) == sorted(map(str, graph.unresolved()))
    assert [one["name"] for one in pages(api, "connections", limit=limit)] == [
        *("app", "events", "hand", "scripts", "shop_api"),
    ]


def test_a_page_goes_on_where_the_last_one_ended_though_its_last_item_is_gone(api):
    first = api.get("resources", params={"limit": 3}).json()
    rest = pages(api, "resources")[3:]
    made_up = pages_after(api, ("app/app.main.customers.a-column-that-went",))
    assert [one["id"] for one in rest] == [one["id"] for one in pages_after_cursor(api, first["next_cursor"])]
    assert all(one["id"] > "app/app.main.customers.a" for one in made_up)


def pages_after(api, place):
    from pipelines.server.paging import write_cursor

    return pages_after_cursor(api, write_cursor(place))


def pages_after_cursor(api, cursor):
    return api.get("resources", params={"cursor": cursor, "limit": 1000}).json()["items"]


@pytest.mark.parametrize("direction", ["upstream", "downstream"])
@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ((), {}),
        (("--depth", "1"), {"depth": 1}),
        (("--columns",), {"columns": "true"}),
        (("--level", "schema"), {"level": "schema"}),
        (("--level", "connection"), {"level": "connection"}),
    ],
    ids=str,
)
def test_what_is_reached_is_what_the_command_tells(api, command, direction, options, parameters):
    found = api.get(f"lineage/{direction}", params={"id": SUMMARY, **parameters}).json()
    assert found == command("lineage", direction, SUMMARY, *options, "--json")


def test_a_path_and_why_an_edge_exists_are_what_the_commands_tell(api, command):
    path = api.get("lineage/path", params={"from": AMOUNT, "to": BOARD}).json()
    assert path == command("lineage", "path", AMOUNT, BOARD, "--json")
    reasons = api.get("lineage/explain", params={"from": ORDERS, "to": SUMMARY}).json()
    assert reasons["edges"] == command("lineage", "explain", ORDERS, SUMMARY, "--json")
    assert all(edge.keys() == EDGE for edge in reasons["edges"])
    assert all(why.keys() == PROVENANCE for edge in reasons["edges"] for why in edge["provenance"])
    none = api.get("lineage/path", params={"from": BOARD, "to": ORDERS})
    assert (none.status_code, none.json()["edges"]) == (200, [])


def test_impact_diff_and_export_are_what_the_commands_tell(api, command):
    ids = [ORDERS, AMOUNT]
    assert api.get("lineage/impact", params={"id": ids}).json() == command(
        "lineage", "impact", *ids, "--json"
    )
    sides = {"before": today(), "after": today()}
    assert api.get("lineage/diff", params=sides).json() == command(
        "lineage", "diff", today(), today(), "--json"
    )
    whole = command("lineage", "export")
    answered = api.get("lineage/export").json()
    assert answered.keys() == whole.keys()
    for part in ("as_of", "partitions", "resources", "edges"):
        assert answered[part] == whole[part]
    assert sorted(map(str, answered["unresolved"])) == sorted(map(str, whole["unresolved"]))
    near = api.get("lineage/export", params={"focus": SUMMARY, "depth": 1}).json()
    assert near == command("lineage", "export", "--focus", SUMMARY, "--depth", "1")


def test_a_graph_can_be_asked_for_by_its_partition(api):
    now = api.get("lineage/upstream", params={"id": BOARD})
    then = api.get("lineage/upstream", params={"id": BOARD, "as_of": today()})
    assert then.json() == now.json()
    before = api.get("lineage/upstream", params={"id": BOARD, "as_of": "2000-01-01"})
    assert (before.status_code, before.json()["hint"]) == (404, "run `headwater sync`")


def test_what_did_not_resolve_can_be_asked_for_by_connection_and_by_reason(api):
    whole = api.get("unresolved").json()["items"]
    assert all(one.keys() >= UNRESOLVED for one in whole)
    assert {one["connection"] for one in whole} == {"hand", "scripts"}
    hand = api.get("unresolved", params={"connection": "hand", "reason": "not_found"}).json()["items"]
    assert [one["reference"]["table"] for one in hand] == ["sumary"]


def test_connections_tell_what_they_are_and_nothing_of_their_configuration(api):
    app = api.get("connections/app").json()
    assert app == {
        "name": "app",
        "connector": "sqlite",
        "instance": "app",
        "schedule": "15 * * * *",
        "last_partition": today(),
        "run_id": app["run_id"],
        "unresolved": 0,
        "resources": app["resources"],
    }
    assert app["resources"] > 3
    assert api.get("connections/nope").status_code == 404


def test_no_answer_holds_a_secret_or_a_configured_value(address, served_folder):
    with httpx.Client(base_url=address) as client:
        paths = ["/", "/healthz", "/readyz", "/metrics", "/api/v1/docs", "/api/v1/openapi.json"]
        paths += [f"/api/v1/{p}" for p in ("connections", "connections/shop_api", "resources?limit=1000")]
        paths += ["/api/v1/unresolved", "/api/v1/lineage/export", "/api/v1/connections/" + SECRET[:4]]
        for path in paths:
            text = client.get(path, follow_redirects=True).text
            assert SECRET not in text
            assert "from-the-config" not in text
            assert str(served_folder) not in text


def test_the_page_of_the_api_needs_nothing_from_elsewhere_and_lists_every_operation(address):
    with httpx.Client(base_url=address) as client:
        assert client.get("/").headers["location"] == "/api/v1/docs"
        page = client.get("/api/v1/docs")
        told = client.get("/api/v1/openapi.json").json()
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "//" not in page.text.replace("http://127.0.0.1", "")
    operations = [one for path in told["paths"].values() for one in path.values()]
    assert len(operations) > 15
    for operation in operations:
        assert operation["operationId"]
        assert f"{operation['summary']}</summary>" in page.text
