"""The graph of a million resources and a million references: built, built again after 1 % changed, and asked."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.estate import write_estate
from bench.measure import HEADWATER, Figure, run_command, succeed

COUNT = 1_000_000


def run(folder: Path, count: int = COUNT) -> Iterator[Figure]:
    stored = folder / ".headwater"
    write_estate(folder, count)
    yield Figure("headwater sync, wall", succeed(run_command((*HEADWATER, "sync"), folder)).seconds, "s")
    shutil.rmtree(stored / "graphs")
    full = _way("build", folder)
    bare = _way("join", folder)
    yield Figure("references, internal ones included", bare["references"])
    yield Figure("bare DuckDB join of their keys", bare["seconds"], "s")
    yield Figure("resolution: references in, edges out", full["linking"], "s")
    yield Figure("resolution / bare join", full["linking"] / bare["seconds"], "x", 8)
    yield Figure("the whole build, from the store into the store", full["total"], "s")
    yield Figure("its peak memory", full["peak_gib"], "GiB", 2 * count / COUNT)
    kept = folder / "kept"
    shutil.copytree(stored / "graphs", kept)
    write_estate(folder, count, day=1)
    succeed(run_command((*HEADWATER, "sync"), folder))
    shutil.rmtree(stored / "graphs")
    shutil.move(kept, stored / "graphs")
    again = _way("build", folder)
    yield Figure("after 1 % changed: the build", again["total"], "s")
    yield Figure("after 1 % changed / the whole build", again["total"] / full["total"], "x", 1 / 3)
    asked = _way("ask", folder)
    yield Figure("load, until the first answer", asked["load"], "s", 3)
    yield Figure("ten hops up or down: median", asked["median_ms"], "ms", 5)
    yield Figure("ten hops up or down: 99th percentile", asked["p99_ms"], "ms", 50)
    yield Figure("resources reached: mean, most", asked["mean"])
    yield Figure("memory of the loaded graph's process", asked["peak_gib"], "GiB")
    for name in ("networkx", "recursive"):
        peer = _way(name, folder)
        title = "networkx" if name == "networkx" else "DuckDB, recursive"
        yield Figure(f"{title}: load from rows in memory", peer["load"], "s")
        yield Figure(f"{title}: median", peer["median_ms"], "ms")
        yield Figure(f"{title}: 99th percentile", peer["p99_ms"], "ms")
        yield Figure(f"{title} / ours, median", peer["median_ms"] / asked["median_ms"], "x")


def _way(name: str, folder: Path) -> dict[str, float]:
    command = (sys.executable, "-m", "bench.estate_ways", name, ".")
    found: dict[str, float] = json.loads(succeed(run_command(command, folder)).output)
    return found


def run_five(folder: Path) -> Iterator[Figure]:
    """Five million of each: that it completes, and in how much memory."""
    write_estate(folder, 5 * COUNT)
    succeed(run_command((*HEADWATER, "sync"), folder))
    shutil.rmtree(folder / ".headwater" / "graphs")
    full = _way("build", folder)
    yield Figure("five million: the whole build", full["total"], "s")
    yield Figure("five million: its peak memory", full["peak_gib"], "GiB", 10)
    asked = _way("ask", folder)
    yield Figure("five million: load, until the first answer", asked["load"], "s")
    yield Figure("five million: ten hops, median", asked["median_ms"], "ms")
