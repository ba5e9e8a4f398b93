"""Who may ask for what: tokens, scopes, addresses, Host headers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import APIRouter, Request

from pipelines.server.access import is_loopback
from pipelines.server.served import requires
from tests.pipelines.server.conftest import serving, token, until

READ, WRITE, PROBES = (
    "/api/v1/connections",
    "/api/v1/edges",
    ("/healthz", "/readyz", "/metrics", "/api/v1/docs"),
)
SOON = datetime.now(UTC) - timedelta(seconds=1)


@pytest.fixture(scope="module")
def headers(served_folder):
    """Of every kind of request, its headers. The tokens are there before any server is."""
    return {
        "none": {},
        "read": token(served_folder, "read"),
        "write": token(served_folder, "write", expires_at=datetime.now(UTC) + timedelta(hours=1)),
        "admin": token(served_folder, "admin"),
        "expired": token(served_folder, "admin", expires_at=SOON),
        "wrong": {"Authorization": "Bearer hw_" + "x" * 43},
        "basic": {"Authorization": "Basic aGVhZDp3YXRlcg=="},
        "empty": {"Authorization": "Bearer"},
    }


@pytest.fixture(scope="module", params=["loopback", "elsewhere", "insecure"])
def bound(request, served_folder, headers):
    """How the server is bound, and a client of it."""
    options = {"loopback": request.param == "loopback", "insecure": request.param == "insecure"}
    with serving(served_folder, **options) as url, httpx.Client(base_url=url) as client:
        yield request.param, client


@pytest.mark.parametrize("who", ["none", "read", "write", "admin", "expired", "wrong", "basic", "empty"])
def test_reading_needs_no_token_on_loopback_and_a_valid_one_elsewhere(bound, headers, who):
    where, client = bound
    answer = client.get(READ, headers=headers[who])
    if who in ("expired", "wrong", "basic", "empty") or (who == "none" and where == "elsewhere"):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    else:
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("who", "status"),
    [
        *(("none", 401), ("expired", 401), ("wrong", 401), ("basic", 401)),
        *(("read", 403), ("write", 404), ("admin", 404)),
    ],
)
def test_writing_needs_a_token_with_the_scope_write_wherever_the_server_is_bound(bound, headers, who, status):
    _, client = bound
    body = {"from": "no such thing", "to": "nor such"}
    assert client.post(WRITE, headers=headers[who], json=body).status_code == status
    assert client.delete(WRITE, headers=headers[who], params=body).status_code == status


def test_probes_and_the_page_need_no_token(bound):
    _, client = bound
    assert [client.get(path).status_code for path in PROBES] == [200] * len(PROBES)
    assert client.head("/healthz").status_code == 200
    assert client.get("/").status_code == 307


def test_what_is_not_there_is_told_to_nobody_who_may_not_read(bound):
    where, client = bound
    assert client.get("/api/v1/nothing").status_code == (401 if where == "elsewhere" else 404)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.1:8090", "[::1]:8090", "LOCALHOST:1"])
def test_local_names_are_answered(bound, host):
    assert bound[1].get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil:80", "", "[::2]"])
def test_a_name_from_elsewhere_is_not_answered_on_loopback_without_a_token(bound, headers, host):
    where, client = bound
    for path in ("/healthz", READ):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == (
            421 if where == "loopback" else 200 if path == "/healthz" else answer.status_code
        )
    assert client.get(READ, headers={"Host": host, **headers["read"]}).status_code == 200


def test_no_other_origin_is_let_in(bound):
    _, client = bound
    answer = client.get("/healthz", headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_new_token_is_known_and_a_revoked_one_is_not_within_two_seconds(served_folder):
    from pipelines.project import read_project
    from pipelines.project.overlay import objects_of
    from pipelines.server.tokens import Tokens

    tokens = Tokens(objects_of(read_project(served_folder)))
    with serving(served_folder, loopback=False) as url, httpx.Client(base_url=url) as client:
        secret, made = tokens.issue("read")
        mine = {"Authorization": f"Bearer {secret}"}
        until(lambda: client.get(READ, headers=mine).status_code == 200, seconds=2)
        tokens.revoke(made.id)
        until(lambda: client.get(READ, headers=mine).status_code == 401, seconds=2)


def test_a_token_ends_when_it_expires(served_folder):
    soon = datetime.now(UTC) + timedelta(seconds=2)
    mine = token(served_folder, "read", expires_at=soon)
    with serving(served_folder, loopback=False) as url, httpx.Client(base_url=url) as client:
        until(lambda: client.get(READ, headers=mine).status_code == 401, seconds=4)


own = APIRouter()


@own.get("/api/v1/admins", dependencies=[requires("admin")])
async def for_admins() -> str:
    return "yes"


@own.get("/own/{name}")
async def with_its_own_keys(request: Request) -> str | None:
    return request.headers.get("authorization")


def test_a_route_can_ask_for_a_larger_scope_and_paths_can_have_keys_of_their_own(served_folder, headers):
    app = serving(served_folder, routers=[own], self_guarded=["/own/"])
    with app as url, httpx.Client(base_url=url) as client:
        statuses = {who: client.get("/api/v1/admins", headers=headers[who]).status_code for who in headers}
        assert {who for who, status in statuses.items() if status == 200} == {"admin"}
        assert {who for who, status in statuses.items() if status == 403} == {"read", "write"}
        assert client.get("/own/x", headers=headers["basic"]).json() == headers["basic"]["Authorization"]


@pytest.mark.parametrize(
    ("host", "local"),
    [
        *(("127.0.0.1", True), ("127.0.0.9", True), ("::1", True), ("[::1]", True), ("localhost", True)),
        *(("0.0.0.0", False), ("::", False), ("", False), ("10.0.0.1", False), ("shop.example", False)),
    ],
)
def test_which_addresses_only_this_machine_reaches(host, local):
    assert is_loopback(host) is local
