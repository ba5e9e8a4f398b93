"""What importing costs, and what may know what: each in a fresh interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("connectors", "lineage", "pipelines")
HEAVY = ("dagster", "pyarrow", "duckdb", "deltalake", "sqlglot", "sqlalchemy", "httpx", "rich", "openlineage")
COMMANDS = "from pipelines.cli.main import run; run({arguments!r})"


def loaded_by(code: str) -> set[str]:
    """The top-level modules in memory after this code, apart from what it prints."""
    program = f"{code}\nimport sys, json; sys.stderr.write(json.dumps(sorted(sys.modules)))"
    finished = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert finished.returncode == 0, finished.stderr
    return {name.partition(".")[0] for name in json.loads(finished.stderr)}


@pytest.mark.parametrize("package", ["connectors", "lineage", "pipelines", "pipelines.cli"])
def test_a_front_door_is_light(package):
    assert not loaded_by(f"import {package}") & set(HEAVY)


def test_the_servers_client_loads_neither_dagster_nor_the_server():
    heavy = {"dagster", "fastapi", "starlette", "uvicorn", "pyarrow", "duckdb", "deltalake", "sqlglot"}
    assert not loaded_by("import pipelines.client") & heavy


def test_everything_that_lineage_offers_loads_without_dagster_or_pipelines():
    code = "from lineage import LineageGraph, open_store\nfrom lineage.sql import analyze\nimport lineage.graph.build"
    assert not loaded_by(code) & {"dagster", "pipelines", "sqlalchemy", "httpx"}


def test_the_store_and_a_graphs_build_load_no_parser():
    # What is stored is compiled already: an extract that changed nothing, and a graph, need none.
    assert "sqlglot" not in loaded_by("import lineage.store, lineage.graph.build, pipelines.stored_sql")


def test_a_project_without_datasets_loads_nothing_that_they_need(tmp_path):
    (tmp_path / "headwater.yaml").write_text("partitions: {every: day, start: 2026-01-01}\nconnections: {}\n")
    code = f"from pipelines import load_project\nimport pipelines.sync\nload_project({str(tmp_path)!r})"
    assert not loaded_by(code) & {"sqlglot", "jsonschema_rs", "psycopg", "adbc_driver_manager"}


def test_every_built_in_connector_loads_without_dagster_lineage_or_pipelines():
    code = (
        "from pathlib import Path\nfrom connectors.registry import connector_names, load_connector\n"
        "assert len([load_connector(name, Path()) for name in connector_names()]) >= 6"
    )
    assert not loaded_by(code) & {"dagster", "lineage", "pipelines"}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["-h"]], ids=" ".join)
def test_help_and_version_load_nothing_heavy(arguments):
    assert not loaded_by(COMMANDS.format(arguments=arguments)) & {*HEAVY, "fastapi"}


@pytest.mark.parametrize("command", ["find --help", "sync --help", "lineage upstream --help", "sql --help"])
def test_a_commands_help_loads_neither_dagster_nor_an_engine(command):
    heavy = {"dagster", "pyarrow", "duckdb", "deltalake", "sqlglot"}
    assert not loaded_by(COMMANDS.format(arguments=command.split())) & heavy


def test_sql_of_the_command_line_loads_no_dagster_and_no_store(tmp_path):
    (tmp_path / "one.sql").write_text("select a from t")
    loaded = loaded_by(COMMANDS.format(arguments=["sql", str(tmp_path / "one.sql")]))
    assert not loaded & {"dagster", "deltalake"}


def test_the_layers_hold():
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "0 broken" in finished.stdout


def test_the_wheel_lists_the_three_packages():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert tuple(settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == PACKAGES
    assert settings["project"]["name"] == "headwater"
    assert settings["tool"]["dagster"] == {"module_name": "pipelines.definitions"}


def test_a_built_wheel_holds_the_three_packages_the_demo_and_no_state(tmp_path):
    build = [
        sys.executable,
        "-c",
        f"import hatchling.build; print(hatchling.build.build_wheel({str(tmp_path)!r}))",
    ]
    plain = os.environ | {"HEADWATER_PURE": "1"}  # `make test-compiled` builds and tests the compiled one
    finished = subprocess.run(build, cwd=ROOT, env=plain, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == set(PACKAGES)
    assert "pipelines/demo/shop/headwater.yaml" in names
    assert any(name.startswith("pipelines/demo/shop/dbt/target/manifest.json") for name in names)
    assert not [name for name in names if ".headwater/" in name or "/shop/data/" in name]


def test_no_lock_names_a_registry():
    for lock in ROOT.glob("requirements*.lock"):
        text = lock.read_text()
        assert "://" not in text, lock.name
        assert "--index-url" not in text, lock.name
