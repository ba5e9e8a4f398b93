"""Real runs, thirty with the full counts: failures, quarantines, deliveries that fail, backfills, replays, kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from pipelines.flow_runs import FlowRuns, open_flow_runs
from pipelines.flow_runs.dagster_records import LOST
from tests.pipelines.datasets.warehouse import Warehouse

VALID = {"schema": {"type": "object", "properties": {"amount": {"type": "number", "minimum": 3}}}}
LONG = bool(os.environ.get("HEADWATER_LONG"))
SYNC = "import sys; from pipelines.cli import main; main(['sync'])"


def write(shop: Warehouse, *, sink: str = "./lake", hangs: bool = False) -> None:
    connections = {}
    if hangs:
        (shop.folder / "slow.py").write_text(
            "import time\nfrom connectors import Connector\n\n\nclass Slow(Connector):\n"
            "    def extract(self):\n        time.sleep(600)\n"
        )
        connections = {"zzz": {"connector": "./slow.py"}}  # its step is the last
    shop.write(
        {
            "tidy": {
                "from": "wh/wh.main.orders",
                "transform": {"operations": [{"compute": {"expression": "amount * 2", "as": "twice"}}]},
                "validation": {**VALID, "on_invalid": "quarantine"},
                "sinks": ["lake"],
            }
        },
        sinks={"lake": {"connector": "files", "config": {"path": sink, "format": "csv"}}},
        connections=connections,
    )


def recorded(shop: Warehouse) -> bool:
    """Whether the run under way has recorded its connection."""
    with open_flow_runs(shop.project) as found:
        return any(run.status == "RUNNING" and run.records for run in found.find(flow="wh", limit=1))


def kill_a_sync(shop: Warehouse) -> None:
    """A sync that is killed while a connection is being read."""
    write(shop, hangs=True)
    running = subprocess.Popen(
        [sys.executable, "-c", SYNC],
        cwd=shop.folder,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not recorded(shop):
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    write(shop)


@pytest.mark.timeout(600)
def test_real_runs_sum_by_day_as_by_run(shop: Warehouse, tmp_path: Path):
    write(shop)
    wanted: Counter[tuple[str, str]] = Counter()

    def count(report) -> None:
        for one in report.outcomes:
            wanted["resources/wh", "errors"] += one.error is not None
            for table, given in one.given.items() if one.error is None else ():
                wanted[f"wh/{table}", "records"] += given.rows
        for one in report.made:
            failed = one.status == "FAILED"
            wanted[one.name, "records"] += 0 if failed else getattr(one, "made", one.rows)
            wanted[one.name, "quarantined"] += getattr(one, "quarantined", 0)
            wanted[one.name, "errors"] += getattr(one, "invalid", 0) + failed

    for turn in range(18 if LONG else 5):
        if turn % 5 == 2:
            (shop.folder / "wh.duckdb").rename(shop.folder / "gone.duckdb")
        if turn % 5 == 3:
            (shop.folder / "taken").write_text("no folder")
            write(shop, sink="./taken")
        count(shop.sync())
        if turn % 5 == 2:
            (shop.folder / "gone.duckdb").rename(shop.folder / "wh.duckdb")
        if turn % 5 == 3:
            write(shop)
        shop.execute(f"insert into orders values ({100 + turn}, 1, {turn}.5, '1', [], null)")
    for before in range(5 if LONG else 1, 0, -1):
        count(shop.sync(day=shop.day(before)))
    from pipelines.sync import run_sync

    count(run_sync(shop.project, ["wh"], [shop.day(n) for n in (9, 8, 7)]))
    for _ in range(3 if LONG else 1):
        count(run_sync(shop.project, [], [shop.today], replay="tidy"))
    for _ in range(2 if LONG else 1):
        kill_a_sync(shop)
    count(shop.sync())

    with open_flow_runs(shop.project) as found:
        runs = found.find(limit=1000)
        check_sums(found)
        by_run = found.metrics("run")
        killed = [one for one in runs if one.error and LOST in one.error]
    assert len({run.id for run in runs}) == (30 if LONG else 10)
    assert len(killed) == (2 if LONG else 1)
    # Of what was killed the connection had been read; datasets and deliveries count as failed.
    for run in killed:
        assert {one.dataset: one.errors for one in run.datasets if one.errors} == {
            "datasets/tidy": 1,
            "sinks/lake/tidy": 1,
        }
        for one in run.datasets:
            wanted[one.dataset, "records"] += one.records if one.dataset.startswith("wh/") else 0
            wanted[one.dataset, "errors"] += one.errors
    summed: Counter[tuple[str, str]] = Counter()
    for one in by_run:
        for column in ("records", "errors", "quarantined"):
            if one.dataset != "resources/wh" or column == "errors":
                summed[one.dataset, column] += getattr(one, column)
    assert +summed == +wanted
    assert {run.status for run in runs} == {"WARNING", "FAILED"}


def check_sums(found: FlowRuns) -> None:
    for dataset in {one.dataset for one in found.metrics("run")}:
        by_run = found.metrics("run", dataset=dataset)
        by_day = found.metrics("day", dataset=dataset)
        for column in ("records", "size_bytes", "errors", "quarantined"):
            assert sum(getattr(one, column) for one in by_run) == sum(getattr(one, column) for one in by_day)
        assert sum(one.runs for one in by_day) == len(by_run) == found.count_runs(dataset=dataset)
