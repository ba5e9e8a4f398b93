"""Who uses what: tables and columns that logged statements read, how often, by whom, and when last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from lineage.graph.uses import Use, Uses


@dataclass(slots=True)
class _Usage:
    queries: int = 0
    users: set[str] = field(default_factory=set)
    last_seen: str | None = None

    def add(self, runs: dict[str, Any]) -> None:
        self.queries += runs["count"]
        self.users.update(user for user in runs["users"] if user)
        seen = runs["last_at"]
        if seen is not None and (self.last_seen is None or seen > self.last_seen):
            self.last_seen = seen

    def to_json(self) -> str:
        known = {"queries": self.queries, "users": len(self.users), "last_seen": self.last_seen}
        return orjson.dumps(known).decode()


def collect_usage(db: duckdb.DuckDBPyConnection, uses: Uses) -> None:
    """Makes the table `usage`: a node's number, and as JSON `queries` (how many read it), `users` (how many different
    ones ran those; 0 where the log names none) and `last_seen`, over the snapshots that make the graph.
    """
    found: dict[int, _Usage] = {}
    for runs, *use in db.execute("""
        SELECT body->'$.runs', connection, from_ref.query, from_ref.default_database, from_ref.default_schema
        FROM fact WHERE kind = 'statement' AND body LIKE '{"runs":%' ORDER BY source, key
    """).fetchall():
        counted = orjson.loads(runs)
        for node in _nodes(uses, Use(*use)):
            found.setdefault(node, _Usage()).add(counted)
    rows = {"node": pa.array(list(found), pa.int32())}
    rows["usage"] = pa.array([usage.to_json() for usage in found.values()], pa.string())
    db.register("found_usage", pa.table(rows))
    db.execute("CREATE TABLE usage AS SELECT * FROM found_usage")
    db.unregister("found_usage")


def _nodes(uses: Uses, use: Use) -> Iterable[int]:
    """What one run of the statements reads, each node once."""
    nodes: dict[int, None] = {}
    for statement in uses.binding(use).statements:
        for name in statement.reads:
            if table := uses.table(use, name):
                nodes[table[0].num] = None
        read = [(edge.upstream, edge.upstream_column) for edge in statement.edges]
        read += [(one.table, one.column) for one in statement.indirect]
        for table_name, column_name in dict.fromkeys(read):
            if column := uses.column(use, table_name, column_name):
                nodes[column[0].num] = None
    return nodes
