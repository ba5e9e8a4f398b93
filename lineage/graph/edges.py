"""Raw edges become the graph's: one for each pair of ends, with every reason why it exists."""

from __future__ import annotations

import duckdb


def merge_edges(db: duckdb.DuckDBPyConnection) -> None:
    """Makes `edge` (from_id, to_id, level, edge_kind, clauses, expression, provenance) of the rows of
    `raw_edge`.

    A column's edge brings the edge between the tables of its ends. An edge is direct when one reason is.
    """
    db.execute("""
        CREATE TABLE part AS
        WITH RECURSIVE inside AS (
            SELECT id, parent AS holder, 1 AS depth FROM resource WHERE is_column
            UNION ALL
            SELECT i.id, r.parent, i.depth + 1 FROM inside i JOIN resource r ON r.id = i.holder
            WHERE r.is_column AND i.depth < 100
        ), held AS (
            SELECT i.id, i.holder FROM inside i JOIN resource r ON r.id = i.holder WHERE NOT r.is_column
        )
        SELECT r.id, n.node, r.is_column, p.node AS table_node
        FROM resource r JOIN node_of n ON n.id = r.id
        LEFT JOIN held h ON h.id = r.id LEFT JOIN node_of p ON p.id = h.holder
        WHERE n.node = r.id
    """)
    db.execute("""
        CREATE TABLE whole_edge AS
        WITH placed AS (
            SELECT e.*, f.is_column OR t.is_column AS of_columns,
                   CASE WHEN f.is_column THEN f.table_node ELSE e.from_id END AS from_table,
                   CASE WHEN t.is_column THEN t.table_node ELSE e.to_id END AS to_table
            FROM raw_edge e JOIN part f ON f.id = e.from_id JOIN part t ON t.id = e.to_id
        )
        SELECT * EXCLUDE (from_table, to_table) FROM placed
            WHERE from_id <> to_id AND NOT (of_columns AND from_table = to_id)
        UNION ALL
        SELECT from_table, to_table, indirect, NULL, NULL, source, origin, declaration, query, location,
        matched_by,
               false
        FROM placed WHERE of_columns AND from_table <> to_table AND from_table IS NOT NULL AND to_table IS
        NOT NULL
    """)
    db.execute("""
        CREATE TABLE edge AS
        SELECT from_id, to_id, CASE WHEN bool_or(of_columns) THEN 'column' ELSE 'resource' END AS level,
               CASE WHEN bool_and(indirect) THEN 'indirect' ELSE 'direct' END AS edge_kind,
               coalesce(list_sort(list(DISTINCT clause) FILTER (clause IS NOT NULL)), []) AS clauses,
               min(expression) AS expression,
               list_sort(list(DISTINCT {'source': source, 'origin': origin, 'declaration': declaration,
               'query': query,
                                        'location': location, 'matched_by': matched_by})) AS provenance
        FROM whole_edge GROUP BY from_id, to_id ORDER BY from_id, to_id
    """)
