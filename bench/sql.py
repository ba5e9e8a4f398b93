"""SQL lineage beside bare parsing of the same text by sqlglot (compiled), and beside other libraries. CPU only."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import sqlglot

from bench.measure import ROOT, Figure
from bench.sql_texts import SHORT
from lineage.sql import Program, analyze, bind, compile_sql
from lineage.sql.collector import hold, release
from lineage.sql.fingerprint import fingerprint

ROUNDS = 9
# A warning of the bare parser is no work that we compare with.
logging.getLogger("sqlglot").setLevel(logging.ERROR)
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
    for name, texts, times in (("TPC-DS", tpcds, 1), ("short statements", SHORT, 8)):
        yield from _measure(name, texts, times, folder)


def _measure(name: str, texts: Texts, times: int, folder: Path) -> Iterator[Figure]:
    programs = [compile_sql(*one) for one in texts]
    stored = [program.to_bytes() for program in programs]
    known = {fingerprint(*one): program for one, program in zip(texts, stored, strict=True)}

    def batch() -> None:
        hold()
        try:
            for sql, dialect in texts:
                analyze(sql, dialect)
        finally:
            release()

    ways: dict[str, Callable[[], object]] = {
        "parse": lambda: [sqlglot.parse(sql, dialect=dialect) and None for sql, dialect in texts],
        "analyze": lambda: [analyze(sql, dialect) and None for sql, dialect in texts],
        "in a batch": batch,
        "analyze, as JSON's dictionary": lambda: [analyze(s, d).to_dict() and None for s, d in texts],
        "bind": lambda: [bind(program, {}) and None for program in programs],
        "program loaded and bound": lambda: [bind(Program.from_bytes(p), {}) and None for p in stored],
        "a shape seen before": lambda: [known[fingerprint(sql, dialect)] and None for sql, dialect in texts],
    }
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for way, work in ways.items():
            begun = time.process_time()
            for _ in range(times):
                work()
            best[way] = min(best[way], (time.process_time() - begun) / times)
    parse = best["parse"]
    yield Figure(f"{name}: sqlglot.parse, a text", parse / len(texts) * 1e6, "us")
    limits = {"analyze": 1.4, "in a batch": 1.25, "bind": 0.1, "a shape seen before": 0.25}
    for way, took in best.items():
        if way != "parse":
            yield Figure(f"{name}: {way} / parse", took / parse, "x", limits.get(way))
    path = folder / f"{len(texts)}.json"
    path.write_text(json.dumps(texts))
    for peer in PEERS:
        seconds, failed = _peer(peer, path)
        yield Figure(f"{name}: {peer} / parse ({failed} of {len(texts)} not read)", seconds / parse, "x")


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


def environment(name: str, packages: Sequence[str]) -> str:
    """The interpreter of an environment of its own with these packages, made at the first use and kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "headwater-bench" / f"{name}-{packages[0].partition('==')[2]}"
    python = str(folder / "bin" / "python")
    if not (folder / "ready").exists():
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run(
            (uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)), check=True
        )
        subprocess.run((uv, "pip", "install", "--quiet", "--python", python, *packages), check=True)
        (folder / "ready").touch()
    return python


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
