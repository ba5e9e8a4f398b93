"""A year of daily syncs of ten thousand resources, 1 % changing a day, and the same with thirty days kept.

Wants libfaketime (Debian's package `faketime`), which sets the clock of the process that syncs.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from bench.measure import Figure, run_command, succeed

COUNT = 10_000
DAYS = 365
WEEK, MONTH = 7, 30


def run(folder: Path) -> Iterator[Figure]:
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        raise RuntimeError("libfaketime is not installed; it is in Debian's package `faketime`")
    year = _days(folder / "year", libraries[0])
    growth = [after["bytes"] - before["bytes"] for before, after in pairwise(year)]
    yield Figure("sync, first week", _median(year[:WEEK], "sync"), "s")
    yield Figure(
        "sync, last week / first week", _median(year[-WEEK:], "sync") / _median(year[:WEEK], "sync"), "x", 2
    )
    yield Figure("graph as of a past day, first week", _median(year[:WEEK], "as_of") * 1000, "ms")
    ratio = _median(year[-WEEK:], "as_of") / _median(year[:WEEK], "as_of")
    yield Figure("graph as of a past day, last week / first week", ratio, "x", 2)
    first, last = statistics.mean(growth[: WEEK - 1]), statistics.mean(growth[-MONTH:])
    yield Figure("the store's growth a day, first week", first / 1000, "kB")
    yield Figure("the store's growth a day, last month / first week", last / first, "x", 2)
    yield Figure("the store after a year", year[-1]["bytes"] / 1e6, "MB")
    kept = _days(folder / "kept", libraries[0], keep=MONTH)
    largest = max(one["bytes"] for one in kept[MONTH:])
    yield Figure("thirty days kept: the store after the first month", kept[MONTH - 1]["bytes"] / 1e6, "MB")
    yield Figure(
        "thirty days kept: its largest size since / that", largest / kept[MONTH - 1]["bytes"], "x", 2
    )


def _median(days: Sequence[dict[str, float]], name: str) -> float:
    return statistics.median(day[name] for day in days)


def _days(folder: Path, library: Path, keep: int | None = None) -> list[dict[str, float]]:
    folder.mkdir(parents=True)
    environment = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(folder / ".clock"),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "TZ": "UTC",
    }
    (folder / ".clock").write_text("@2025-11-20 05:00:00\n")
    arguments = [str(folder), str(DAYS), str(COUNT), *([str(keep)] if keep else [])]
    done = succeed(run_command((sys.executable, "-m", "bench.year_days", *arguments), folder, environment))
    return [json.loads(line) for line in done.output.splitlines()]
