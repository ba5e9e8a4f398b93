"""A CloudQuery plugin as a connection of a project: spec, records, state, errors."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from lineage import open_store
from pipelines.cli.main import run
from pipelines.project import read_project
from pipelines.statuses import FAILED, SUCCESS, WARNING
from pipelines.sync import run_sync
from tests.connectors.hosts.plugins.hosting import PLUGINS
from tests.plugin_python import plugin_python

DAY = datetime.now(UTC).date().isoformat()  # a snapshot of now is taken of today alone
TOKEN = "canary-5512-of-the-shop"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Syncs a project whose one connection is the shop plugin: `project(tables, **spec)`."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    folder = tmp_path / "project"
    folder.mkdir()

    def write(*tables, spec=None, **more):
        connection = {
            "connector": "cloudquery",
            "plugin": str(PLUGINS / "shop"),
            "python": plugin_python(),
            "tables": list(tables),
            "spec": {"token": "${SHOP_TOKEN}", **(spec or {})},
            **more,
        }
        parts = {"every": "day", "start": "2026-11-01"}
        (folder / "headwater.yaml").write_text(
            json.dumps({"partitions": parts, "connections": {"shop": connection}})
        )
        return folder

    return write


def sync(folder, **options):
    return run_sync(read_project(folder), ["shop"], [DAY], **options).outcomes[-1]


def rows(folder, table):
    return open_store(folder / ".headwater").read_records("shop", table).to_pylist()


def ids(folder, table):
    return sorted(row["id"] for row in rows(folder, table))


def test_its_tables_are_resources_and_its_records_are_stored(project):
    folder = project("typed", "people")
    outcome = sync(folder)
    assert (outcome.status, outcome.report.warnings) == (SUCCESS, [])
    assert ids(folder, "people_pets") == [11, 12, 21, 22]
    first = rows(folder, "typed")[0]
    assert (first["tags"], str(first["size"])) == ('{"k": [1, null]}', str(2**64 - 1))
    assert first["code"] == "12345678-1234-5678-1234-567812345678"
    assert first["_cq_source_name"] == "shop"
    graph = open_store(folder / ".headwater").graph()
    found = {one["id"]: one for one in graph.to_dict()["resources"]}
    assert found["shop/typed"]["title"] == "Typed"
    assert found["shop/people_pets.id"]["is_pk"] is True


def test_its_state_goes_on_and_can_be_shown_reset_and_left_out(project, capsys):
    folder = project("counting")
    sync(folder)
    sync(folder)
    assert ids(folder, "counting") == [1, 2, 3, 4, 5, 6]
    options = ["--project", str(folder), "state"]
    assert run([*options, "show", "shop", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["tables"]["cq_state"]["cursors"] == {"since": "6"}
    assert sync(folder, full=True).report.tables["counting"].rows == 3
    assert ids(folder, "counting") == [1, 2, 3]
    assert run([*options, "reset", "shop"]) == 0
    assert sync(folder).report.tables["counting"].rows == 3
    assert ids(folder, "counting") == [1, 2, 3]


def test_what_it_loses_is_told_and_nothing_is_skipped_for_ever(project):
    folder = project("counting")
    sync(folder)
    project("counting", "failing", "dropping")
    outcome = sync(folder)
    assert outcome.status == WARNING
    assert any(one.startswith("failing: ") and "**********" in one for one in outcome.report.warnings)
    assert [one.location for one in outcome.report.rejects] == ["dropping"]
    assert ids(folder, "counting") == [1, 2, 3, 4, 5, 6], "the rows that came are kept"
    assert ids(folder, "dropping") == [1, 3]
    project("counting")
    assert sync(folder).report.tables["counting"].rows == 3, "and read again: the state has not moved"
    assert ids(folder, "counting") == [1, 2, 3, 4, 5, 6]


def test_a_table_that_was_left_out_is_read_from_its_start_also_after_a_cut_run(project):
    folder = project("counting")
    sync(folder)
    project("people")
    sync(folder)
    project("counting", "failing")
    assert sync(folder).status == WARNING
    project("counting")
    sync(folder)
    assert ids(folder, "counting") == [1, 2, 3]


def test_one_that_dies_is_a_failed_run_and_leaves_what_was(project):
    folder = project("people")
    sync(folder)
    project("people", "crashing")
    outcome = sync(folder)
    assert outcome.status == FAILED
    assert "about to go with **********" in outcome.error
    assert ids(folder, "people") == [1, 2]


def test_a_spec_that_does_not_fit_is_told_without_its_values(project, capsys):
    folder = project("people", spec={"rows": "many-canary"})
    outcome = sync(folder)
    assert outcome.status == FAILED
    assert "spec.rows" in outcome.error
    assert "canary" not in outcome.error
    assert run(["--project", str(folder), "check", "shop"]) == 1
    told = capsys.readouterr()
    assert "spec.rows" in told.out
    assert "canary" not in told.out + told.err


def test_a_check_tells_each_capability(project, capsys):
    folder = project("*")
    assert run(["--project", str(folder), "check", "shop", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["connections"].values()
    assert [one["capability"] for one in found] == ["configuration", "start", "spec", "connection", "tables"]


def test_no_secret_of_a_spec_is_stored_anywhere(project, tmp_path):
    folder = project("failing", "noisy", "surroundings", spec={"login": {"pin": "canary-99"}})
    sync(folder)
    kept = [file for file in tmp_path.rglob("*") if file.is_file() and file.name != "headwater.yaml"]
    assert kept
    assert not [file for file in kept if b"canary" in file.read_bytes()]


def test_keys_of_plugins_are_refused_for_others(project, capsys):
    folder = project("*", connector="sqlite")
    assert run(["--project", str(folder), "sync"]) == 1
    assert "plugin is for CloudQuery plugins" in capsys.readouterr().err
