from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.cli.main import run


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, as a reader would, with Dagster's records in it."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / ".dagster"))
    monkeypatch.delenv("HEADWATER_PROJECT", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of `headwater init`, synced."""
    folder = tmp_path_factory.mktemp("docs") / "first"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder / ".headwater" / "dagster"))
        patch.delenv("HEADWATER_PROJECT", raising=False)
        assert run(["init", os.fspath(folder)]) == 0
        assert run(["--project", os.fspath(folder), "sync"]) == 0
    return folder
