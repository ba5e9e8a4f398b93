"""`headwater sync` killed at any moment: what was complete stays, and the next sync works."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lineage import open_store
from pipelines.flow_runs import open_flow_runs
from pipelines.flow_runs.dagster_records import LOST
from pipelines.project import read_project

KILLS = 40 if os.environ.get("HEADWATER_LONG") else 3
SIZE = 3000
FILE = """\
partitions: {every: day, start: 2026-11-01}
connections:
  one: {connector: jsonl, max_drop: 1, config: {resources: ./one.jsonl}}
  two: {connector: jsonl, max_drop: 1, config: {resources: ./two.jsonl, lineage: ./links.jsonl}}
"""
MAIN = "import sys; from pipelines.cli import main; main(sys.argv[1:])"


def write_state(folder: Path, state: int) -> None:
    """Every resource's title carries the state: a mixture of two states is seen."""
    one = [
        f'{{"entity_type": "table", "databuilder_id": "t{n}", "title": "t{n}", "schema": "s{state}"}}'
        for n in range(SIZE + state % 2)
    ]
    two = [f'{{"entity_type": "chart", "databuilder_id": "c{n}", "title": "s{state}"}}' for n in range(SIZE)]
    links = [
        f'{{"from_identifier": {{"type": "external_table", "table": "t{n}"}}, '
        f'"to_identifier": {{"type": "internal_resource", "databuilder_id": "c{n}"}}}}'
        for n in range(SIZE)
    ]
    for name, lines in (("one", one), ("two", two), ("links", links)):
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")


def start_sync(folder: Path, home: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "DAGSTER_HOME": str(home)}
    return subprocess.Popen(
        [sys.executable, "-c", MAIN, "sync"],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def exported_states(folder: Path) -> tuple[set[str], set[str], int]:
    """The states that the exported graph shows of each connection, and its edges."""
    whole = open_store(folder / ".headwater").graph().to_dict()
    one = {r["schema"] for r in whole["resources"] if r["connection"] == "one"}
    two = {r["title"] for r in whole["resources"] if r["connection"] == "two"}
    assert len([r for r in whole["resources"] if r["connection"] == "two"]) == SIZE
    return one, two, len(whole["edges"])


@pytest.mark.timeout(1800)
def test_a_sync_killed_at_any_moment_leaves_a_complete_state(tmp_path, monkeypatch):
    chance = random.Random()
    folder, home = tmp_path / "project", tmp_path / "home"
    folder.mkdir()
    (folder / "headwater.yaml").write_text(FILE)
    write_state(folder, 0)
    begun = time.monotonic()
    assert start_sync(folder, home).wait() == 0
    whole_s = time.monotonic() - begun
    known = {"s0"}
    killed = 0
    for turn in range(1, KILLS + 1):
        before = exported_states(folder)
        write_state(folder, turn)
        known.add(f"s{turn}")
        running = start_sync(folder, home)
        # The first half is imports: the moments that matter come after it.
        wait_s = chance.uniform(0.4, 1.05) * whole_s
        time.sleep(wait_s)
        os.killpg(running.pid, signal.SIGKILL)
        killed += running.wait() == -signal.SIGKILL
        one, two, edges = exported_states(folder)
        assert len(one) == len(two) == 1, f"a mixture after {wait_s:.2f} s: {one} {two}"
        assert one | two <= known
        assert edges == before[2] == SIZE
        headers = open_store(folder / ".headwater").snapshots.headers()
        assert sorted(h.connection for h in headers) == ["one", "two"]
        if turn % 3 == 0 or turn == KILLS:
            assert start_sync(folder, home).wait() == 0
            assert exported_states(folder)[:2] == ({f"s{turn}"}, {f"s{turn}"})
    assert killed > 0
    project = read_project(folder)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with open_flow_runs(project) as flow_runs:
        runs = flow_runs.find(limit=1000)
    assert not [run for run in runs if run.status in ("RUNNING", "QUEUED")]
    assert all(run.error == LOST for run in runs if run.status == "FAILED")
