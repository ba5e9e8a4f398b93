"""Every kind of error, as application/problem+json."""

from __future__ import annotations

import httpx
import pytest
from fastapi import APIRouter

from connectors.errors import ConfigError, RunError, StoreError
from pipelines.server.gate import MAX_BODY_BYTES
from pipelines.server.routes import ROUTERS
from tests.pipelines.server.conftest import SECRET, serving, token

broken = APIRouter()
ERRORS = {
    "config": (409, ConfigError("it is set wrongly", hint="set it")),
    "run": (409, RunError("the run was refused")),
    "store": (503, StoreError("the store cannot be read")),
    "bug": (500, KeyError(SECRET)),
}


@broken.get("/api/v1/raise/{name}")
async def fail(name: str) -> None:
    raise ERRORS[name][1]


@pytest.fixture(scope="module")
def client(served_folder):
    mine = token(served_folder, "write")
    app = serving(served_folder, routers=[*ROUTERS, broken])
    with app as url, httpx.Client(base_url=f"{url}/api/v1/", headers=mine) as made:
        yield made


def check(answer: httpx.Response, status: int) -> dict[str, object]:
    told = answer.json()
    assert answer.status_code == told["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert told["title"]
    assert told["detail"]
    assert told["instance"] == answer.request.url.path
    return told


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("resources/nothing-like-it", 404, "nothing-like-it"),
        ("lineage/upstream?id=nothing-like-it", 404, "nothing-like-it"),
        ("resources/id", 409, "app/app.main.orders.id"),
        ("lineage/downstream?id=.id&level=schema", 409, "could be"),
        ("lineage/impact?id=main.orders&id=.id", 409, "app/app.main.customers.id"),
        ("resources?limit=0", 422, "limit"),
        ("resources?limit=x", 422, "limit"),
        ("resources?limit=1001", 422, "limit"),
        ("resources?limit=1&limit=2", 422, "twice"),
        ("resources?cursor=none", 422, "cursor"),
        ("resources?q=nofield:x", 422, "nofield"),
        ("unresolved?cursor=WyJhIl0", 422, "cursor"),
        ("unresolved?reason=bad", 422, "reason"),
        ("lineage/upstream", 422, "id"),
        ("lineage/upstream?id=", 422, "id"),
        ("lineage/upstream?id=x&depth=0", 422, "depth"),
        ("lineage/upstream?id=x&dept=1", 422, "dept"),
        ("lineage/upstream?id=x&columns=yes", 422, "columns"),
        ("lineage/upstream?id=x&columns=true&level=schema", 422, "level"),
        ("lineage/upstream?id=x&as_of=yesterday", 422, "as_of"),
        ("lineage/diff?before=2026-01-01", 422, "after"),
        ("nothing", 404, "/api/v1/nothing"),
        ("raise/config", 409, "it is set wrongly"),
        ("raise/run", 409, "refused"),
        ("raise/store", 503, "store"),
    ],
)
def test_an_error_says_what_is_wrong(client, path, status, said):
    told = check(client.get(path), status)
    assert said in told["detail"]


def test_a_method_that_is_not_answered(client):
    answer = client.put("connections")
    check(answer, 405)
    assert answer.headers["allow"] == "GET"


def test_a_hint_stands_beside_the_detail(client):
    assert check(client.get("raise/config"), 409)["hint"] == "set it"


def test_an_unexpected_error_tells_nothing_but_where_to_look(client, caplog):
    answer = client.get("raise/bug", headers={"X-Request-Id": "mine-1"})
    told = check(answer, 500)
    assert answer.headers["x-request-id"] == "mine-1"
    assert "mine-1" in str(told["detail"])
    assert SECRET not in answer.text
    assert "KeyError" not in answer.text
    assert "request mine-1" in caplog.text


def test_a_request_id_that_could_forge_the_log_is_not_taken(client):
    answer = client.get("connections", headers={"X-Request-Id": "a b" * 40})
    assert len(answer.headers["x-request-id"]) == 16


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("path", ["lineage", "edges"])
def test_a_body_that_is_too_large(client, path, chunked):
    text = b'{"from": "' + b"x" * MAX_BODY_BYTES + b'"}'
    body = iter([text[:1000], text[1000:]]) if chunked else text
    answer = client.post(path, content=body, headers={"content-type": "application/json"})
    check(answer, 413)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        *((b"", 422), (b"{", 422), (b"[]", 422), (b'{"from": "a"}', 422), (b'{"from": "a", "to": 1}', 422)),
        *((b'{"from": "main.orders", "to": "revenue", "more": 1}', 422), (b'{"from": "a", "to": "b"}', 404)),
        *((b'{"from": "main.orders", "to": "main.orders"}', 422), (b'{"from": ".id", "to": "revenue"}', 409)),
    ],
)
def test_an_edge_that_cannot_be_added(client, body, status):
    check(client.post("edges", content=body, headers={"content-type": "application/json"}), status)


def test_an_edge_that_nobody_added_cannot_be_removed(client):
    told = check(client.delete("edges", params={"from": "main.orders", "to": "main.summary"}), 404)
    assert "by hand" in told["detail"]
