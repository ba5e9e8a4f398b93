"""Runs of other systems, as connections told of them: dbt's, Airflow's, Spark's. Never mixed with flow runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import orjson

from lineage.store import SnapshotHeader, Store

_AT_ONCE = 30  # snapshots read together, the newest first
_LOOKED_THROUGH = 10_000  # runs of a connection


def read_external_runs(
    store: Store,
    connections: Sequence[str],
    *,
    status: str | None = None,
    since: datetime | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """The newest first, at most `limit`: the fields of `ExternalRun`, and the `connection` that told of it. Of a run
    that was told of several times, the last. A status is looked for among the newest 10,000 of each connection.
    """
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for connection in connections:
        mine: dict[tuple[str, str, str], dict[str, Any]] = {}
        known: set[tuple[str, str, str]] = set()
        for run in _told(store, connection):
            key = (connection, run["job"], run["id"])
            is_old = since is not None and datetime.fromisoformat(run["started_at"]) < since
            if key not in known and not is_old and status in (None, run["status"]):
                mine[key] = {"connection": connection, **run}
            known.add(key)
            far = status is not None and len(known) >= _LOOKED_THROUGH
            if far or (len(mine) >= limit and since is None):
                break
        found |= mine
    ordered = sorted(found.values(), key=lambda run: datetime.fromisoformat(run["started_at"]), reverse=True)
    return ordered[:limit]


def _told(store: Store, connection: str) -> Iterator[dict[str, Any]]:
    headers = [header for header in store.snapshots.headers(connection) if header.counts.get("run")]
    headers.sort(key=lambda header: (header.partition, header.ended_at), reverse=True)
    for start in range(0, len(headers), _AT_ONCE):
        yield from _rows(store, headers[start : start + _AT_ONCE])


def _rows(store: Store, headers: Sequence[SnapshotHeader]) -> Iterator[dict[str, Any]]:
    """What snapshots tell, those of the first snapshot first; within one, the newest run first."""
    contents = [(header.connection, header.content) for header in headers]
    rows = store.snapshots.table.rows(contents, kind="run").select(["segment", "body"]).to_pylist()
    runs: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        runs.setdefault(row["segment"], []).append(orjson.loads(row["body"]))
    for content in dict.fromkeys(content for _, content in contents):
        yield from sorted(
            runs.get(content, ()), key=lambda run: datetime.fromisoformat(run["started_at"]), reverse=True
        )
