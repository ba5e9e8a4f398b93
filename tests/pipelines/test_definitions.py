"""What Dagster is given: assets, checks, schedules, sensors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import dagster as dg
import pytest

from connectors.errors import ConfigError
from lineage import open_store
from lineage.store import SnapshotHeader, SnapshotWriter
from pipelines import load_project
from pipelines.partitions import key_at, partitions_definition, window_of
from pipelines.project import read_project
from pipelines.project.model import Partitions
from pipelines.schedules import unclosed
from pipelines.sync import run_sync
from tests.pipelines.conftest import FILE, write_project

NOON = datetime(2026, 11, 20, 12, 15, tzinfo=UTC)


@pytest.fixture
def repository(folder):
    return load_project(folder).get_repository_def()


def test_a_connection_is_two_assets_and_the_graph_is_below_them(repository):
    graph = repository.asset_graph
    resources, flow_run = dg.AssetKey(["resources", "app"]), dg.AssetKey(["flow_runs", "app"])
    assert graph.get(flow_run).parent_keys == {resources}
    below = graph.get(dg.AssetKey("lineage_graph")).parent_keys
    assert below == {dg.AssetKey(["flow_runs", name]) for name in ("app", "scripts", "hand")}
    assert graph.get(resources).group_name == "app"
    assert "sqlite" in graph.get(resources).kinds


def test_the_checks_are_on_the_flow_runs_and_the_graph(repository):
    names = {(key.asset_key.to_user_string(), key.name) for key in repository.asset_graph.asset_check_keys}
    of_app = {name for asset, name in names if asset == "flow_runs/app"}
    assert of_app == {"synced", "complete", "resource_drop"}
    assert {name for asset, name in names if asset == "lineage_graph"} == {
        "unresolved_references",
        "sql_coverage",
    }


def test_a_prefix_goes_before_every_key(folder):
    merged = dg.Definitions.merge(load_project(folder, prefix="hw"), dg.Definitions())
    keys = merged.get_repository_def().asset_graph.get_all_asset_keys()
    assert all(key.path[0] == "hw" for key in keys)


def test_a_schedule_asks_for_the_partition_under_way(repository, folder):
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance=instance, scheduled_execution_time=NOON, repository_def=repository
        )
        result = repository.get_schedule_def("app_schedule").evaluate_tick(context)
    (request,) = result.run_requests
    assert request.partition_key == "2026-11-20"
    assert "scripts_schedule" not in [s.name for s in repository.schedule_defs]
    assert "maintenance_nightly" in [s.name for s in repository.schedule_defs]


def test_partitions_never_closed_are_asked_for_again(project):
    store = open_store(project.storage)
    parts = partitions_definition(project.model.partitions)
    for day, still_open in (("2026-11-17", False), ("2026-11-18", True), ("2026-11-19", False)):
        rows = SnapshotWriter(None).finish(lambda s, d: b"", {})
        store.snapshots.commit(SnapshotHeader("log", day, "r", True, open=still_open), rows)
    assert list(unclosed(store, "log", parts, "2026-11-20", 4)) == ["2026-11-16", "2026-11-18"]


def test_the_sensor_asks_once_for_a_source_that_changed(folder, repository):
    sensor = repository.get_sensor_def("source_changed_sensor")
    with dg.DagsterInstance.ephemeral() as instance:

        def tick(cursor):
            context = dg.build_sensor_context(instance=instance, cursor=cursor, repository_def=repository)
            return sensor.evaluate_tick(context)

        first = tick(None)
        today = key_at(Partitions(start="2026-11-01"), datetime.now(UTC))
        assert {r.partition_key for r in first.run_requests} == {today}
        assert sorted(json.loads(first.cursor)) == ["hand", "scripts"]
        assert tick(first.cursor).run_requests == []
        with open(folder / "r.jsonl", "a") as file:
            file.write('{"entity_type": "chart", "databuilder_id": "new"}\n')
        (request,) = tick(first.cursor).run_requests
        assert [key.to_user_string() for key in request.asset_selection] == [
            "resources/hand",
            "flow_runs/hand",
        ]


def test_a_source_that_cannot_be_looked_at_does_not_stop_the_sensor(folder):
    text = FILE.replace("resources: ./r.jsonl", 'resources: "${NOBODY_SET_THIS}/r.jsonl"')
    repository = load_project(write_project(folder.parent / "other", text)).get_repository_def()
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, repository_def=repository)
        result = repository.get_sensor_def("source_changed_sensor").evaluate_tick(context)
    assert [r.run_key.split(":")[0] for r in result.run_requests] == ["scripts"]


def test_a_failed_run_is_logged(folder, project, capsys):
    (folder / "app.db").unlink()
    report = run_sync(project, ["app"], [key_at(project.model.partitions, datetime.now(UTC))])
    sensor = load_project(folder).get_repository_def().get_sensor_def("run_status")
    with dg.DagsterInstance.get() as instance:
        run = instance.get_run_by_id(report.run_id)
        event = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records[-1]
        context = dg.build_run_status_sensor_context(
            sensor_name="run_status",
            dagster_instance=instance,
            dagster_run=run,
            dagster_event=event.event_log_entry.dagster_event,
        ).for_run_failure()
        sensor(context)
    assert run.run_id in capsys.readouterr().err


def test_the_graph_does_not_wait_for_connections_that_have_no_partition_yet(folder, project):
    defs = load_project(folder)
    graph = dg.AssetKey("lineage_graph")
    with dg.DagsterInstance.ephemeral() as instance:
        first = dg.evaluate_automation_conditions(defs=defs, instance=instance, evaluation_time=NOON)
        assert first.total_requested == 0
        instance.report_runless_asset_event(
            dg.AssetMaterialization(dg.AssetKey(["flow_runs", "app"]), partition="2026-11-20")
        )
        second = dg.evaluate_automation_conditions(
            defs=defs, instance=instance, cursor=first.cursor, evaluation_time=NOON
        )
        assert second.get_requested_partitions(graph) == {"2026-11-20"}


def test_an_hourly_project_has_hourly_keys():
    model = Partitions(every="hour", start="2026-11-01", timezone="Europe/Berlin")
    parts = partitions_definition(model)
    moment = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    key = key_at(model, moment)
    assert key == "2026-11-21-00:00"
    assert moment in window_of(parts, key)


def test_a_days_window_is_in_the_projects_time_zone():
    model = Partitions(start="2026-03-01", timezone="Europe/Berlin")
    window = window_of(partitions_definition(model), "2026-03-29")
    assert (window.end - window.start).total_seconds() == 23 * 3600


def materialize(folder, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "dagster",
        "asset",
        "materialize",
        "-m",
        "pipelines.definitions",
        "--select",
        "*",
    ]
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), **env}
    return subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_ci_materializes_everything_with_dagsters_own_command(folder, project):
    today = key_at(project.model.partitions, datetime.now(UTC))
    done = materialize(folder, "--partition", today)
    assert done.returncode == 0, done.stderr[-2000:]
    before = open_store(project.storage).graph().header
    (folder / "app.db").unlink()
    failed = materialize(folder, "--partition", today)
    assert failed.returncode == 1
    assert "app.db" in failed.stderr
    after = open_store(project.storage).graph().header
    assert after.run_id != before.run_id
    assert after.partitions == before.partitions
    assert after.counts == before.counts


def test_without_a_dagster_home_assets_are_stored_and_it_is_said(tmp_path):
    folder = write_project(tmp_path / "project")
    environment = {k: v for k, v in os.environ.items() if k != "DAGSTER_HOME"}
    code = "import pipelines.definitions as d; print(len(d.defs.get_repository_def().asset_graph.get_all_asset_keys()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**environment, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "7"
    assert "DAGSTER_HOME is not set" in done.stderr


def test_a_wrong_file_keeps_dagster_from_loading_and_says_where(tmp_path):
    folder = write_project(tmp_path / "project", FILE.replace("connector: sqlite", "conector: sqlite"))
    done = materialize(folder, "--partition", "2026-11-20")
    assert done.returncode == 1
    assert "headwater.yaml:4" in done.stderr


def test_other_executors_by_configuration(tmp_path):
    folder = write_project(tmp_path / "project", "executor: multiprocess\n" + FILE)
    assert load_project(folder).executor is dg.multiprocess_executor
    assert read_project(folder).model.executor == "multiprocess"


def test_maintenance_is_a_job_and_no_asset(folder, project):
    run_sync(project, ["app"], [key_at(project.model.partitions, datetime.now(UTC))])
    defs = load_project(folder)
    keys = {key.to_user_string() for key in defs.get_repository_def().asset_graph.get_all_asset_keys()}
    assert not [key for key in keys if "maint" in key]
    with dg.DagsterInstance.get() as instance:
        result = defs.resolve_job_def("maintenance").execute_in_process(instance=instance)
    assert result.success
    assert open_store(project.storage).graph().resources()


def test_two_projects_and_other_definitions_merge(folder, tmp_path):
    other = write_project(tmp_path / "other")
    mine = dg.Definitions(executor=dg.in_process_executor, assets=[dg.AssetSpec("mine")])
    merged = dg.Definitions.merge(load_project(folder, prefix="one"), load_project(other, prefix="two"), mine)
    repository = merged.get_repository_def()
    names = {schedule.name for schedule in repository.schedule_defs}
    assert {"one_app_schedule", "two_app_schedule", "one_maintenance_nightly"} <= names
    assert dg.AssetKey(["two", "resources", "app"]) in repository.asset_graph.get_all_asset_keys()


def test_a_failure_is_red_also_when_only_the_resources_were_selected(folder):
    (folder / "app.db").unlink()
    job = load_project(folder).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance,
            partition_key=key_at(Partitions(start="2026-11-01"), datetime.now(UTC)),
            asset_selection=[dg.AssetKey(["resources", "app"])],
            raise_on_error=False,
        )
    assert not result.success


def test_the_repeated_hour_of_a_clock_change_has_its_own_key():
    model = Partitions(every="hour", start="2026-10-01", timezone="Europe/Berlin")
    parts = partitions_definition(model)
    for utc_hour in (0, 1):
        moment = datetime(2026, 10, 25, utc_hour, 30, tzinfo=UTC)
        assert moment in window_of(parts, key_at(model, moment))
    assert key_at(model, datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) != key_at(
        model, datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    )


def test_a_file_that_refers_to_itself_is_refused(tmp_path):
    text = "partitions: {start: 2026-11-01}\nconnections: &a\n  wh: {connector: jsonl, config: *a}\n"
    (tmp_path / "headwater.yaml").write_text(text)
    with pytest.raises(ConfigError, match="refers to itself"):
        read_project(tmp_path)


def test_a_connection_named_maintenance_has_its_schedule(tmp_path):
    folder = write_project(tmp_path / "project", FILE.replace("  app:\n", "  maintenance:\n"))
    names = [s.name for s in load_project(folder, prefix="team-a").get_repository_def().schedule_defs]
    assert {"team_a_maintenance_schedule", "team_a_maintenance_nightly"} <= set(names)


def test_a_past_partition_builds_the_newest_graph_again_too(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    text = FILE.replace('    schedule: "15 * * * *"\n', "    allow_late: true\n")
    project = read_project(write_project(tmp_path / "project", text))
    today = key_at(project.model.partitions, datetime.now(UTC))
    run_sync(project, ["app"], [today])
    past = run_sync(project, ["app"], ["2026-11-02"])
    newest = open_store(project.storage).graphs.newest()
    assert (newest.partition, newest.run_id) == (today, past.run_id)
