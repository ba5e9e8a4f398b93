"""Flow runs are as Dagster's records are now, and Dagster is left alone where nothing of them has changed."""

from __future__ import annotations

import os
import subprocess
import sys

import dagster as dg

from pipelines.flow_runs import open_flow_runs
from pipelines.flow_runs.storage_state import storage_state
from pipelines.sync import run_sync
from tests.pipelines.conftest import folder, project
from tests.pipelines.test_sync import today

__all__ = ["folder", "project"]
ASK = """
import sys
from pipelines.flow_runs import open_flow_runs
from pipelines.project import find_project, read_project
with open_flow_runs(read_project(find_project())) as found:
    print(len(found.find()), "dagster" in sys.modules)
"""


def ask(folder) -> str:
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    return subprocess.check_output(
        [sys.executable, "-c", ASK], cwd=folder, env=environment, text=True
    ).strip()


def test_dagster_is_asked_when_a_run_was_recorded_and_only_then(project, folder):
    run_sync(project, ["app"], [today(project)])
    assert ask(folder) == "1 True"
    ask(folder)  # Dagster gave its storage an id when it was first asked for it
    assert ask(folder) == "1 False"
    run_sync(project, ["hand"], [today(project)])
    assert ask(folder) == "2 True"
    with dg.DagsterInstance.get() as instance:
        instance.delete_run(instance.get_run_ids(limit=1)[0])
    assert ask(folder) == "1 True"


def test_dagster_is_asked_while_a_run_is_under_way(project, folder):
    with dg.DagsterInstance.get() as instance:
        run_sync(project, ["app"], [today(project)])
        instance.run_storage.add_run(
            dg.DagsterRun(
                "__ASSET_JOB", "11111111-1111-4111-8111-111111111111", status=dg.DagsterRunStatus.STARTED
            )
        )
    assert ask(folder).endswith("True")
    assert ask(folder).endswith("True")


def test_a_storage_elsewhere_is_always_asked(tmp_path):
    (tmp_path / "dagster.yaml").write_text("storage: {postgres: {postgres_url: x}}\n")
    assert storage_state(tmp_path) is None
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    before = storage_state(tmp_path)
    assert before is not None
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / "runs.db").write_text("x")
    assert storage_state(tmp_path) != before
    (tmp_path / "dagster.yaml").write_text("- no mapping\n")
    assert storage_state(tmp_path) is None


def test_runs_of_two_projects_in_one_home_are_told_apart(project, folder, tmp_path):
    from pipelines.project import read_project

    run_sync(project, ["app", "hand"], [today(project)])
    other = tmp_path / "other"
    other.mkdir()
    (other / "r.jsonl").write_text("")
    (other / "headwater.yaml").write_text(
        "partitions: {every: day, start: 2026-11-01}\n"
        "connections: {hand: {connector: jsonl, config: {resources: ./r.jsonl}}}\n"
    )
    with open_flow_runs(read_project(other)) as found:
        assert {run.flow for run in found.find()} == {"hand"}
        assert {one.dataset for one in found.metrics("day")} == {"resources/hand"}
