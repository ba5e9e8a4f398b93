"""Syncs an estate day after day in one process, its clock set forward; prints a line of JSON for each day."""

from __future__ import annotations

import json
import logging
import os
import random
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from bench.estate import write_estate
from lineage import open_store
from lineage.store import maintain
from pipelines.project import read_project
from pipelines.sync import run_sync

FIRST = date(2025, 11, 20)


def main(folder: Path, days: int, count: int, keep: int | None) -> None:
    chance = random.Random(1)
    logging.disable(logging.CRITICAL)
    clock = Path(os.environ["FAKETIME_TIMESTAMP_FILE"])
    for number in range(days):
        today = FIRST + timedelta(days=number)
        clock.write_text(f"@{today} 05:00:00\n")
        assert datetime.now(UTC).date() == today
        write_estate(folder, count, day=number)
        project = read_project(folder)
        store = open_store(project.storage)
        begun = time.perf_counter()
        report = run_sync(project, list(project.connections), [today.isoformat()])
        synced = time.perf_counter() - begun
        assert report.ok, report.error
        _date_files(folder)  # what is removed by age goes by it
        maintain(store, keep_days=keep, today=today)
        past = today - timedelta(days=chance.randrange(min(number, keep or number) + 1))
        begun = time.perf_counter()
        graph = store.graph(past.isoformat())
        size = graph.topology.nodes
        asked = time.perf_counter() - begun
        assert graph.as_of == past.isoformat()
        told = {"day": number, "sync": synced, "as_of": asked, "bytes": _bytes(folder), "nodes": size}
        print(json.dumps(told), flush=True)


def _date_files(folder: Path) -> None:
    """Gives files of the real today that of the simulated one: file systems do not ask our clock."""
    now = time.time()
    for path in (folder / ".headwater").rglob("*"):
        if path.stat().st_mtime > now:
            os.utime(path, (now, now))


def _bytes(folder: Path) -> int:
    tables = (folder / ".headwater" / name for name in ("snapshots", "graphs"))
    return sum(file.stat().st_size for table in tables for file in table.rglob("*") if file.is_file())


if __name__ == "__main__":
    main(
        Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else None
    )
