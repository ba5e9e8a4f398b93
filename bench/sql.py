"""SQL lineage as a wheel brings it, beside bare parsing of the same text by sqlglot (compiled), and peers. CPU only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.measure import ROOT, Figure, environment
from bench.sql_texts import SHORT

ROUNDS = 15
PEER_ROUNDS = 3
TPCDS = ("duckdb==1.5.5", "duckdb-extension-tpcds==1.5.5")
PEERS = {
    "sqllineage": ("sqllineage==1.5.9",),
    "datahub": ("acryl-datahub[sql-parser]==1.7.0.17",),
    "openlineage": ("openlineage-sql==1.54.0",),
}
Texts = Sequence[tuple[str, str]]


def run(folder: Path) -> Iterator[Figure]:
    pairs = json.loads(_output(environment("tpcds", TPCDS), str(ROOT / "tests/lineage/sql/tpcds_plans.py")))
    tpcds = [(query["sql"], "duckdb") for query in pairs["queries"]]
    wheel = _unpacked_wheel(folder)
    for name, texts, times in (("TPC-DS", tpcds, 1), ("short statements", SHORT, 8)):
        yield from _measure(name, texts, times, folder, wheel)


def _measure(name: str, texts: Texts, times: int, folder: Path, wheel: Path) -> Iterator[Figure]:
    path = folder / f"{len(texts)}.json"
    path.write_text(json.dumps(texts))
    best = _seconds(wheel, path, times)
    parse = best.pop("parse")
    yield Figure(f"{name}: sqlglot.parse, a text", parse / len(texts) * 1e6, "us")
    limits = {"analyze": 1.4, "in a batch": 1.25, "bind": 0.1, "a shape seen before": 0.25}
    for way, took in best.items():
        yield Figure(f"{name}: {way} / parse", took / parse, "x", limits.get(way))
    plain = _seconds(ROOT, path, times)
    for way in ("analyze", "in a batch", "bind"):
        yield Figure(f"{name}: {way} / parse, not compiled", plain[way] / plain["parse"], "x")
    for peer in PEERS:
        seconds, failed = _peer(peer, path)
        yield Figure(f"{name}: {peer} / parse ({failed} of {len(texts)} not read)", seconds / parse, "x")


def _unpacked_wheel(folder: Path) -> Path:
    """A wheel of this checkout, which holds the compiled engine, unpacked."""
    command = (sys.executable, "-c", f"import hatchling.build as b; b.build_wheel({str(folder)!r})")
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "wheel")
    return folder / "wheel"


def _seconds(packages: Path, texts: Path, times: int) -> dict[str, float]:
    """CPU seconds of each way, with the engine of these packages."""
    command = (sys.executable, "-P", str(ROOT / "bench/sql_ways.py"), str(texts), str(times), str(ROUNDS))
    given = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(packages)}, check=True, stdout=subprocess.PIPE, text=True
    )
    found = json.loads(given.stdout)
    if not Path(found["engine"]).is_relative_to(packages) or (
        packages != ROOT and Path(found["engine"]).suffix == ".py"
    ):
        raise RuntimeError(f"the engine is not the one to measure: {found['engine']}")
    seconds: dict[str, float] = found["seconds"]
    return seconds


def _peer(peer: str, texts: Path) -> tuple[float, int]:
    python = environment(peer, PEERS[peer])
    command = (python, str(ROOT / "bench/peers/serve.py"), peer, str(texts))
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        given, _ = child.communicate("\n" * PEER_ROUNDS, timeout=900)
    if child.returncode:
        raise RuntimeError(f"{peer} ended with exit code {child.returncode}")
    rounds = [json.loads(line) for line in given.splitlines()]
    return min(seconds for seconds, _ in rounds), max(failed for _, failed in rounds)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
