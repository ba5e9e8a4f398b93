"""Rows from generators into Arrow: ours, the CloudQuery SDK's, dlt's, and columns filled by hand. Each in a process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench.measure import ROOT, Figure, environment

KIT = ROOT.parent / "shared" / "accept" / "cloudquery" / "throughput.py"
PEERS = ("cloudquery-plugin-sdk==0.1.56", "orjson", "dlt[parquet]==1.31.0")
ROUNDS = 3
ROWS, SDK_ROWS = 200_000, 20_000
SHAPES = (("mixed", ""), ("plain", ""), ("mixed", "nested"))


def run(folder: Path) -> Iterator[Figure]:
    if not KIT.exists():
        print(f"  left out: there is no {KIT.name} beside the checkout", file=sys.stderr)
        return
    peers = environment("tables", PEERS)
    for shape, nested in SHAPES:
        name = " ".join(filter(None, (shape, nested)))
        mine, by_hand, odd, sdk = [], [], [], []
        for _ in range(ROUNDS):
            mine.append(_way("ours", shape, ROWS, nested))
            by_hand.append(_way("hand", shape, ROWS, nested))
            if shape == "mixed":
                odd.append(_way("odd", shape, ROWS, nested))
            sdk.append(_peer(peers, "sdk", shape, SDK_ROWS, nested))
        rate = median(one["rows"] / one["wall_s"] for one in mine)
        theirs = median(one["rows_s"] for one in sdk)
        hand_cpu = median(one["cpu_s"] / one["rows"] for one in by_hand)
        yield Figure(f"{name}: ours", rate, "rows/s")
        yield Figure(f"{name}: the SDK in-process", theirs, "rows/s")
        yield Figure(f"{name}: ours / the SDK", rate / theirs, "x", at_least=40)
        yield Figure(f"{name}: CPU, ours / by hand", _cpu(mine) / hand_cpu, "x", 2.0)
        if odd:
            yield Figure(f"{name}, coerced and refused: CPU / by hand", _cpu(odd) / hand_cpu, "x", 2.0)
    for shape in ("mixed", "plain"):
        stored = median(
            one["rows"] / one["wall_s"] for one in (_way("stored", shape, ROWS, "") for _ in range(ROUNDS))
        )
        dlt = median(_peer(peers, "dlt", shape, ROWS, "")["rows_s"] for _ in range(2))
        yield Figure(f"{shape}, to Parquet: ours, stored", stored, "rows/s")
        yield Figure(f"{shape}, to Parquet: dlt", dlt, "rows/s")
        yield Figure(f"{shape}, to Parquet: ours / dlt", stored / dlt, "x", at_least=4)
    for way in ("ours", "stored"):
        few, many = (_way(way, "mixed", rows, "")["peak_mib"] for rows in (100_000, 1_000_000))
        yield Figure(f"mixed, {way}: peak, a million rows", many, "MiB")
        yield Figure(f"mixed, {way}: peak, a million / 100,000", many / few, "x", 1.25)
    few, many = (_way("wide", "plain", parents, "")["peak_mib"] for parents in (1000, 10_000))
    yield Figure("1,000 tables, 10,000 parents five deep: peak", many, "MiB")
    yield Figure("1,000 tables, parents five deep: peak, 10,000 / 1,000", many / few, "x", 1.25)


def _cpu(runs: list[dict[str, float]]) -> float:
    return median(one["cpu_s"] / one["rows"] for one in runs)


def _way(way: str, shape: str, rows: int, nested: str) -> dict[str, float]:
    program = str(ROOT / "bench" / "tables_ways.py")
    return _answer(sys.executable, program, way, shape, str(rows), nested or "flat", str(KIT))


def _peer(python: str, task: str, shape: str, rows: int, nested: str) -> dict[str, float]:
    return _answer(
        python, str(KIT), task, "--rows", str(rows), "--shape", shape, *(["--nested"] if nested else [])
    )


def _answer(*command: str) -> dict[str, float]:
    finished = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=900,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    if finished.returncode:
        raise RuntimeError(f"{command[1]} {command[2]} failed: {finished.stderr[-2000:]}")
    answer: dict[str, float] = json.loads(finished.stdout.strip().splitlines()[-1])
    return answer
