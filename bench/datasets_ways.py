"""One way to do the work of `bench.datasets`, in this process: `prepare`, `ours` or `bare`; a folder; how many."""

from __future__ import annotations

import json
import logging
import resource
import shutil
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

PROJECT = """
name: bench
partitions: {every: day, start: 2026-01-01}
connections:
  shop:
    connector: duckdb
    config: {path: shop.duckdb}
    records: [shop.main.orders]
datasets:
  tidy:
    from: shop/shop.main.orders
    transform:
      operations:
        - rename: {id: order_id, n: quantity}
        - compute: {expression: "amount * 1.2 * quantity", as: gross}
        - filter: "quantity > 1"
    validation:
      constraints:
        - not_null: [order_id, customer, email]
        - unique: [order_id]
        - range: {column: amount, min: 0, max: 99.98}
        - pattern: {column: email, regex: "^[^@]+@[^@]+$"}
    sinks: [lake]
sinks:
  lake: {connector: delta, config: {uri: ./lake}}
"""
ORDERS = """
    CREATE TABLE orders AS
    SELECT i AS id, (i * 7919) % 1000000 AS customer, 'item ' || (i % 5000) AS item, (i % 10000) / 100.0 AS amount,
           (i % 17)::INTEGER AS n, TIMESTAMP '2026-01-01' + INTERVAL (i % 1000000) SECOND AS placed,
           'c' || (i % 200000) || '@example.com' AS email, i % 3 = 0 AS paid,
           CASE WHEN i % 10 <> 0 THEN 'note ' || (i % 100000) END AS note, DATE '2026-01-01' + (i % 300)::INTEGER AS due
    FROM range({records}) t(i)
"""
BARE = """
    COPY (
        SELECT id AS order_id, customer, item, amount, n AS quantity, placed, email, paid, note, due,
               amount * 1.2 * n AS gross
        FROM read_parquet([{files}])
        WHERE n > 1 AND id IS NOT NULL AND customer IS NOT NULL AND email IS NOT NULL
            AND amount BETWEEN 0 AND 99.98 AND regexp_matches(email, '^[^@]+@[^@]+$')
            AND id NOT IN (SELECT id FROM read_parquet([{files}]) WHERE n > 1 AND id IS NOT NULL
                           GROUP BY id HAVING count(*) > 1)
    ) TO '{out}' (FORMAT parquet)
"""


def main(way: str, folder: Path, records: int) -> dict[str, Any]:
    if way == "prepare":
        return prepare(folder, records)
    return ours(folder) if way == "ours" else bare(folder)


def prepare(folder: Path, records: int) -> dict[str, Any]:
    (folder / "headwater.yaml").write_text(PROJECT)
    with duckdb.connect(str(folder / "shop.duckdb")) as db:
        db.execute(ORDERS.format(records=records))
    before = peak_gib()
    from pipelines.extract import extract_partition

    begun = time.perf_counter()
    outcome = extract_partition(*open_project(folder)[:2], "shop", *this_run())
    seconds = time.perf_counter() - begun
    if outcome.status != "SUCCESS":
        raise RuntimeError(outcome.error)
    return {"wall_s": seconds, "rows": outcome.report.rows, "peak_gib": peak_gib(), "made_gib": before}


def ours(folder: Path) -> dict[str, Any]:
    from pipelines.datasets.deliver import deliver_dataset
    from pipelines.datasets.derive import derive_dataset

    shutil.rmtree(folder / "lake", ignore_errors=True)
    project, store = open_project(folder)
    begun = time.perf_counter()
    made = derive_dataset(project, store, "tidy", *this_run())
    derived = time.perf_counter()
    given = deliver_dataset(project, store, "lake", "tidy", *this_run())
    ended = time.perf_counter()
    if made.error or given.error or not made.invalid:
        raise RuntimeError(f"{made.error} {given.error}")
    times = {"wall_s": ended - begun, "derive_s": derived - begun, "deliver_s": ended - derived}
    return {**times, "rows": given.rows, "peak_gib": peak_gib()}


def bare(folder: Path) -> dict[str, Any]:
    from pipelines.datasets.stored import find_stand
    from pipelines.project import DatasetRef

    _, store = open_project(folder)
    stand = find_stand(store, DatasetRef("shop", "shop.main.orders"), this_run()[0].key, exactly=True)
    files = ", ".join(f"'{file}'" for file in store.records.files(stand.stored) or ())
    out = folder / "bare.parquet"
    out.unlink(missing_ok=True)
    begun = time.perf_counter()
    with duckdb.connect() as db:
        rows = db.execute(BARE.format(files=files, out=out)).fetchall()[0][0]
    return {"wall_s": time.perf_counter() - begun, "rows": rows, "peak_gib": peak_gib()}


def open_project(folder: Path) -> Any:
    """The project in a folder, and its store."""
    from lineage.store import open_store
    from pipelines.project import read_project

    project = read_project(folder)
    return project, open_store(project.storage)


def this_run() -> Any:
    """Today's window, a run, and a log."""
    from connectors import Window
    from pipelines.extract import RunInfo

    now = datetime.now(UTC)
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    window = Window(f"{now:%Y-%m-%d}", start, start + timedelta(days=1))
    return window, RunInfo(f"bench-{time.time_ns()}", now), logging.getLogger("bench")


def peak_gib() -> float:
    """The largest resident size of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
