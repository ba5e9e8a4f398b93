from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.datasets.warehouse import Warehouse


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """Customers and orders, with Dagster's records beside them."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HEADWATER_PROJECT", raising=False)
    return Warehouse(tmp_path / "project")
