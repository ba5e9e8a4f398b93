"""200,000 resources and 200,000 references through two jsonl connections, beside parsing and writing them once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from bench.catalogue import write_catalogue
from bench.measure import HEADWATER, Figure, run_command, succeed

COUNT = 200_000
LIMIT_S = 60
LIMIT_GIB = 2


def run(folder: Path) -> Iterator[Figure]:
    write_catalogue(folder, COUNT)
    synced = succeed(run_command((*HEADWATER, "sync"), folder))
    again = succeed(run_command((*HEADWATER, "sync"), folder))
    bare = succeed(run_command((sys.executable, "-m", "bench.bare", "."), folder))
    yield Figure("headwater sync, wall", synced.seconds, "s", LIMIT_S)
    yield Figure("headwater sync, peak memory", synced.peak_bytes / 2**30, "GiB", LIMIT_GIB)
    yield Figure("the same again, nothing changed, wall", again.seconds, "s", LIMIT_S)
    yield Figure("lower bound (parse with pydantic, write Parquet), wall", bare.seconds, "s")
    yield Figure("lower bound, peak memory", bare.peak_bytes / 2**30, "GiB")
    yield Figure("sync / lower bound", synced.seconds / bare.seconds, "x")
