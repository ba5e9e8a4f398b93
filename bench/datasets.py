"""Ten million records of ten columns from a database into the store, through rename, compute, filter and constraints
into a Delta sink; beside one DuckDB statement that does the same work from the same files into Parquet.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.measure import ROOT, Figure

RECORDS = 10_000_000
ROUNDS = 3


def run(folder: Path) -> Iterator[Figure]:
    prepared = _way("prepare", folder)
    ours, bare = [], []
    for _ in range(ROUNDS):
        ours.append(_way("ours", folder))
        bare.append(_way("bare", folder))
    if {one["rows"] for one in ours} != {one["rows"] for one in bare}:
        raise RuntimeError(f"the records differ: {ours[0]['rows']} and {bare[0]['rows']}")
    mine, theirs = median(one["wall_s"] for one in ours), median(one["wall_s"] for one in bare)
    yield Figure("DuckDB to the store, 10 million records", prepared["wall_s"], "s")
    yield Figure("DuckDB to the store: peak", prepared["peak_gib"], "GiB", 1.0)
    yield Figure("one DuckDB statement to Parquet", RECORDS / theirs, "records/s")
    yield Figure("one DuckDB statement: peak", median(one["peak_gib"] for one in bare), "GiB")
    yield Figure("dataset and sink", RECORDS / mine, "records/s")
    yield Figure("of it the dataset", median(one["derive_s"] for one in ours), "s")
    yield Figure("of it the sink", median(one["deliver_s"] for one in ours), "s")
    yield Figure("dataset and sink / one DuckDB statement", theirs / mine, "x", at_least=0.5)
    yield Figure("dataset and sink: peak", max(one["peak_gib"] for one in ours), "GiB", 2.0)


def _way(way: str, folder: Path) -> dict[str, float]:
    finished = subprocess.run(
        (sys.executable, str(ROOT / "bench" / "datasets_ways.py"), way, str(folder), str(RECORDS)),
        capture_output=True,
        text=True,
        timeout=900,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    if finished.returncode:
        raise RuntimeError(f"{way} failed: {finished.stderr[-2000:]}")
    answer: dict[str, float] = json.loads(finished.stdout.strip().splitlines()[-1])
    return answer
