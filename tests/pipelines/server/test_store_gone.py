"""A store that was there and is gone, as an unmounted volume is: what was known last holds, and readiness says so."""

from __future__ import annotations

import shutil
from contextlib import contextmanager

import httpx
import pytest

from lineage import open_store
from lineage.store.version import TableVersion
from pipelines.project import read_project
from pipelines.project.overlay import objects_of
from pipelines.server.access import KnownTokens
from pipelines.server.graphs import Graphs
from pipelines.server.tokens import Tokens
from tests.pipelines.conftest import write_project
from tests.pipelines.server.conftest import serving, token, until
from tests.pipelines.server.test_server_graphs import PARTITIONS, put_graph

EDGE = {"from": "no such thing", "to": "nor such"}


@pytest.fixture
def folder(tmp_path):
    """A project that was never synced."""
    return write_project(tmp_path / "project")


@pytest.fixture
def tokens(folder):
    return Tokens(objects_of(read_project(folder)))


@pytest.fixture
def known(tokens):
    return KnownTokens(tokens, tokens.objects.version())


@pytest.fixture
def graphs(folder):
    store = open_store(read_project(folder).storage)
    return Graphs(store, TableVersion(store.graphs.table.uri), list)


@contextmanager
def gone(folder, part: str = ""):
    """The store's folder, or one in it, under another name."""
    place = folder / ".headwater" / part
    shutil.move(place, folder / "aside")
    yield
    shutil.move(folder / "aside", place)


def test_while_the_store_is_gone_the_last_graph_and_tokens_hold_and_readiness_says_so(folder):
    put_graph(folder, PARTITIONS[0])
    mine, other = token(folder, "write"), {"Authorization": "Bearer hw_" + "x" * 43}
    with serving(folder, loopback=False) as url, httpx.Client(base_url=url) as client:
        with gone(folder):
            until(lambda: client.get("/readyz", headers=mine).status_code != 200, seconds=5)
            told = client.get("/readyz", headers=mine)
            assert told.status_code == 503
            assert "TableNotFoundError" in told.json()["detail"]
            assert PARTITIONS[0] in told.json()["detail"]
            assert str(folder) not in told.text
            assert client.get("/readyz").status_code == 503
            assert client.get("/healthz", headers=mine).status_code == 200
            found = client.get("/api/v1/resources", headers=mine).raise_for_status().json()["items"]
            assert len(found) == 8
            near = client.get(
                "/api/v1/lineage/downstream", headers=mine, params={"id": f"hand/{PARTITIONS[0]}-0"}
            )
            assert len(near.raise_for_status().json()["resources"]) == 8
            metrics = client.get("/metrics").text
            assert "headwater_store_readable 0.0" in metrics
            assert "headwater_graph_nodes 8.0" in metrics
            for who in ({}, other):
                assert client.get("/api/v1/resources", headers=who).status_code == 401
                assert client.post("/api/v1/edges", headers=who, json=EDGE).status_code == 401
        until(lambda: client.get("/readyz").status_code == 200, seconds=5)
        assert client.get("/api/v1/resources", headers=mine).status_code == 200


def test_a_server_without_tokens_asks_for_them_while_the_store_is_gone(folder):
    put_graph(folder, PARTITIONS[0])
    with serving(folder) as url, httpx.Client(base_url=url) as client, gone(folder):
        until(lambda: client.get("/readyz").status_code == 503, seconds=5)
        assert client.get("/api/v1/resources").status_code == 200
        assert client.post("/api/v1/edges", json=EDGE).status_code == 401


def test_an_older_graph_that_was_not_read_is_unknown_and_not_missing_while_the_store_is_gone(folder):
    for partition in PARTITIONS[:2]:
        put_graph(folder, partition)
    with serving(folder) as url, httpx.Client(base_url=url) as client:
        older = {"as_of": PARTITIONS[0]}
        with gone(folder):
            until(lambda: client.get("/readyz").status_code == 503, seconds=5)
            assert client.get("/api/v1/resources", params=older).status_code == 503
        until(lambda: client.get("/readyz").status_code == 200, seconds=5)
        assert client.get("/api/v1/resources", params=older).raise_for_status().json()["items"]


@pytest.mark.parametrize("part", ["", "objects"])
def test_tokens_hold_while_their_table_is_gone_and_are_followed_when_it_is_back(folder, tokens, known, part):
    secret, made = tokens.issue("read")
    known.look()
    with gone(folder, part):
        for _ in range(2):
            known.look()
            assert known.find(secret) == made
            assert known.find("hw_other") is None
    tokens.revoke(made.id)
    known.look()
    assert known.find(secret) is None


def test_the_first_token_is_taken_up_and_the_last_is_revoked(tokens, known):
    known.look()
    secret, made = tokens.issue("read")
    known.look()
    assert known.find(secret) == made
    tokens.revoke(made.id)
    known.look()
    assert known.find(secret) is None


def test_a_project_without_a_store_is_no_trouble(folder, graphs):
    for _ in range(2):
        graphs.look()
        assert (graphs.trouble, graphs.newest) == (None, None)
    put_graph(folder, PARTITIONS[0])
    graphs.look()
    assert graphs.newest.as_of == PARTITIONS[0]


def test_a_store_that_was_removed_and_made_anew_is_taken_up(folder, graphs, tokens, known):
    put_graph(folder, PARTITIONS[1])
    old, _ = tokens.issue("read")
    graphs.look()
    known.look()
    shutil.rmtree(folder / ".headwater")
    graphs.look()
    known.look()
    assert graphs.trouble
    assert graphs.newest.as_of == PARTITIONS[1]
    assert known.find(old)
    put_graph(folder, PARTITIONS[0])
    new, _ = tokens.issue("read")
    graphs.look()
    known.look()
    assert (graphs.trouble, graphs.newest.as_of) == (None, PARTITIONS[0])
    assert known.find(new)
    assert known.find(old) is None
