from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from nexla_sdk import NexlaClient

from pipelines.client import NexlaWords, nexla_client
from pipelines.server.tokens import Scope
from tests.pipelines.datasets.warehouse import Warehouse
from tests.pipelines.server.conftest import serving, sync, token

KEY = base64.urlsafe_b64encode(b"0123456789abcdef0123456789abcdef").decode()


@dataclass
class Shop:
    """A served project: `url` is that of its Nexla-compatible API."""

    folder: Path
    url: str
    _ours: NexlaWords | None = None

    def key(self, scope: Scope = "admin") -> str:
        """A new service key. The server knows it after a moment."""
        made = token(self.folder, scope)["Authorization"].removeprefix("Bearer ")
        deadline = 200
        while httpx.post(f"{self.url}/token", headers={"Authorization": f"Basic {made}"}).status_code == 401:
            deadline -= 1
            assert deadline, "the key is not taken up"
        return made

    def real(self, scope: Scope = "admin") -> NexlaClient:
        """Nexla's own client."""
        return NexlaClient(service_key=self.key(scope), base_url=self.url)

    def ours(self) -> NexlaWords:
        """Headwater's."""
        self._ours = self._ours or nexla_client(self.url, self.key())
        return self._ours

    def close(self) -> None:
        if self._ours:
            self._ours.close()


def write_shop(folder: Path) -> Path:
    """Orders and customers of a warehouse; a dataset with a shared transform, rules and two sinks, another of both."""
    shop = Warehouse(folder)
    shop.write(
        {
            "tidy": {
                "from": "wh/wh.main.orders",
                "transform": "doubled",
                "validation": {"schema": {"type": "object", "properties": {"amount": {"minimum": 3}}}},
                "personal": ["code"],
                "sinks": ["lake", "files"],
            },
            "joined": {
                "from": "datasets/tidy",
                "transform": {
                    "inputs": {"c": "wh/wh.main.customers"},
                    "sql": "select i.id, c.name from input i join c on c.id = i.customer_id",
                },
            },
        },
        transforms={"doubled": {"operations": [{"compute": {"expression": "amount * 2", "as": "twice"}}]}},
        sinks={
            "lake": {"connector": "delta", "config": {"uri": "./lake"}},
            "files": {"connector": "files", "config": {"path": "./out", "format": "csv"}},
        },
        connections={
            "hand": {
                "connector": "jsonl",
                "config": {"resources": "./r.jsonl"},
                "schedule": "0 3 * * *",
            }
        },
    )
    (folder / "r.jsonl").write_text('{"entity_type": "table", "databuilder_id": "d.s.t", "title": "t"}\n')
    return folder


@pytest.fixture(scope="session")
def shop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_shop(tmp_path_factory.mktemp("nexla") / "project")
    sync(folder)
    sync(folder)
    return folder


@contextmanager
def shop_at(folder: Path) -> Iterator[Shop]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADWATER_SECRET_KEY", KEY)
        with serving(folder) as url:
            shop = Shop(folder, f"{url}/nexla")
            yield shop
            shop.close()


@pytest.fixture(scope="module")
def shop(shop_folder: Path) -> Iterator[Shop]:
    """For tests that change nothing."""
    with shop_at(shop_folder) as shop:
        yield shop


@pytest.fixture
def own_shop(shop_folder: Path, tmp_path: Path) -> Iterator[Shop]:
    """For a test that writes."""
    with shop_at(shutil.copytree(shop_folder, tmp_path / "project")) as shop:
        yield shop


@pytest.fixture(scope="module")
def refusing_shop(shop_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """For tests all of whose writing is refused."""
    with shop_at(shutil.copytree(shop_folder, tmp_path_factory.mktemp("refusing") / "project")) as shop:
        yield shop


@contextmanager
def raw_requests(shop: Shop) -> Iterator[httpx.Client]:
    """Requests as they are, with a key that may write."""
    found = httpx.post(f"{shop.url}/token", headers={"Authorization": f"Basic {shop.key()}"}).json()
    bearer = {"Authorization": f"Bearer {found['access_token']}"}
    with httpx.Client(base_url=shop.url, headers=bearer, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def refused(refusing_shop: Shop) -> Iterator[httpx.Client]:
    with raw_requests(refusing_shop) as client:
        yield client
