"""The rows in which a graph is stored."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from lineage.graph.unresolved import Unresolved
from lineage.store.rows import digest_of
from lineage.store.tables import Rows

_SLICE = 200_000  # resources
_NODE = """
    SELECT 'node' AS kind, i.id AS key, r.connection, r.entity_type, r.key AS databuilder_id, p.parent_id, r.title,
           r.database, r.schema, coalesce(f.body, '{}') AS body, d.facets, coalesce(d.aliases, []) AS aliases,
           r.inferred, u.usage
    FROM resource r JOIN resource_id i USING (num) ANTI JOIN alias a ON a.num = r.num
    LEFT JOIN (
        SELECT p.num, i.id AS parent_id FROM parent p LEFT JOIN alias a ON a.num = p.parent
        JOIN resource_id i ON i.num = coalesce(a.node, p.parent)
    ) p ON p.num = r.num
    LEFT JOIN fact f ON f.kind = 'resource' AND f.source = r.source AND f.key = r.key AND NOT r.inferred
    LEFT JOIN described_by d ON d.num = r.num LEFT JOIN usage u ON u.node = r.num
"""
_EDGE = """
    SELECT 'edge' AS kind, f.id || chr(10) || t.id AS key, f.id AS from_id, t.id AS to_id, e.level, e.edge_kind,
           e.clauses, e.expression, e.provenance
    FROM edge e JOIN resource_id f ON f.num = e.from_num JOIN resource_id t ON t.num = e.to_num
"""
_QUERY = """
    SELECT 'query' AS kind, key, any_value(sql) AS sql FROM fact
    WHERE kind = 'query' AND (key IN (SELECT key FROM named_query) OR key IN (
        SELECT query FROM reason WHERE reason IN (SELECT reason FROM raw_edge)))
    GROUP BY key
"""
_UNRESOLVED = "SELECT 'unresolved' AS kind, key, body FROM missing"


def graph_rows(
    db: duckdb.DuckDBPyConnection, unresolved: Sequence[Unresolved]
) -> tuple[dict[str, int], Rows]:
    """How many there are of each kind, and the rows, those of tables that were inferred last of their kind."""
    db.execute("""
        CREATE TABLE described_by AS
        SELECT a.node AS num, list(i.id ORDER BY i.id) AS aliases,
               to_json(map(list(i.id ORDER BY i.id), list(f.body::JSON ORDER BY i.id)))::VARCHAR AS facets
        FROM alias a JOIN resource r USING (num) JOIN resource_id i USING (num)
        JOIN fact f ON f.kind = 'resource' AND f.source = r.source AND f.key = r.key
        GROUP BY a.node
    """)
    entries = sorted({entry.to_json() for entry in unresolved})
    digests = [digest_of(entry.encode()) for entry in entries]
    db.register(
        "missing", pa.table({"key": pa.array(digests, pa.string()), "body": pa.array(entries, pa.string())})
    )
    named = sorted({entry.query for entry in unresolved if entry.query})
    db.register("named_query", pa.table({"key": pa.array(named, pa.string())}))
    counts = {
        "node": _count(db, "(SELECT num FROM resource ANTI JOIN alias USING (num))"),
        "edge": _count(db, "pair"),
        "query": _count(db, f"({_QUERY})"),
        "unresolved": len(entries),
    }
    # Numbers are in the order of ids, and quicker to sort by; what is sorted at once is bounded, and so is its memory.
    slices = range(0, _count(db, "resource"), _SLICE)
    ordered = [
        *(
            f"{_EDGE} WHERE e.from_num BETWEEN {at} AND {at + _SLICE - 1} ORDER BY e.from_num, e.to_num"
            for at in slices
        ),
        *(f"{_NODE} WHERE r.num BETWEEN {at} AND {at + _SLICE - 1} ORDER BY r.num" for at in slices),
        f"{_QUERY} ORDER BY key",
        f"{_UNRESOLVED} ORDER BY key",
    ]
    queries = [f"SELECT *, hash(r)::VARCHAR AS digest FROM ({part}) r" for part in ordered]
    return {kind: count for kind, count in counts.items() if count}, Rows(db, queries)


def _count(db: duckdb.DuckDBPyConnection, relation: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0])
