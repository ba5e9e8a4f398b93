"""The rows in which a graph is stored."""

from __future__ import annotations

import duckdb

from lineage.store.engine import count_rows
from lineage.store.tables import Rows

_SLICE = 200_000  # resources
NODE = """
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
EDGE = """
    SELECT 'edge' AS kind, f.id || chr(10) || t.id AS key, f.id AS from_id, t.id AS to_id, e.level, e.edge_kind,
           e.clauses, e.expression, e.provenance
    FROM edge e JOIN resource_id f ON f.num = e.from_num JOIN resource_id t ON t.num = e.to_num
"""
QUERY = """
    SELECT 'query' AS kind, key, any_value(sql) AS sql FROM fact
    WHERE kind = 'query' AND (key IN (SELECT query FROM unresolved) OR key IN (
        SELECT query FROM reason WHERE reason IN (SELECT reason FROM whole_edge)))
    GROUP BY key
"""
# Of what the same SQL or declaration of one connection cannot resolve in several snapshots, the newest one's.
_NEWEST = """
    CREATE TABLE unresolved AS
    SELECT DISTINCT m.query, md5(told) AS key, told AS body FROM (
        SELECT m.*, left(m.body, -1) || ',"declaration":' || coalesce(to_json(m.declaration), 'null')
                || ',"query":' || coalesce(to_json(m.query), 'null')
                || ',"source":' || coalesce(m.source::VARCHAR, 'null') || '}' AS told
        FROM missing m LEFT JOIN source s USING (source)
        QUALIFY m.source IS NULL OR row_number() OVER (
            PARTITION BY m.query, CASE WHEN m.query IS NULL THEN m.declaration END, m.body, s.connection
            ORDER BY m.source DESC, m.declaration) = 1
    ) m
"""
UNRESOLVED = "SELECT 'unresolved' AS kind, key, body FROM unresolved"


def graph_rows(db: duckdb.DuckDBPyConnection) -> tuple[dict[str, int], Rows]:
    """How many there are of each kind, and the rows, those of tables that were inferred last of their kind."""
    tell_unresolved(db)
    counts = {
        "node": count_rows(db, "(SELECT num FROM resource ANTI JOIN alias USING (num))"),
        "edge": count_rows(db, "pair"),
        "query": count_rows(db, f"({QUERY})"),
        "unresolved": count_rows(db, "unresolved"),
    }
    # Numbers are in the order of ids, and quicker to sort by; what is sorted at once is bounded, and so is its memory.
    slices = range(0, count_rows(db, "resource"), _SLICE)
    ordered = [
        *(
            f"{EDGE} WHERE e.from_num BETWEEN {at} AND {at + _SLICE - 1} ORDER BY e.from_num, e.to_num"
            for at in slices
        ),
        *(f"{NODE} WHERE r.num BETWEEN {at} AND {at + _SLICE - 1} ORDER BY r.num" for at in slices),
        f"{QUERY} ORDER BY key",
        f"{UNRESOLVED} ORDER BY key",
    ]
    queries = [f"SELECT *, hash(r)::VARCHAR AS digest FROM ({part}) r" for part in ordered]
    return {kind: count for kind, count in counts.items() if count}, Rows(db, queries)


def tell_unresolved(db: duckdb.DuckDBPyConnection) -> None:
    """Makes `unresolved` (query, key, body) of what is missing, and `described_by`, what describers say of nodes."""
    db.execute("""
        CREATE TABLE described_by AS
        SELECT a.node AS num, list(i.id ORDER BY i.id) AS aliases,
               to_json(map(list(i.id ORDER BY i.id), list(f.body::JSON ORDER BY i.id)))::VARCHAR AS facets
        FROM alias a JOIN resource r USING (num) JOIN resource_id i USING (num)
        JOIN fact f ON f.kind = 'resource' AND f.source = r.source AND f.key = r.key
        GROUP BY a.node
    """)
    db.execute(_NEWEST)
