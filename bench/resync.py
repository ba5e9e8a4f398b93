"""The demo's same partition synced a second time: what it adds to the store, and whether the export is the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from bench.measure import HEADWATER, Figure, run_command, succeed
from tests.pipelines.demo.copying import copy_shop

LIMIT_KB = 100


def run(folder: Path) -> Iterator[Figure]:
    demo = folder / "demo"
    copy_shop(demo)
    first, first_export = _sync(demo)
    size = _stored_bytes(demo)
    second, second_export = _sync(demo)
    same = first_export.replace(first, b"RUN") == second_export.replace(second, b"RUN")
    yield Figure("store after the first sync", size / 1000, "kB")
    yield Figure("added by the second", (_stored_bytes(demo) - size) / 1000, "kB", LIMIT_KB)
    yield Figure("exports differ in more than the run's id", float(not same), "", 0)


def _sync(demo: Path) -> tuple[bytes, bytes]:
    """The run's id, and the export afterwards."""
    report = json.loads(succeed(run_command((*HEADWATER, "sync", "--json"), demo)).output)
    export = succeed(run_command((*HEADWATER, "lineage", "export", "--format", "json"), demo)).output
    return report["run_id"].encode(), export


def _stored_bytes(demo: Path) -> int:
    tables = (demo / ".headwater" / name for name in ("snapshots", "graphs"))
    return sum(f.stat().st_size for table in tables for f in table.rglob("*") if f.is_file())
