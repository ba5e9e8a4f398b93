"""`headwater connectors new`: what it writes works, passes its tests, and is connected by its path."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

import connectors
from connectors.registry import load_connector
from connectors.testing import ConnectorContract, Scripted, check_connector, run_connector
from lineage import open_store
from pipelines.cli.new_connector import connector_package

ROOT = Path(connectors.__file__).parents[1]
TOKEN = "canary-token-7781"
PROJECT = """\
partitions: {every: day, start: 2026-11-01}
connections:
  weather:
    connector: ./deep/weather-log/weather_log/connector.py
    config: {url: "https://api.example.test"}
    credential: {token: canary-token-7781}
    transport: weather_api:app
"""
API = """\
import json
from pathlib import Path

ASKED = Path(__file__).with_name("asked")
ANSWERS = {
    "/orders": {"data": [{"id": 7, "customer": "ada", "updated_at": "2026-01-01T08:00:00Z"}], "next": None},
    "/orders/7/lines": [{"line": 1, "product": "tea", "amount": "4.50"}, {"line": 2, "product": "cup", "amount": 3}],
}


def app(environ, start_response):
    with ASKED.open("a") as file:
        print(environ["QUERY_STRING"], file=file)
    known = environ.get("HTTP_AUTHORIZATION") == "Bearer canary-token-7781"
    start_response("200 OK" if known else "401 Unauthorized", [("Content-Type", "application/json")])
    return [json.dumps(ANSWERS[environ["PATH_INFO"]]).encode()]
"""


@pytest.fixture
def made(headwater, tmp_path):
    """A package, and what was said of it."""
    said = headwater("connectors", "new", "weather-log", "--folder", str(tmp_path / "deep"))
    assert (said.code, said.err) == (0, "")
    return tmp_path / "deep" / "weather-log", said.out.decode()


def run_tests(package: Path) -> str:
    """Its own tests, as an author runs them: pytest, with headwater installed."""
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", "-W", "error"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(command, cwd=package, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_it_passes_its_own_tests(made):
    package, _ = made
    told = run_tests(package)
    assert "16 passed, 1 skipped" in told
    assert "it has no fingerprint" in told


def test_its_files_are_few_and_plain(made):
    package, said = made
    files = sorted(path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file())
    assert files == [
        "README.md",
        "pyproject.toml",
        "tests/test_weather_log.py",
        "weather_log/__init__.py",
        "weather_log/connector.py",
    ]
    assert not [name for name in files if re.search(r"@\w+@", (package / name).read_text())]
    points = tomllib.loads((package / "pyproject.toml").read_text())["project"]["entry-points"]
    assert points == {"headwater.connectors": {"weather-log": "weather_log:WeatherLog"}}
    assert len((package / "weather_log" / "connector.py").read_text().splitlines()) < 90
    for line in (f"cd {package}", "python -m pytest", "headwater connectors ./weather_log/connector.py"):
        assert f"  {line}\n" in said


def test_its_code_is_in_form_and_has_types(made):
    package, _ = made
    ruff = [sys.executable, "-m", "ruff"]
    for command in (
        [*ruff, "check", "--no-cache", "--select", "E,F,W,I,B,UP,SIM", "."],
        [*ruff, "format", "--no-cache", "--check", "."],
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--ignore-missing-imports",
            "--no-incremental",
            "weather_log",
        ],
    ):
        environment = os.environ | {"MYPYPATH": str(ROOT)}
        ran = subprocess.run(
            command, cwd=package, env=environment, capture_output=True, text=True, timeout=120
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_it_syncs_in_a_project_by_its_path(made, headwater, tmp_path):
    (tmp_path / "headwater.yaml").write_text(PROJECT)
    (tmp_path / "weather_api.py").write_text(API)
    project = ("--project", str(tmp_path))
    checked = headwater(*project, "check", "--json").json["connections"]["weather"]
    assert [(one["capability"], one["ok"]) for one in checked][-1] == ("read orders", True)
    for _ in range(2):  # the second goes on from the cursor of the first
        assert headwater(*project, "sync").code == 0
    store = open_store(tmp_path / ".headwater")
    assert store.read_records("weather", "orders")["customer"].to_pylist() == ["ada"]
    lines = store.read_records("weather", "order_lines").to_pylist()
    assert [(line["order_id"], line["product"]) for line in lines] == [(7, "tea"), (7, "cup")]
    asked = (tmp_path / "asked").read_text().split()
    assert "updated_since=2026-01-01T08%3A00%3A00Z" in asked


def test_it_runs_by_its_path_and_goes_on_where_it_left_off(made):
    package, _ = made
    order = {"id": 7, "customer": "ada", "updated_at": "2026-01-01T08:00:00Z"}
    answers = {"GET /orders": {"data": [order]}, "GET /orders/7/lines": []}
    given = ({"url": "https://api.example.test"}, {"token": TOKEN})
    path = package / "weather_log" / "connector.py"
    found = run_connector(path, *given, http=Scripted(answers))
    assert (found.error, found.report.complete, len(found.rows("orders"))) == (None, True, 1)
    later = Scripted({"GET /orders?updated_since=2026-01-01T08:00:00Z": {"data": []}})
    again = run_connector(path, *given, http=later, cursors=found.cursors)
    assert (again.rows("orders"), again.cursors) == ([], found.cursors)
    (refused,) = check_connector(path, *given, http=Scripted({"GET /orders": 401}))
    assert (refused.capability, refused.ok) == ("read orders", False)
    assert load_connector(str(path), Path()).platform == "weather-log"


def test_the_contract_takes_a_connector_by_its_path_too(made):
    package, _ = made
    given = {"connector": "weather_log/connector.py", "folder": package, "config": {"url": "https://a.test"}}
    contract = type("ByPath", (ConnectorContract,), given | {"credentials": {"token": TOKEN}})()
    contract.test_its_configuration_is_a_form()
    contract.test_an_unknown_field_is_refused()


def test_nothing_is_overwritten(made, headwater):
    package, _ = made
    (package / "README.md").write_text("mine")
    said = headwater("connectors", "new", "weather-log", "--folder", str(package.parent))
    assert (said.code, said.out) == (2, b"")
    assert "is there already" in said.err
    assert (package / "README.md").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        *(
            (name, "is no name")
            for name in ("Shop", "7up", "a b", "../up", "a/b", "shop-", "_a", "a__b", "é", "")
        ),
        *((name, "would hide another one of Python's") for name in ("json", "class", "tests", "connectors")),
        *((name, "a class named") for name in ("orders", "table", "secret-str", "scripted")),
        ("postgres", "installed already"),
    ],
)
def test_a_name_that_cannot_be_is_refused_and_nothing_is_written(headwater, tmp_path, name, cause):
    said = headwater("connectors", "new", name, "--folder", str(tmp_path / "here"))
    assert (said.code, said.out) == (2, b"")
    assert cause in said.err
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize("name", ["reports", "a", "shop_2", "big-red-shop"])
def test_names_that_can_be_give_python(name):
    for path, text in connector_package(name).items():
        if path.endswith(".py"):
            compile(text, path, "exec")


def test_a_name_is_refused_in_click_s_words():
    with pytest.raises(click.BadParameter):
        connector_package("Shop")


def test_the_commands_around_it_go_on_as_they_were(headwater):
    assert b"Begin a connector of your own" in headwater("connectors", "--help").out
    assert b"--folder" in headwater("connectors", "new", "--help").out
    assert headwater("connectors", "new").code == 2
    assert headwater("connectors", "jsonl", "extra").code == 2
    assert headwater("connectors", "jsonl").code == headwater("connectors").code == 0
    for words in (("jsonl", "--json"), ("--json", "jsonl")):
        assert [one["name"] for one in headwater("connectors", *words).json] == ["jsonl"]
    assert len(headwater("connectors", "--json").json) > 5
