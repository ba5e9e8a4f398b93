"""Flow runs, their logs and metrics over HTTP and in the client: two runs, the second of which failed."""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipelines.cli.main import run
from pipelines.client import ApiError, HeadwaterClient
from pipelines.flow_runs import open_flow_runs
from pipelines.project import read_project
from pipelines.server.runs import ProjectedRuns
from tests.pipelines.server.conftest import CONNECTOR, serving, until

FLOWS = ["app", "events", "hand", "scripts", "shop_api"]
TELLS = """
    def extract(self):
        for number, status in enumerate(["SUCCESS", "FAILED", "SUCCESS"]):
            at = datetime(2026, 11, 1, number, tzinfo=UTC)
            self.declare_run(ExternalRun(id=str(number), job="nightly", status=status, started_at=at))
"""
IMPORTS = "from datetime import UTC, datetime\nfrom connectors.model.external_run import ExternalRun\n"


@pytest.fixture(scope="module")
def folder(served_folder, tmp_path_factory):
    """The synced project, and a run of two connections more: one tells of runs of another system, the other fails."""
    folder = shutil.copytree(served_folder, tmp_path_factory.mktemp("runs") / "project")
    told = IMPORTS + CONNECTOR.replace("    def extract(self):\n        pass\n", TELLS.lstrip("\n"))
    (folder / "shop_api.py").write_text(told)
    (folder / "r.jsonl").rename(folder / "away.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder / "home"))
        assert run(["--project", str(folder), "sync", "hand", "shop_api"]) == 1
    return folder


@pytest.fixture(scope="module")
def known(folder):
    """The flow runs as `headwater runs` reads them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder / "home"))
        with open_flow_runs(read_project(folder)) as runs:
            return {
                "runs": [one.to_dict() for one in runs.find()],
                "run": [one.to_dict() for one in runs.metrics("run")],
                "day": [one.to_dict() for one in runs.metrics("day")],
            }


@pytest.fixture(scope="module")
def url(folder):
    with serving(folder) as url:
        until(lambda: "headwater_dagster_readable 1.0" in httpx.get(f"{url}/metrics").text)
        yield url


@pytest.fixture(scope="module")
def api(url):
    with httpx.Client(base_url=f"{url}/api/v1/", timeout=30) as made:
        yield made


@pytest.fixture(scope="module")
def client(url):
    with HeadwaterClient(url) as made:
        yield made


def paged(api, path, limit, **parameters):
    """Every item, page after page."""
    found, cursor = [], None
    while True:
        given = {**parameters, "limit": limit} | ({"cursor": cursor} if cursor else {})
        page = api.get(path, params=given).json()
        assert len(page["items"]) <= limit
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_runs_and_metrics_come_in_pages_as_the_command_line_has_them(api, known, limit):
    assert paged(api, "runs", limit) == known["runs"]
    assert paged(api, "metrics", limit, by="run") == known["run"]
    assert paged(api, "metrics", limit) == known["day"]
    assert [(one["flow"], one["status"]) for one in known["runs"]] == [
        *(("hand", "FAILED"), ("shop_api", "SUCCESS")),
        *((flow, "SUCCESS") for flow in FLOWS),
    ]


def test_runs_are_chosen_by_flow_status_and_time(client, known):
    newest = known["runs"][0]
    created = datetime.fromtimestamp(newest["run_number"] / 1000, UTC)
    assert client.runs.list(status="FAILED") == [newest]
    assert [one["status"] for one in client.runs.list(flow="hand")] == ["FAILED", "SUCCESS"]
    assert list(client.runs.iterate(since=created - timedelta(milliseconds=1))) == known["runs"][:2]
    assert client.runs.list(until=created - timedelta(milliseconds=1), limit=3) == known["runs"][2:5]
    assert list(client.runs.iterate(since="7d", until="1d")) == []
    assert {one["dataset"] for one in client.run_metrics.by_run(flow="hand")} == {"resources/hand"}
    (day,) = client.run_metrics.by_day(dataset="resources/hand", since=created.isoformat()[:10])
    assert (day["runs"], day["errors"]) == (2, 1)


def test_a_run_is_found_by_its_number_its_id_and_either_end_of_that(client, known):
    newest = known["runs"][0]
    whole = client.runs.get(newest["id"])
    assert whole["flows"] == known["runs"][:2]
    assert (whole["run_number"], whole["status"], whole["trigger"]) == (
        *(newest["run_number"], "FAILED", "manual"),
    )
    for text in (newest["run_number"], newest["id"][:9], newest["id"][-9:]):
        assert client.runs.get(text) == whole
    for text, status in (("no-such-run", 404), ("0" * 36, 404), ("%", 404)):
        with pytest.raises(ApiError) as raised:
            client.runs.get(text)
        assert raised.value.status == status


def test_a_runs_log_comes_in_pages_and_says_why_it_failed(api, client, known):
    run_id = known["runs"][0]["id"]
    lines = list(client.runs.log(run_id))
    assert any("hand failed" in line["message"] and line["level"] == "ERROR" for line in lines)
    assert lines == sorted(lines, key=lambda line: line["at"])
    assert paged(api, f"runs/{run_id}/log", 7) == lines
    assert api.get("runs/no-such-run/log").status_code == 404


def test_runs_of_other_systems_are_told_apart(client, known):
    found = client.runs.external()
    assert [(one["connection"], one["id"]) for one in found] == [("shop_api", id) for id in "210"]
    assert [one["id"] for one in client.runs.external(status="SUCCESS", limit=1)] == ["2"]
    assert [one["id"] for one in client.runs.external(since="2026-11-01T01:30Z")] == ["2"]
    assert client.runs.external(connection="app") == []
    assert not {one["id"] for one in found} & {one["id"] for one in known["runs"]}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *(("runs?flow=nobody", 404), ("metrics?flow=nobody", 404), ("external_runs?connection=nobody", 404)),
        *(("runs?since=yesterday", 422), ("runs?since=2026-02-30", 422), ("runs?status=success", 422)),
        *(("metrics?by=hour", 422), ("runs?limit=0", 422), ("runs?cursor=x", 422), ("metrics?cursor=x", 422)),
        # Cursors of another list, of the other kind of sum, and with numbers that no run has.
        *(("runs?cursor=WzFd", 422), ("metrics?by=run&cursor=WyJ4IiwxXQ", 422)),
        *(("metrics?cursor=WyJ4IiwxXQ", 422), ("metrics?by=run&cursor=WzkyMjMzNzIwMzY4NTQ3NzU4MDcsMV0", 422)),
        ("runs?cursor=WzkyMjMzNzIwMzY4NTQ3NzU4MDcsImEiXQ", 200),
        *(("runs/x/log?cursor=Wy0xXQ", 422), ("runs/x/result", 404)),
    ],
)
def test_what_cannot_be_answered_is_told(api, path, status):
    assert api.get(path).status_code == status


def test_a_moment_that_is_none_is_told_with_what_to_write(api):
    assert api.get("runs?since=yesterday").json()["detail"] == (
        "since: yesterday is no moment; write 2026-11-20, 2026-11-20T15:00 (UTC), or 7d, 12h, 30m"
    )


def test_prometheus_is_told_of_the_last_run_of_each_flow(url, known):
    families = text_string_to_metric_families(httpx.get(f"{url}/metrics").text)
    told = {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}
    prefix = "headwater_flow_last"
    newest = {one["flow"]: one for one in reversed(known["runs"])}
    assert {key[1] for key in told if key[0] == f"{prefix}_run_records"} == set(FLOWS)
    for flow, one in newest.items():
        ended = datetime.fromisoformat(one["ended_at"]).timestamp()
        for status in ("SUCCESS", "WARNING", "FAILED", "CANCELED"):
            assert told[f"{prefix}_run_status", flow, status.lower()] == (one["status"] == status)
        assert told[f"{prefix}_run_timestamp_seconds", flow] == pytest.approx(ended)
        for name in ("records", "errors", "quarantined", "size_bytes"):
            assert told[f"{prefix}_run_{name}", flow] == one[name]
        succeeded = told[f"{prefix}_success_timestamp_seconds", flow]
        assert (succeeded < ended - 0.01) == (flow == "hand")
    assert told["headwater_runs_total", "success"] == 1
    assert told["headwater_runs_total", "failed"] == 1
    assert told["headwater_runs_under_way", "running"] == 0
    assert told["headwater_dagster_readable",] == 1


def test_a_new_run_and_a_schedule_that_is_switched_are_seen_soon(served_folder, tmp_path, monkeypatch):
    folder = shutil.copytree(served_folder, tmp_path / "project")
    monkeypatch.setenv("DAGSTER_HOME", str(folder / "home"))
    project = read_project(folder)
    runs = ProjectedRuns(lambda: project)
    assert not runs.is_open
    runs.look()
    assert runs.schedules_on == {"app": False, "hand": False}
    before = runs.flow_runs
    with dg.DagsterInstance.get() as instance:
        made = instance.create_run_for_job(of_a_command, status=dg.DagsterRunStatus.STARTED)

    def is_seen() -> bool:
        runs.look()
        return runs.row_of(made.run_id) is not None

    until(is_seen, seconds=5)
    assert runs.id_of(made.run_id) == made.run_id
    assert runs.flow_runs is before
    project = read_project(folder)
    assert runs.flow_runs is not before
    runs.close()
    runs.look()


@dg.job
def of_a_command() -> None:
    """Does nothing."""


def test_without_dagsters_records_the_rest_is_answered_and_the_log_tells_once(
    served_folder, tmp_path, monkeypatch, caplog
):
    folder = shutil.copytree(served_folder, tmp_path / "project")
    shutil.rmtree(folder / "home")
    Path(folder / "home").write_text("no folder")
    with serving(folder) as url, httpx.Client(base_url=url) as client:
        readable = "headwater_dagster_readable 0.0"
        until(
            lambda: client.get("/api/v1/runs").json()["detail"].startswith("Dagster's records cannot be read")
        )
        answer = client.get("/api/v1/metrics")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert readable in client.get("/metrics").text
        assert client.get("/readyz").status_code == 200
        assert client.get("/api/v1/connections").status_code == 200
        time.sleep(1.2)  # for two more looks
    said = [one for one in caplog.records if "Dagster's records cannot be read" in one.message]
    assert len(said) == 1
