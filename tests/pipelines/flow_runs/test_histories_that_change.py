"""Dagster's records are deleted and put back, and the ledger is taken away or damaged: runs are told as they are."""

from __future__ import annotations

import json
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest

from connectors.errors import StoreError
from pipelines.cli.main import run
from pipelines.flow_runs import FlowRuns, ledger_of, open_flow_runs, projection
from pipelines.flow_runs import ledger as ledger_module
from pipelines.flow_runs.projection import Projection
from pipelines.home import dagster_home, open_instance
from pipelines.keys import AssetKeys
from pipelines.project import read_project
from pipelines.sync import run_sync
from tests.pipelines.conftest import folder, project
from tests.pipelines.test_sync import today

__all__ = ["folder", "project"]


def told(project) -> list[tuple[str, str, int]]:
    with open_flow_runs(project) as found:
        return [(one.flow, one.status, one.records) for one in found.find()]


@pytest.fixture
def no_overlap(monkeypatch):
    """What was recorded counts as read at once, as if a minute had gone by."""
    monkeypatch.setattr(projection, "OVERLAP_S", 0.0)


def test_places_that_dagster_gives_again_are_read_again(project, no_overlap):
    run_sync(project, ["app"], [today(project)])
    run_sync(project, ["app"], [today(project)])
    (newest, oldest) = told(project)
    with dg.DagsterInstance.get() as instance:
        instance.delete_run(instance.get_run_ids(limit=1)[0])
    run_sync(project, ["hand"], [today(project)])
    run_sync(project, ["app"], [today(project)])
    found = told(project)
    assert [one[:2] for one in found] == [("app", "SUCCESS"), ("hand", "SUCCESS"), ("app", "SUCCESS")]
    assert found[0] == found[2] == newest == oldest


def test_after_a_wipe_new_runs_are_told(project, no_overlap):
    run_sync(project, ["app"], [today(project)])
    known = told(project)
    with dg.DagsterInstance.get() as instance:
        instance.wipe()
    run_sync(project, ["app"], [today(project)])
    assert told(project) == known


def test_runs_that_are_put_back_come_back(project, no_overlap, tmp_path):
    history = Path(dagster_home(project)) / "history"
    run_sync(project, ["app"], [today(project)])
    run_sync(project, ["hand"], [today(project)])
    known = told(project)
    shutil.copytree(history, tmp_path / "saved")
    with dg.DagsterInstance.get() as instance:
        instance.delete_run(instance.get_run_ids(limit=2)[1])
    assert [one[0] for one in told(project)] == ["hand"]
    shutil.rmtree(history)
    shutil.copytree(tmp_path / "saved", history)
    assert told(project) == known


@pytest.mark.parametrize(
    "harm", ["away", "no database", "cut", "a table less", "another format", "overwritten"]
)
def test_a_ledger_that_is_gone_or_damaged_is_made_again(project, harm):
    run_sync(project, ["app"], [today(project)])
    known = told(project)
    assert told(project) == known
    path = ledger_of(project).path
    whole = path.read_bytes()
    match harm:
        case "away":
            path.unlink()
        case "no database":
            path.write_text("this is no database, but a text that is long enough to be one " * 20)
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "overwritten":
            path.write_bytes(whole[:100] + b"\x5a" * (len(whole) - 100))
        case _:
            with sqlite3.connect(path) as db:
                db.execute(
                    "DROP TABLE part"
                    if harm == "a table less"
                    else "UPDATE note SET value = '1' WHERE name = 'format'"
                )
            db.close()
    assert told(project) == known


def test_damage_that_is_met_while_reading_is_told_and_mended(project):
    run_sync(project, ["app"], [today(project)])
    known = told(project)
    with open_flow_runs(project) as found:
        path = ledger_of(project).path
        path.write_bytes(path.read_bytes()[:4096] + b"\x5a" * (path.stat().st_size - 4096))
        with pytest.raises(StoreError, match="taken away") as raised:
            found.find()
        assert raised.value.retryable
    assert told(project) == known


def test_threads_and_a_projection_go_on_when_the_file_is_taken_away(project):
    run_sync(project, ["app"], [today(project)])
    ledger = ledger_of(project)
    with open_instance() as instance, ThreadPoolExecutor(4) as pool:
        following = Projection(instance, ledger, AssetKeys())
        following.refresh()
        flow_runs = FlowRuns(project, ledger)
        known = flow_runs.find()
        assert all(some == known for some in pool.map(lambda _: flow_runs.find(), range(20)))
        ledger.path.unlink()
        with pytest.raises(StoreError, match="being made"):
            flow_runs.find()
        run_sync(project, ["hand"], [today(project)])
        following.refresh()
        for some in pool.map(lambda _: flow_runs.find(), range(20)):
            assert [one.flow for one in some] == ["hand", "app"]
            assert some[1:] == known
    ledger.close()


def test_what_cannot_be_written_is_told_with_its_place(project, monkeypatch, capsys):
    run_sync(project, ["app"], [today(project)])
    told(project)
    monkeypatch.setattr(ledger_module, "_BUSY_S", 0.1)
    ledger = ledger_of(project)
    with sqlite3.connect(ledger.path) as db:
        db.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process has it locked") as raised, ledger.writing():
            pass
        assert raised.value.retryable
        db.rollback()
    db.close()
    ledger.close()
    ledger.path.unlink()
    ledger.path.mkdir()
    assert run(["--project", str(project.folder), "runs"]) == 1
    said = capsys.readouterr().err
    assert str(ledger.path) in said
    assert "Traceback" not in said


def test_a_home_that_cannot_be_made_is_told(project, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "file" / "home"))
    assert run(["--project", str(project.folder), "runs"]) == 2
    assert "set DAGSTER_HOME" in capsys.readouterr().err


def test_a_run_of_no_flow_is_shown_with_its_log(project, folder, capsys):
    run_sync(project, ["app"], [today(project)])
    text = (folder / "headwater.yaml").read_text()
    (folder / "headwater.yaml").write_text(text.replace("  app:\n", "  renamed:\n"))
    with dg.DagsterInstance.get() as instance:
        (run_id,) = instance.get_run_ids()
    with open_flow_runs(read_project(folder)) as found:
        assert found.of_run(found.run(run_id)) == []
    capsys.readouterr()
    assert run(["--project", str(folder), "runs", "show", run_id, "--level", "debug"]) == 0
    shown = capsys.readouterr().out
    assert "of no connection success, by manual" in shown
    assert "RUN_SUCCESS" in shown or "Finished execution" in shown
    assert run(["--project", str(folder), "runs", "show", run_id, "--level", "debug", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["id"], answer["status"], answer["flows"]) == (run_id, "SUCCESS", [])
    assert answer["log"]
