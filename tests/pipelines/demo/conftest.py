from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from lineage import LineageGraph, open_store
from tests.pipelines.demo.copying import copy_shop

SYNC = "from pipelines.cli import main; main(['sync'])"
DEMO = """
import sys
from pathlib import Path
from pipelines.demo.__main__ import main
sys.exit(main(Path.cwd()))
"""


@dataclass
class Synced:
    """A copy of the demo's folder in which two syncs have run at once, and then the demo."""

    folder: Path
    syncs: list[subprocess.CompletedProcess[str]]
    demo: subprocess.CompletedProcess[str]

    @property
    def graph(self) -> LineageGraph:
        return open_store(self.folder / ".headwater").graph()


@pytest.fixture
def shop(tmp_path):
    return copy_shop(tmp_path / "shop")


@pytest.fixture(scope="session")
def synced(tmp_path_factory):
    folder = copy_shop(tmp_path_factory.mktemp("copy") / "shop")
    syncs = [_start(SYNC, folder), _start(SYNC, folder)]
    return Synced(folder, [_finish(one) for one in syncs], _finish(_start(DEMO, folder)))


def _start(code: str, folder: Path) -> subprocess.Popen[str]:
    ours = {"DAGSTER_HOME", "HEADWATER_PROJECT", "SHOP_BI_PASSWORD"}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment["PYTHONPATH"] = str(Path(__file__).parents[3])
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True)


def _finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    out, err = process.communicate(timeout=150)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
