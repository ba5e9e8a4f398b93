"""Tables over an API that is killed, that fails, that never recovers, and that is large."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import pyarrow as pa
import pytest
import stamina

from connectors import Column, Connector, Table
from connectors.testing import run_connector
from lineage import open_store
from pipelines.project import read_project
from pipelines.sync import run_sync
from tests.faults.paged_api import SOURCE, PagedApi, one_in_ten
from tests.faults.test_kill import start_sync

LONG = bool(os.environ.get("HEADWATER_LONG"))
KILLS = 50 if LONG else 3
DAY = datetime.now(UTC).date().isoformat()  # a snapshot of now is taken of today alone
ID = [Column("id", pa.int64(), primary_key=True)]


@pytest.fixture
def api():
    started = PagedApi()
    yield started
    started.close()


@pytest.fixture
def folder(tmp_path, monkeypatch, api):
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "api.py").write_text(SOURCE)
    configure(folder, api)
    return folder


def configure(folder, api, **config):
    """Time-outs and waits are short: what is tested is what is repeated, not how long one is patient."""
    settings = {
        "connector": "./api.py",
        "config": {"url": api.url, **config},
        "endpoints": [api.url],
        "http": {"timeout_s": 0.5, "retries": 4},
    }
    project = {"partitions": {"every": "day", "start": "2026-11-01"}, "connections": {"api": settings}}
    (folder / "headwater.yaml").write_text(json.dumps(project))


def stored(folder, table):
    return [row["id"] for row in open_store(folder / ".headwater").read_records("api", table).to_pylist()]


def datasets(folder):
    snapshots = open_store(folder / ".headwater").snapshots
    return snapshots.datasets(snapshots.newest("api"))


def sync(folder):
    return run_sync(read_project(folder), ["api"], [DAY]).outcomes[0]


@pytest.mark.timeout(1800)
def test_an_incremental_sync_killed_at_any_moment_and_resumed_has_every_record_once(folder, api):
    chance = random.Random()
    api.size, api.pause_s = 400, 0.01

    begun = time.monotonic()
    assert start_sync(folder, folder.parent / "home").wait() == 0
    whole_s = time.monotonic() - begun
    killed = 0
    while killed < KILLS:
        api.size += chance.randrange(1, 400)
        child = start_sync(folder, folder.parent / "home")
        try:
            child.wait(chance.uniform(0.3 * whole_s, whole_s))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            killed += 1
        for table in ("items", "log"):
            found = stored(folder, table)
            assert found == list(range(1, len(found) + 1)), (
                "what stands is a whole beginning, each record once"
            )
    assert start_sync(folder, folder.parent / "home").wait() == 0
    # `log` has no primary key: a record that was stored twice would be there twice.
    assert stored(folder, "items") == stored(folder, "log") == list(range(1, api.size + 1))


def test_an_api_that_fails_a_tenth_of_its_calls_is_read_whole(folder, api, monkeypatch):
    monkeypatch.setattr(api, "faults", one_in_ten(seed=3))
    api.size = 400
    configure(folder, api, parts=True)
    with stamina.set_testing(True, attempts=100, cap=True):  # the waits between attempts, not their number
        outcome = sync(folder)
    assert outcome.report.complete, outcome.report.warnings
    assert stored(folder, "items") == stored(folder, "log") == list(range(1, 401))
    assert len(stored(folder, "parts")) == len(set(stored(folder, "parts"))) == 800
    failures = sum(api.failed.values())
    assert set(api.failed) == {"429", "500", "slow", "torn", "html"}
    needed = 2 * 20 + 400  # the pages of two tables, and one call for each item's parts
    assert sum(api.answered.values()) == needed
    assert failures >= needed * 0.05
    assert outcome.report.requests == needed


def test_a_call_that_never_recovers_is_named_and_its_siblings_are_whole(folder, api, monkeypatch):
    monkeypatch.setattr(api, "faults", lambda path: "500" if path == "/items/7/parts" else None)
    api.size = 60
    configure(folder, api, parts=True)
    with stamina.set_testing(True, attempts=100, cap=True):
        outcome = sync(folder)
    assert not outcome.report.complete
    (told,) = outcome.report.warnings
    assert told.startswith(f"parts: GET {api.url}/items/7/parts answered 500")
    assert api.failed == {"500": 5}  # the first attempt and four more
    assert stored(folder, "items") == stored(folder, "log") == list(range(1, 61))
    assert len(stored(folder, "parts")) == 59 * 2
    cursors = datasets(folder)
    assert (cursors["items"].cursors, cursors["log"].cursors) == ({}, {"log": "60"})
    monkeypatch.setattr(api, "faults", lambda path: None)
    assert sync(folder).report.complete
    assert len(stored(folder, "parts")) == 60 * 2


def test_an_api_that_never_answers_well_fails_the_run_and_says_which_call(folder, api, monkeypatch):
    api.size = 60
    assert sync(folder).report.complete
    monkeypatch.setattr(api, "faults", lambda path: "html")
    with stamina.set_testing(True, attempts=100, cap=True):
        outcome = sync(folder)
    assert outcome.status == "FAILED"
    assert f"GET {api.url}/items" in outcome.error
    assert "not JSON" in outcome.error
    assert stored(folder, "items") == list(range(1, 61))


# -- large


def wide(tables, parents, depth):
    """Many tables, one of them with many records that have children, to a depth."""

    def level(at):
        below = [level(at + 1)] if at < depth else []
        children = [{"id": 1}, {"id": 2}][: 2 if at == 1 else 1]
        return Table(f"level_{at}", ID, relations=below, resolve=lambda client, record: iter(children))

    deep = Table(
        "deep", ID, relations=[level(1)], resolve=lambda client, record: ({"id": i} for i in range(parents))
    )
    many = [Table(f"t{at}", ID, resolve=lambda client, record: iter([{"id": 1}])) for at in range(tables)]
    return [deep, *many]


def test_a_thousand_tables_and_ten_thousand_parents_five_deep(caplog):
    threads = []

    class Large(Connector):
        concurrency = 16

        def tables(self):
            return wide(1000, 10_000, 5)

        def reject(self, location, cause):
            raise AssertionError(location)

    before = threading.active_count()
    watching = threading.Event()

    def watch():
        while not watching.wait(0.02):
            threads.append(threading.active_count())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        found = run_connector(Large)
    finally:
        watching.set()
        watcher.join()
    assert found.report.complete
    rows = {name: one.rows for name, one in found.report.tables.items()}
    assert rows["deep"] == 10_000
    assert [rows[f"level_{at}"] for at in range(1, 6)] == [20_000] * 5
    assert sum(rows[f"t{at}"] for at in range(1000)) == 1000
    assert max(threads) <= before + 1 + 16


PEAK = """
import resource, sys, pyarrow as pa
from connectors import Column, Connector, Table
from connectors.testing import run_connector, Extract
Extract.records = lambda self, table, batch: None
def rows(client, record):
    return ({"id": i, "name": f"row {i}", "tags": "x" * 50} for i in range(int(sys.argv[1])))
class Many(Connector):
    def tables(self):
        columns = [Column("id", pa.int64()), Column("name", pa.string()), Column("tags", pa.string())]
        return [Table("many", columns, resolve=rows)]
assert run_connector(Many).report.rows == int(sys.argv[1])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_rows():
    peaks = []
    for rows in (100_000, 1_000_000):
        finished = subprocess.run(
            [sys.executable, "-c", PEAK, str(rows)],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=os.getcwd(),
            env={**os.environ, "PYTHONPATH": os.getcwd()},
        )
        assert finished.returncode == 0, finished.stderr
        peaks.append(int(finished.stdout))
    assert peaks[1] < peaks[0] * 1.25
