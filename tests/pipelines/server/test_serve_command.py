"""`headwater serve`: starts, refuses to, ends."""

from __future__ import annotations

import signal
import socket

import httpx
import pytest

from pipelines.cli.main import run
from tests.pipelines.conftest import write_project
from tests.pipelines.server.conftest import command_serving


@pytest.mark.parametrize("ends", [signal.SIGTERM, signal.SIGINT])
def test_it_tells_its_address_answers_and_ends_cleanly(served_folder, ends):
    with command_serving(served_folder) as (child, line):
        address = line.removeprefix("headwater serves ").strip()
        assert address.startswith("http://127.0.0.1:")
        ready = httpx.get(f"{address}/readyz").json()
        assert ready["graph"]["nodes"] > 10
        child.send_signal(ends)
        assert child.wait(timeout=15) == 0
        assert child.stderr.read() == ""


def test_it_refuses_an_address_that_others_reach_without_a_token(tmp_path, capsys):
    folder = write_project(tmp_path / "project")
    for options in (["--host", "0.0.0.0"], ["--host", "::"]):
        assert run(["--project", str(folder), "serve", "--port", "0", *options]) == 2
        assert "headwater token create --scope read" in capsys.readouterr().err


def test_an_expired_token_does_not_open_it(tmp_path, capsys):
    from datetime import UTC, datetime, timedelta

    from tests.pipelines.server.conftest import token

    folder = write_project(tmp_path / "project")
    token(folder, "read", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert run(["--project", str(folder), "serve", "--host", "0.0.0.0", "--port", "0"]) == 2
    assert "no valid token" in capsys.readouterr().err


def test_it_serves_others_with_a_token_or_when_told_to(tmp_path):
    folder = write_project(tmp_path / "project")
    with command_serving(folder, "--host", "0.0.0.0", "--insecure") as (_, line):
        port = line.strip().rpartition(":")[2]
        assert httpx.get(f"http://127.0.0.1:{port}/api/v1/connections").status_code == 200
    from tests.pipelines.server.conftest import token

    mine = token(folder, "read")
    with command_serving(folder, "--host", "0.0.0.0") as (_, line):
        port = line.strip().rpartition(":")[2]
        assert httpx.get(f"http://127.0.0.1:{port}/api/v1/connections").status_code == 401
        assert httpx.get(f"http://127.0.0.1:{port}/api/v1/connections", headers=mine).status_code == 200


def test_a_port_in_use_is_said(served_folder, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run(["--project", str(served_folder), "serve", "--port", port]) == 1
    assert f"port {port} of 127.0.0.1 is in use" in capsys.readouterr().err


def test_before_the_first_sync_it_is_ready_and_says_what_to_do(tmp_path):
    from tests.pipelines.server.conftest import serving

    folder = write_project(tmp_path / "project")
    with serving(folder) as url, httpx.Client(base_url=url) as client:
        assert client.get("/readyz").json() == {"status": "ready", "graph": None}
        for path in ("resources", "unresolved", "lineage/upstream?id=x", "lineage/export", "resources/x"):
            answer = client.get(f"/api/v1/{path}")
            assert (answer.status_code, answer.json()["hint"]) == (404, "run `headwater sync`")
        assert len(client.get("/api/v1/connections").json()["items"]) == 3
