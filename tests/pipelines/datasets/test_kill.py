"""A sync killed while it makes a dataset: the store shows the old one or the new one, and the next sync works."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.pipelines.datasets.laws import LONG

KILLS = 25 if LONG else 2
ROWS = 200_000
CODE = """
import logging, sys
from datetime import UTC, datetime
from pathlib import Path
from lineage import open_store
from pipelines.datasets.derive import derive_dataset
from pipelines.extract import RunInfo
from pipelines.partitions import partitions_definition, window_of
from pipelines.project import read_project
project = read_project(Path(sys.argv[1]))
window = window_of(partitions_definition(project.model.partitions), sys.argv[2])
store = open_store(project.storage)
print("begin", flush=True)
outcome = derive_dataset(project, store, "d", window, RunInfo(sys.argv[3], datetime.now(UTC)), logging.getLogger())
sys.exit(outcome.error)
"""


def start(shop, turn):
    """Begins to make the dataset in a process of its own; gives it when it is about to."""
    running = subprocess.Popen(
        [sys.executable, "-c", CODE, str(shop.folder), shop.today, f"killed-{turn}"],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == b"begin\n"
    running.stdout.close()
    return running


def state_of(shop):
    """What the dataset and its quarantine say: the state that all records carry, and how many there are of each."""
    records = shop.store.read_records("datasets", "d")
    states = set(records["state"].to_pylist())
    header = shop.store.snapshots.newest("datasets/d")
    stored = shop.store.snapshots.datasets(header)["_quarantine"]
    return states, records.num_rows, sum(part.rows for part in stored.settled), header.failed


def fill(shop, state):
    shop.execute(
        f"create or replace table r as select range as id, {state} as state, repeat('x', 20) as pad "
        f"from range({ROWS})"
    )
    shop.extract()


@pytest.mark.timeout(1800)
def test_a_dataset_killed_while_it_is_made_is_the_old_one_or_the_new_one(shop):
    shop.write(
        {
            "d": {
                "from": "wh/wh.main.r",
                "transform": {"operations": [{"compute": {"expression": "md5(pad || id)", "as": "sum"}}]},
                "validation": {"constraints": [{"range": {"column": "id", "max": ROWS - 1001}}]},
            }
        }
    )
    whole = (ROWS - 1000, 1000, 1000)
    fill(shop, 0)
    begun = time.monotonic()
    assert start(shop, 0).wait() == 0
    whole_s = time.monotonic() - begun
    assert state_of(shop) == ({0}, *whole)
    chance, killed, state = random.Random(), 0, 0
    for turn in range(1, KILLS + 1):
        fill(shop, turn)
        running = start(shop, turn)
        time.sleep(chance.uniform(0, 0.6) * whole_s)
        os.killpg(running.pid, signal.SIGKILL)
        killed += running.wait() == -signal.SIGKILL
        states, *counts = state_of(shop)
        assert states in ({state}, {turn}), f"a mixture after a kill: {states}"
        assert tuple(counts) == whole
        (state,) = states
    assert killed > 0
    shop.made("d")
    assert state_of(shop) == ({KILLS}, *whole)
