"""`headwater runs` and `headwater metrics` as they are read: two runs, the second of which failed."""

from __future__ import annotations

import json

import dagster as dg
import pytest

from pipelines.assets.extract import PROCESS_TAG, process_mark
from pipelines.cli.main import run
from pipelines.flow_runs.logs import run_log
from tests.pipelines.datasets.warehouse import Warehouse

LEVELS = ["debug", "info", "warning", "error"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    shop = Warehouse(tmp_path_factory.mktemp("commands") / "project")
    sinks = {"lake": {"connector": "files", "config": {"path": "./lake", "format": "csv"}}}
    shop.write({"tidy": {"from": "wh/wh.main.orders", "sinks": ["lake"]}}, sinks=sinks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(shop.folder / "home"))
        patch.delenv("HEADWATER_PROJECT", raising=False)
        assert run(["--project", str(shop.folder), "sync"]) == 0
        (shop.folder / "wh.duckdb").rename(shop.folder / "gone.duckdb")
        assert run(["--project", str(shop.folder), "sync"]) == 1
    return shop.folder


@pytest.fixture
def headwater(folder, monkeypatch, capfd):
    """Runs a command line; gives its exit code and what it said."""
    monkeypatch.setenv("DAGSTER_HOME", str(folder / "home"))

    def said(*arguments):
        capfd.readouterr()
        code = run(["--project", str(folder), *arguments])
        return code, *capfd.readouterr()

    return said


@pytest.fixture
def failed(headwater):
    """The id of the run that failed."""
    return json.loads(headwater("runs", "--limit", "1", "--json")[1])[0]["id"]


@pytest.mark.parametrize(
    ("asked", "near"),
    [
        ("tidy", "did you mean datasets/tidy or sinks/lake/tidy?"),
        ("dataset/tidy", "did you mean datasets/tidy"),
        ("nosuch", "there are datasets/tidy, resources/wh, sinks/lake/tidy, wh/wh.main.customers"),
    ],
)
def test_a_dataset_that_no_run_had_to_do_with_is_wrong_use(headwater, asked, near):
    for by in ("run", "day"):
        code, answer, told = headwater("metrics", "--by", by, "--dataset", asked, "--json")
        assert (code, answer) == (2, "")
        assert f"no run ever had to do with a dataset {asked}" in told
        assert near in told


def test_where_nothing_fits_it_says_so(headwater):
    for asked in (
        ["runs", "--status", "canceled"],
        ["runs", "--external", "--status", "failed"],
        ["runs", "--since", "2999-01-01"],
        ["metrics", "--dataset", "datasets/tidy", "--until", "1d"],
    ):
        assert headwater(*asked) == (0, "no run fits\n", "")


def test_before_the_first_run_no_dataset_is_wrong(tmp_path, monkeypatch, capfd):
    shop = Warehouse(tmp_path / "project")
    shop.write()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    for asked in (["runs"], ["metrics"], ["metrics", "--dataset", "datasets/tidy"]):
        assert run(["--project", str(shop.folder), *asked]) == 0
        assert capfd.readouterr().out == "nothing has run yet; try `headwater sync`\n"


def test_headings_say_the_time_zone_and_call_one_thing_by_one_word(headwater, failed):
    heading, *rows = headwater("runs")[1].splitlines()
    assert heading.startswith("started (UTC)  ")
    assert heading.split()[-1] == "run"
    assert rows[0].split()[-1] == failed[:8]
    heading, *rows = headwater("metrics", "--by", "run")[1].splitlines()
    assert heading.split()[:3] == ["run", "number", "status"]
    number = json.loads(headwater("runs", "show", failed, "--json")[1])["run_number"]
    assert rows[0].split()[:2] == [failed[:8], str(number)]
    assert f"run {failed}, number {number}" in headwater("runs", "show", failed)[1]


def test_a_runs_log_shows_why_it_failed_and_no_plumbing(headwater, failed):
    code, answer, _ = headwater("runs", "show", failed)
    assert code == 0
    assert "wh failed: " in answer
    assert "wh.duckdb cannot be read: No such file" in answer
    assert " debug " not in answer
    lines = json.loads(headwater("runs", "show", failed, "--json")[1])["log"]
    assert lines
    assert {line["level"] for line in lines} <= {"INFO", "WARNING", "ERROR", "CRITICAL"}
    assert [line for line in lines if "wh.duckdb cannot be read: No such file" in line["message"]]


def test_a_level_takes_what_is_of_it_and_above_but_for_empty_lines(headwater, failed, folder):
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        whole = list(run_log(instance, failed))
    assert any(entry.level == "DEBUG" for entry in whole)
    before = None
    for level in LEVELS:
        shown = json.loads(
            headwater("runs", "show", failed, "--level", level, "--lines", "9999", "--json")[1]
        )["log"]
        assert all(line["message"].strip() for line in shown)
        assert {line["level"].lower() for line in shown} <= {*LEVELS[LEVELS.index(level) :], "critical"}
        assert before is None or all(line in before for line in shown)
        before = shown
    code, answer, _ = headwater("runs", "show", failed, "--level", "debug", "--lines", "9999")
    assert code == 0
    assert len([line for line in answer.splitlines() if " debug " in line]) == len(
        [entry for entry in whole if entry.level == "DEBUG" and entry.message.strip()]
    )


def test_lines_are_counted_after_what_is_left_out(headwater, failed):
    whole = json.loads(headwater("runs", "show", failed, "--json")[1])["log"]
    last = json.loads(headwater("runs", "show", failed, "--lines", "2", "--json")[1])["log"]
    assert last == whole[-2:]
    answer = headwater("runs", "show", failed, "--lines", "2")[1]
    assert f"... and {len(whole) - 2} lines before these; see --lines" in answer


def test_a_log_without_a_line_of_the_level_says_where_the_others_are(headwater):
    first = json.loads(headwater("runs", "--status", "success", "--json")[1])[-1]["id"]
    answer = headwater("runs", "show", first, "--level", "error")[1]
    assert answer.splitlines()[-1] == "its log has no line of the level error; see --level"


def test_a_run_whose_process_is_gone_says_so(headwater, folder):
    lost = "22222222-2222-4222-8222-222222222222"
    mark = process_mark(2**22 + 1)  # no process has such a number
    keys = frozenset({dg.AssetKey(["flow_runs", "wh"])})
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        instance.run_storage.add_run(
            dg.DagsterRun(
                "__ASSET_JOB",
                lost,
                status=dg.DagsterRunStatus.STARTED,
                asset_selection=keys,
                tags={PROCESS_TAG: mark},
            )
        )
        try:
            assert "wh: the process that ran it is gone" in headwater("runs", "show", lost)[1]
        finally:
            instance.delete_run(lost)
