from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from pipelines.cli.main import run
from pipelines.project import read_project
from pipelines.project.overlay import objects_of
from pipelines.server import create_app
from pipelines.server.tokens import Tokens
from tests.contract.conftest import COLUMN, MISSING, UNDECLARED
from tests.pipelines.conftest import FILE, LINEAGE, RESOURCE, write_project

SECRET = "s3cret-Value-of-a-login"
# A connection with a credential, in the file and in the environment, and one that reads OpenLineage events.
WITH_SECRETS = (
    FILE.replace("connections:", "credentials:\n  login: {password: '" + SECRET + "'}\nconnections:", 1)
    + """\
  events:
    connector: openlineage
    config: {path: ./events}
  shop_api:
    connector: ./shop_api.py
    credential: login
    config: {token: "${SHOP_TOKEN:-x}", note: from-the-config}
"""
)
CONNECTOR = """
from connectors import Connector
from connectors.connector import ConnectorConfig
from pydantic import SecretStr


class ShopApi(Connector):
    class Config(ConnectorConfig):
        token: SecretStr
        note: str
        password: SecretStr | None = None

    def extract(self):
        pass
"""


def synced_project(folder: Path) -> Path:
    """A project, synced once: SQL and declared lineage, references that do not resolve, and secrets."""
    write_project(folder, WITH_SECRETS)
    (folder / "shop_api.py").write_text(CONNECTOR)
    (folder / "events").mkdir()
    (folder / "events" / "none.jsonl").write_text("")
    (folder / "l.jsonl").write_text(LINEAGE + COLUMN + MISSING + UNDECLARED)
    (folder / "r.jsonl").write_text(RESOURCE)
    (folder / "sql" / "broken.sql").write_text("insert into summary select (1 from orders;\n")
    sync(folder)
    return folder


def sync(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder / "home"))
        patch.delenv("HEADWATER_PROJECT", raising=False)
        assert run(["--project", str(folder), "sync"]) == 0


@contextmanager
def serving(folder: Path, **options: Any) -> Iterator[str]:
    """The app of a project on a real server at a free port of 127.0.0.1; its address.

    Dagster's records are those of the folder's `home`.
    """
    config = uvicorn.Config(
        create_app(read_project(folder), **options), port=0, log_level="warning", access_log=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder / "home"))
        patch.setenv("HEADWATER_PROJECT", str(folder))  # as a launcher would, and leave it so
        thread.start()
        try:
            until(lambda: server.started or not thread.is_alive())
            assert server.started
            port = server.servers[0].sockets[0].getsockname()[1]
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(timeout=20)
            assert not thread.is_alive()


def until(holds: Callable[[], object], seconds: float = 20) -> None:
    """Waits until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def token(folder: Path, scope: str, **options: Any) -> dict[str, str]:
    """The header of a new token."""
    secret, _ = Tokens(objects_of(read_project(folder))).issue(scope, **options)
    return {"Authorization": f"Bearer {secret}"}


@contextmanager
def command_serving(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`headwater serve` in a process of its own, and its first line."""
    command = [
        sys.executable,
        "-c",
        "from pipelines.cli import main; main()",
        "--project",
        str(folder),
        "serve",
    ]
    child = subprocess.Popen(
        [*command, "--port", "0", *options],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "DAGSTER_HOME": str(folder / "home")},
    )
    assert child.stderr
    try:
        yield child, child.stderr.readline()
    finally:
        if child.poll() is None:
            child.kill()
        child.communicate()


@pytest.fixture(scope="session")
def served_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For tests that change nothing but tokens."""
    return synced_project(tmp_path_factory.mktemp("server") / "project")


@pytest.fixture(scope="module")
def address(served_folder: Path) -> Iterator[str]:
    with serving(served_folder) as url:
        yield url


@pytest.fixture(scope="module")
def api(address: str) -> Iterator[httpx.Client]:
    """Asks below /api/v1, without a token."""
    with httpx.Client(base_url=f"{address}/api/v1/", timeout=30) as client:
        yield client
