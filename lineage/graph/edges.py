"""Raw edges become the graph's: one for each pair of ends, with every reason why it exists."""

from __future__ import annotations

import duckdb

_PROVENANCE = """{'source': r.source, 'origin': r.origin, 'declaration': r.declaration, 'query': r.query,
                  'location': r.location, 'matched_by': e.matched_by}"""


def merge_edges(db: duckdb.DuckDBPyConnection) -> None:
    """Makes the view `edge` (from_num, to_num, level, edge_kind, clauses, expression, provenance) of the rows of
    `raw_edge`.

    A column's edge brings the edge between the tables of its ends. An edge is direct when one reason is.
    """
    _place_columns(db)
    db.execute("""
        CREATE TABLE placed AS
        SELECT e.*, f.num IS NOT NULL OR t.num IS NOT NULL AS of_columns,
               CASE WHEN f.num IS NULL THEN e.from_num ELSE f.table_num END AS from_table,
               CASE WHEN t.num IS NULL THEN e.to_num ELSE t.table_num END AS to_table
        FROM raw_edge e LEFT JOIN column_place f ON f.num = e.from_num LEFT JOIN column_place t ON t.num = e.to_num
    """)
    db.execute("""
        CREATE TABLE whole_edge AS
        SELECT * EXCLUDE (from_table, to_table) FROM placed
            WHERE from_num <> to_num AND NOT (of_columns AND from_table IS NOT DISTINCT FROM to_num)
        UNION ALL
        SELECT from_table, to_table, indirect, NULL, NULL, reason, matched_by, false
        FROM placed WHERE of_columns AND from_table <> to_table
    """)
    db.execute("DROP TABLE placed")
    # Most pairs have one reason: those need no lists put together.
    db.execute("""
        CREATE TABLE pair AS
        SELECT from_num, to_num, count(*) AS reasons, bool_or(of_columns) AS of_columns, bool_and(indirect) AS indirect,
               min(expression) AS expression, any_value(clause) AS clause, any_value(reason) AS reason,
               any_value(matched_by) AS matched_by
        FROM whole_edge GROUP BY from_num, to_num
    """)
    db.execute(f"""
        CREATE VIEW edge AS
        SELECT e.from_num, e.to_num, CASE WHEN e.of_columns THEN 'column' ELSE 'resource' END AS level,
               CASE WHEN e.indirect THEN 'indirect' ELSE 'direct' END AS edge_kind,
               CASE WHEN e.clause IS NULL THEN [] ELSE [e.clause] END AS clauses, e.expression,
               [{_PROVENANCE}] AS provenance
        FROM pair e JOIN reason r USING (reason) WHERE e.reasons = 1
        UNION ALL
        SELECT e.from_num, e.to_num, CASE WHEN bool_or(e.of_columns) THEN 'column' ELSE 'resource' END,
               CASE WHEN bool_and(e.indirect) THEN 'indirect' ELSE 'direct' END,
               coalesce(list_sort(list(DISTINCT e.clause) FILTER (e.clause IS NOT NULL)), []), min(e.expression),
               list_sort(list(DISTINCT {_PROVENANCE}))
        FROM whole_edge e JOIN pair p ON p.from_num = e.from_num AND p.to_num = e.to_num AND p.reasons > 1
        JOIN reason r ON r.reason = e.reason
        GROUP BY e.from_num, e.to_num
    """)


def _place_columns(db: duckdb.DuckDBPyConnection) -> None:
    """Makes `column_place` (num, table_num): the table's node of each column, also of one within another."""
    db.execute("""
        CREATE TABLE column_place AS
        WITH RECURSIVE held AS (
            SELECT r.num, p.parent AS holder, h.is_column, 1 AS depth
            FROM resource r LEFT JOIN parent p USING (num) LEFT JOIN resource h ON h.num = p.parent WHERE r.is_column
            UNION ALL
            SELECT i.num, p.parent, h.is_column, i.depth + 1
            FROM held i LEFT JOIN parent p ON p.num = i.holder LEFT JOIN resource h ON h.num = p.parent
            WHERE i.is_column AND i.depth < 100
        )
        SELECT h.num, coalesce(a.node, h.holder) AS table_num FROM held h LEFT JOIN alias a ON a.num = h.holder
        WHERE h.is_column IS DISTINCT FROM true
    """)
