from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import connectors

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "httpx",
    "pyarrow",
    "dagster",
    "duckdb",
    "deltalake",
    "sqlglot",
    "sqlalchemy",
    "stamina",
    "yaml",
    "orjson",
    "openlineage",
}


def test_the_front_door_is_light():
    code = "import connectors, sys; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert not HEAVY & set(run.stdout.split())


def test_everything_it_names_is_there():
    assert not [name for name in connectors.__all__ if not hasattr(connectors, name)]
