"""A branch of a real dbt project is judged before it lands: `headwater lineage diff --fail-on broken`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from pipelines.demo import SHOP

COMPILE = """
import sys
from dbt.cli.main import dbtRunner
answer = dbtRunner().invoke(["compile", "--quiet", "--no-partial-parse"])
sys.exit(str(answer.exception or answer.result) if not answer.success else 0)
"""
MODEL = "dbt/models/marts/fct_sales.sql"


def headwater(*arguments, folder):
    command = (sys.executable, "-c", "from pipelines.cli import main; main()", *arguments)
    variables = {k: v for k, v in os.environ.items() if k not in ("HEADWATER_PROJECT", "DAGSTER_HOME")}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def main_folder(tmp_path_factory):
    """The demo's shop, synced: what the main branch has."""
    folder = tmp_path_factory.mktemp("shop") / "main"
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns(".headwater", "data"))
    done = headwater("sync", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def branch(main_folder, tmp_path):
    """Makes a checkout without anything stored in which a model's text is changed, compiled by dbt."""

    def make(old: str, new: str):
        folder = tmp_path / "branch"
        shutil.copytree(main_folder, folder, ignore=shutil.ignore_patterns(".headwater"))
        text = (folder / MODEL).read_text()
        assert old in text
        (folder / MODEL).write_text(text.replace(old, new))
        environment = {**os.environ, "DBT_PROFILES_DIR": str(folder / "dbt"), "DO_NOT_TRACK": "1"}
        done = subprocess.run(
            (sys.executable, "-c", COMPILE),
            cwd=folder / "dbt",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return folder

    return make


def test_a_renamed_column_breaks_dashboards_and_the_command(main_folder, branch):
    folder = branch(" as net_amount", " as net_value")
    done = headwater(
        "lineage", "diff", str(main_folder), str(folder), "--fail-on", "broken", folder=main_folder
    )
    assert done.returncode == 1, done.stderr
    assert "warehouse/shop.marts.fct_sales.net_amount" in done.stdout
    assert "bi/dashboard.revenue (dashboard)" in done.stdout
    told = headwater("lineage", "diff", str(main_folder), str(folder), "--json", folder=main_folder)
    assert told.returncode == 0
    (broken,) = json.loads(told.stdout)["broken"]
    assert broken["id"] == "warehouse/shop.marts.fct_sales.net_amount"
    assert {"bi/dashboard.revenue", "bi/dashboard.stores"} <= {one["id"] for one in broken["downstream"]}
    assert not (folder / ".headwater").exists()


def test_a_new_column_breaks_nothing(main_folder, branch):
    folder = branch(" as net_amount", " as net_amount,\n    sales.amount_cents as cents")
    shown = ("lineage", "diff", str(main_folder), str(folder), "--fail-on", "broken", "--markdown")
    done = headwater(*shown, folder=main_folder)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "Nothing downstream loses its source." in done.stdout
