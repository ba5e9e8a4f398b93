from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.main import run
from tests.pipelines.conftest import LINEAGE, RESOURCE, write_project

MISSING = LINEAGE.replace("SUMMARY", "sumary")
UNDECLARED = LINEAGE.replace("SUMMARY", "orders").replace("revenue", "costs")
COLUMN = LINEAGE.replace("external_table", "external_column").replace(
    '"SUMMARY"', '"summary", "column": "total"'
)


@dataclass(frozen=True)
class Said:
    """What a command line gave."""

    code: int
    out: bytes
    err: str

    @property
    def json(self) -> Any:
        assert self.err == "", self.err
        return json.loads(self.out)


class CommandLine:
    """Runs command lines in this process."""

    def __init__(self, capture: pytest.CaptureFixture[bytes], *options: str) -> None:
        self._capture = capture
        self._options = options

    def __call__(self, *arguments: str) -> Said:
        self._capture.readouterr()
        code = run([*self._options, *arguments])
        out, err = self._capture.readouterr()
        return Said(code, out, err.decode())


@pytest.fixture(scope="module")
def synced_folder(tmp_path_factory):
    """A small project, synced: SQL and declared lineage, and references that do not resolve."""
    folder = write_project(tmp_path_factory.mktemp("contract") / "project")
    (folder / "l.jsonl").write_text(LINEAGE + COLUMN + MISSING + UNDECLARED)
    (folder / "r.jsonl").write_text(RESOURCE)
    (folder / "sql" / "broken.sql").write_text("insert into summary select (1 from orders;\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder / "home"))
        patch.delenv("HEADWATER_PROJECT", raising=False)
        assert run(["--project", str(folder), "sync"]) == 0
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No project and no Dagster home but what a test names; nothing of them is left behind."""
    monkeypatch.delenv("HEADWATER_PROJECT", raising=False)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))


@pytest.fixture
def headwater(capfdbinary, home):
    """Without a project."""
    return CommandLine(capfdbinary)


@pytest.fixture
def synced(synced_folder, capfdbinary, home, monkeypatch):
    """For the synced project."""
    monkeypatch.setenv("DAGSTER_HOME", str(synced_folder / "home"))
    return CommandLine(capfdbinary, "--project", str(synced_folder))
