"""Which snapshots make the graph of a partition, and their rows as tables of an embedded engine.

The rule: of each connection its newest complete partition at or before the graph's, and over it what partial
runs added since; of a windowed connection every partition within its lookback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import duckdb
import pyarrow as pa

from lineage.store.snapshot import COMPLETE, SnapshotHeader, Snapshots, read_header

LOOKBACK_DAYS = 30


@dataclass(frozen=True)
class ConnectionSpec:
    """What the graph must know of a connection. `defaults` has instance, database, schema, dialect where
    given.
    """

    name: str
    instance: str = ""
    defaults: Mapping[str, str] = field(default_factory=dict)
    lookback_days: int = LOOKBACK_DAYS
    infer_tables: bool = False
    renamed_from: str | None = None


@dataclass(frozen=True)
class Source:
    """One snapshot that takes part. The order of sources is the order in which they are laid over each other."""

    connection: str
    header: SnapshotHeader


def select_sources(
    snapshots: Snapshots, connections: Sequence[ConnectionSpec], partition: str
) -> list[Source]:
    """The snapshots that make the graph of `partition`, by connection, in the order of laying."""
    scopes = {spec.name: [s for s in (spec.renamed_from, spec.name) if s] for spec in connections}
    stored: dict[str, list[dict[str, str]]] = {}
    for row in snapshots.table.headers({scope for named in scopes.values() for scope in named}):
        if row["key"] <= partition:
            stored.setdefault(row["scope"], []).append(row)
    chosen = []
    for spec in sorted(connections, key=lambda c: c.name):
        history = [row for scope in scopes[spec.name] for row in stored.get(scope, ())]
        history.sort(key=lambda row: (row["key"], row["scope"] == spec.name, row["kind"] != COMPLETE))
        chosen += [Source(spec.name, read_header(row)) for row in _of_connection(history, spec, partition)]
    return chosen


def _of_connection(
    history: list[dict[str, str]], spec: ConnectionSpec, partition: str
) -> list[dict[str, str]]:
    if history and read_header(history[-1]).windowed:
        oldest = _start(partition) - timedelta(days=spec.lookback_days)
        return [row for row in history if _start(row["key"]) >= oldest]
    last = max((at for at, row in enumerate(history) if row["kind"] == COMPLETE), default=0)
    return history[last:]


def _start(key: str) -> datetime:
    """When a partition begins, in the project's own time: of a day its midnight."""
    return datetime.fromisoformat(key[:10]) + timedelta(hours=int(key[11:13] or 0))


def load(
    db: duckdb.DuckDBPyConnection,
    snapshots: Snapshots,
    sources: Sequence[Source],
    connections: Sequence[ConnectionSpec],
) -> None:
    """Makes the tables `connection`, `source` and `fact` (a source's rows, with the source's number)."""
    db.execute("""
        CREATE TABLE connection (connection VARCHAR, instance VARCHAR, default_instance VARCHAR,
                                 default_database VARCHAR, default_schema VARCHAR, infer_tables BOOLEAN)
    """)
    for c in connections:
        defaults = [c.defaults.get(name) for name in ("instance", "database", "schema")]
        values = [c.name, c.instance or c.name, *defaults, c.infer_tables]
        db.execute("INSERT INTO connection VALUES (?, ?, ?, ?, ?, ?)", values)
    numbered = {
        "source": pa.array(range(len(sources)), pa.int32()),
        "connection": pa.array([s.connection for s in sources], pa.string()),
        "scope": pa.array([s.header.connection for s in sources], pa.string()),
        "segment": pa.array([s.header.content for s in sources], pa.string()),
    }
    rows = snapshots.table.rows([(s.header.connection, s.header.content) for s in sources])
    db.register("given_source", pa.table(numbered))
    db.register("given_rows", rows)
    db.execute("CREATE TABLE source AS SELECT * FROM given_source")
    db.execute("""
        CREATE TABLE fact AS
        SELECT s.source, s.connection, r.* EXCLUDE (scope, segment)
        FROM given_rows r JOIN source s ON s.scope = r.scope AND s.segment = r.segment
    """)
    db.unregister("given_rows")
    db.unregister("given_source")
