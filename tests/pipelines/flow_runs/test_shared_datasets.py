"""A dataset that two connections feed counts for the flows of those that ran with it, in runs as in metrics."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pipelines.flow_runs.ledger import Ledger, PartRow, RunRow
from pipelines.flow_runs.reading import FlowRuns
from pipelines.project import read_project
from pipelines.statuses import SUCCESS

FILE = {
    "partitions": {"every": "day", "start": "2026-11-01"},
    "connections": {
        name: {"connector": "sqlite", "config": {"path": f"{name}.db"}, "records": ["*"]} for name in "abc"
    },
    "datasets": {
        "alone": {"from": "a/a.main.t"},
        "both": {
            "from": "a/a.main.t",
            "transform": {
                "inputs": {"r": "b/b.main.t"},
                "sql": "select i.id from input i join r on r.id = i.id",
            },
        },
    },
}
RUN = RunRow(0, "", 0, SUCCESS, "manual", 1, 0, 0, 0, "", None, None, 0.0, True)
BOTH = "datasets/both"
# Of each run what it had to do with; the dataset of both was made by all.
RAN = {1: ["a", "b"], 2: ["b"], 3: [], 4: ["a", "datasets/alone"], 5: ["c"]}
COUNTED = {"a": {1, 3, 4, 5}, "b": {1, 2, 3, 5}, "c": {5}}


@pytest.fixture
def flow_runs(tmp_path):
    (tmp_path / "headwater.yaml").write_text(json.dumps(FILE))
    ledger = Ledger(tmp_path / "flow_runs.db")
    ledger.open_for("here")
    ledger.put_runs(dataclasses.replace(RUN, number=number, id=f"run-{number}") for number in RAN)
    ledger.put_parts(
        PartRow(
            number, name if "/" in name else f"resources/{name}", "d", name, True, SUCCESS, records=10**number
        )
        for number, names in RAN.items()
        for name in [*names, BOTH]
    )
    yield FlowRuns(read_project(tmp_path), ledger)
    ledger.close()


@pytest.mark.parametrize("flow", "abc")
def test_runs_and_metrics_of_a_flow_are_of_the_same_parts(flow_runs, flow):
    runs = flow_runs.find(flow=flow)
    assert {one.run_number for one in runs} == COUNTED[flow]
    by_run, by_day = flow_runs.metrics("run", flow=flow), flow_runs.metrics("day", flow=flow)
    for sums in (by_run, by_day):
        assert sum(one.records for one in sums) == sum(one.records for one in runs)
    assert flow_runs.numbers(flow, 10) == sorted(COUNTED[flow], reverse=True)


def test_without_a_flow_each_part_counts_once(flow_runs):
    wanted = sum(10**number * (len(names) + 1) for number, names in RAN.items())
    assert sum(one.records for one in flow_runs.metrics("run")) == wanted
