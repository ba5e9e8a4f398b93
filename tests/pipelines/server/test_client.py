"""`HeadwaterClient` against a real server."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from connectors.errors import ConfigError, HeadwaterError
from lineage import open_store
from pipelines.client import ApiError, HeadwaterClient
from pipelines.project import read_project
from tests.pipelines.server.conftest import serving, token

ORDERS, SUMMARY, BOARD = "app/app.main.orders", "app/app.main.summary", "hand/revenue"


@pytest.fixture(scope="module")
def client(address):
    with HeadwaterClient(address) as made:
        yield made


@pytest.fixture(scope="module")
def graph(served_folder):
    return open_store(read_project(served_folder).storage).graph()


def test_resources_are_found_got_and_gone_through(client, graph):
    assert client.resources.find("orders", limit=3) == graph.find(["orders"])[:3]
    assert client.resources.get("main.orders") == graph.resource(ORDERS)
    assert list(client.resources.iterate()) == graph.resources()
    assert list(client.resources.iterate("type:column", as_of=graph.as_of)) == graph.find(["type:column"])


def test_the_graph_can_be_asked(client, graph):
    up = client.lineage.upstream(BOARD, depth=1)
    assert {one["id"]: one["distance"] for one in up["resources"]} == dict(graph.upstream(BOARD, 1).distances)
    assert (
        client.lineage.downstream(ORDERS, columns=True)["edges"]
        == graph.downstream(ORDERS, columns=True).edges
    )
    assert client.lineage.upstream(BOARD, level="connection")["level"] == "connection"
    assert client.lineage.path(ORDERS, BOARD)["edges"] == graph.path(ORDERS, BOARD)
    assert client.lineage.explain(ORDERS, SUMMARY)["edges"] == graph.explain(ORDERS, SUMMARY)
    assert client.lineage.impact(ORDERS, SUMMARY)["changed"] == [ORDERS, SUMMARY]
    assert client.lineage.diff(graph.as_of, graph.as_of)["broken"] == []
    assert client.lineage.export()["resources"] == graph.resources()
    assert client.lineage.export(focus=SUMMARY, depth=1) == graph.around(SUMMARY, 1)
    assert len(client.unresolved.list(limit=2)) == 2
    assert len(list(client.unresolved.iterate())) == len(graph.unresolved())
    assert {one["reason"] for one in client.unresolved.list(connection="hand", reason="not_found")} == {
        "not_found"
    }
    assert [one["name"] for one in client.connections.list()] == [
        "app",
        "events",
        "hand",
        "scripts",
        "shop_api",
    ]
    assert client.connections.get("app")["connector"] == "sqlite"


def test_edges_are_added_and_removed_with_a_token(served_folder, tmp_path):
    folder = shutil.copytree(served_folder, tmp_path / "project")
    secret = token(folder, "write")["Authorization"].removeprefix("Bearer ")
    with serving(folder) as url, HeadwaterClient(url, secret) as client:
        made = client.edges.add("main.customers", BOARD, note="so it is")
        assert (made["from"], made["note"]) == ("app/app.main.customers", "so it is")
        assert client.lineage.path("main.customers", BOARD)["edges"]
        client.edges.remove("main.customers", BOARD)
        event = {"eventTime": "2026-11-20T00:00:00Z", "job": {"namespace": "n", "name": "j"}}
        assert client.lineage.receive([event])["received"] == 1
        with pytest.raises(ApiError) as raised:
            client.edges.remove("main.customers", BOARD)
        assert raised.value.status == 404


def test_an_error_carries_status_and_hint(client):
    for ask, status in (
        (lambda: client.resources.get("no/such/../thing"), 404),
        (lambda: client.resources.get("id"), 409),
        (lambda: client.edges.add(ORDERS, BOARD), 401),
        (lambda: client.resources.find("x", limit=0), 422),
    ):
        with pytest.raises(HeadwaterError) as raised:
            ask()
        assert isinstance(raised.value, ApiError)
        assert raised.value.status == status
    with pytest.raises(ApiError) as raised:
        client.resources.get("id")
    assert raised.value.hint == "give more of the id"


def test_a_server_that_is_not_there_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = HeadwaterClient(f"http://127.0.0.1:{port}", "hw_not-to-be-shown", timeout=1)
    with client, pytest.raises(ApiError) as raised:
        client.edges.add("a", "b")
    assert raised.value.status is None
    assert "hw_not-to-be-shown" not in repr(raised.value) + str(raised.value)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        *(("127.0.0.1:8090", None), ("ftp://127.0.0.1", None), ("http://", None), ("http://[::1", None)),
        *(("http://127.0.0.1:99999", None), ("http://me:hidden@127.0.0.1:abc", None)),
        *(("http://127.0.0.1:8090", "hidden-ü"), ("http://127.0.0.1:8090", "hidden\n")),
    ],
)
def test_an_address_or_a_token_that_is_none_is_told_before_anything_is_asked(address, key):
    with pytest.raises(ConfigError) as raised:
        HeadwaterClient(address, key)
    assert "hidden" not in str(raised.value)


ANSWERS = {
    "503": b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "reset": b"",
}
GOOD = b'HTTP/1.1 200 OK\r\nContent-Length: 34\r\nConnection: close\r\n\r\n{"items": [], "next_cursor": null}'


@contextmanager
def answering(answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """A server that gives raw bytes for what it is sent, and then closes the connection."""

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.sendall(answer(connection.recv(65536)))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("fault", ANSWERS)
def test_a_read_is_tried_again_and_a_write_is_not(fault):
    asked: list[bytes] = []

    def answer(request: bytes) -> bytes:
        asked.append(request.partition(b" ")[0])
        return GOOD if asked.count(b"GET") > 2 else ANSWERS[fault]

    with answering(answer) as url, HeadwaterClient(url, timeout=5) as client:
        with pytest.raises(ApiError) as raised:
            client.edges.add("a", "b")
        assert raised.value.status == (503 if fault == "503" else None)
        assert asked == [b"POST"]
        assert client.unresolved.list() == []
        assert asked == [b"POST", b"GET", b"GET", b"GET"]


@pytest.mark.parametrize(
    "body", ["{}", "[1]", "3", '{"items": null}', '{"items": [], "next_cursor": 1}', "<p>", ""]
)
def test_an_answer_of_another_shape_is_an_api_error(body):
    """Of a server that is not headwater's, or of another version."""
    whole = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    with answering(lambda _: whole.encode()) as url, HeadwaterClient(url, "hw_x", timeout=5) as client:
        for ask in (
            client.runs.list,
            lambda: list(client.runs.iterate()),
            client.sources.list,
            lambda: client.nexsets.get(1),
            lambda: client.flows.get(1),
            lambda: client.metrics.get_resource_metrics_by_run("data_sets", 1),
            lambda: client.metrics.get_flow_logs("data_sets", 1, 1, 1),
            lambda: client.nexsets.get_samples(1, include_metadata=True),
        ):
            with pytest.raises(ApiError, match="not as headwater does"):
                ask()
