"""Declared lineage becomes raw edges: each end found, each pair judged, what is missing recorded."""

from __future__ import annotations

from typing import Any

import duckdb

from lineage.resolve import PARTS
from lineage.store.snapshot import NAMES_WHOLE_IDS

# An edge for one reason, before those of the same ends are merged.
RAW_EDGE = (
    "from_num INTEGER, to_num INTEGER, indirect BOOLEAN, clause VARCHAR, expression VARCHAR, reason INTEGER, "
    "matched_by VARCHAR"
)
# Where lineage was said: a declaration or a statement.
REASON = (
    "reason INTEGER, source INTEGER, origin VARCHAR, declaration VARCHAR, query VARCHAR, location VARCHAR"
)
_COLUMN, _TABLE, _INTERNAL, _QUERY = (
    "external_column",
    "external_table",
    "internal_resource",
    "tables_from_query",
)
# Allowed: internal with internal, table or column; table with table; column with column; query to internal.
_UNSUPPORTED = f"""NOT (
    (from_ref.type = '{_INTERNAL}' AND to_ref.type <> '{_QUERY}') OR (to_ref.type = '{_INTERNAL}')
    OR (from_ref.type = to_ref.type AND from_ref.type IN ('{_TABLE}', '{_COLUMN}')))"""


def collect_references(db: duckdb.DuckDBPyConnection) -> None:
    """Makes `link` (a declaration in a source), `internal_end` and `external_end` of those that have a meaning, and
    fills `reference` with what the external ones name.
    """
    db.execute(f"""
        CREATE TABLE link AS
        SELECT (row_number() OVER () - 1)::INTEGER AS link, source, connection, key AS digest, from_ref, to_ref, body,
               NOT {_UNSUPPORTED} AS supported
        FROM fact WHERE kind = 'declaration'
    """)
    db.execute(f"""
        CREATE TABLE internal_end AS
        WITH tip AS (
            SELECT link, false AS is_to, connection, from_ref.key AS key FROM link
            WHERE supported AND from_ref.type = '{_INTERNAL}'
            UNION ALL
            SELECT link, true, connection, to_ref.key FROM link WHERE supported AND to_ref.type = '{_INTERNAL}'
        ), placed AS (
            SELECT link, is_to, connection, key FROM tip WHERE connection NOT IN {NAMES_WHOLE_IDS}
            UNION ALL
            SELECT t.link, t.is_to, split_part(t.key, '/', 1), substr(t.key, strpos(t.key, '/') + 1)
            FROM tip t WHERE t.connection IN {NAMES_WHOLE_IDS}
        )
        SELECT p.link, p.is_to, r.num FROM placed p LEFT JOIN renamed n ON n.old = p.connection
        LEFT JOIN resource r ON r.connection = coalesce(n.connection, p.connection) AND r.key = p.key
    """)
    db.execute(f"""
        CREATE TEMP TABLE tip AS
        SELECT link, false AS is_to, connection, from_ref.cluster AS instance, from_ref.database AS database,
               from_ref.schema AS schema, from_ref."table" AS title, from_ref."column" AS column_title FROM link
        WHERE supported AND from_ref.type IN ('{_TABLE}', '{_COLUMN}')
        UNION ALL
        SELECT link, true, connection, to_ref.cluster, to_ref.database, to_ref.schema, to_ref."table", to_ref."column"
        FROM link WHERE supported AND to_ref.type IN ('{_TABLE}', '{_COLUMN}')
    """)
    folding = ", ".join(f"{part}, true" for part in PARTS)
    db.execute(f"""
        INSERT INTO reference
        SELECT row_number() OVER (), connection, {folding}, NULL
        FROM (SELECT DISTINCT connection, {", ".join(PARTS)} FROM tip)
    """)
    same = " AND ".join(f"r.{part} IS NOT DISTINCT FROM t.{part}" for part in PARTS if part != "title")
    db.execute(f"""
        CREATE TABLE external_end AS
        SELECT t.link, t.is_to, t.column_title, r.ref
        FROM tip t JOIN reference r ON r.connection = t.connection AND r.title = t.title AND {same}
    """)
    db.execute("DROP TABLE tip")


def resolve_ends(db: duckdb.DuckDBPyConnection) -> None:
    """Makes `found` (link, is_to, node, how) of the ends that are exactly one resource, and `column_choice` (num,
    column_title, nums, folded): what a column's name may mean in a table that was found.
    """
    db.execute("""
        CREATE TEMP TABLE asked_column AS
        SELECT DISTINCT m.num, e.column_title FROM external_end e JOIN match m USING (ref)
        WHERE e.column_title IS NOT NULL
    """)
    db.execute("""
        CREATE TEMP TABLE exact_column AS
        SELECT a.num, a.column_title, list(f.num ORDER BY f.num) AS nums
        FROM asked_column a JOIN field f ON f.table_num = a.num AND f.title = a.column_title GROUP BY ALL
    """)
    db.execute("""
        CREATE TABLE column_choice AS
        SELECT *, false AS folded FROM exact_column
        UNION ALL
        SELECT a.num, a.column_title, list(f.num ORDER BY f.num), true
        FROM asked_column a JOIN field f ON f.table_num = a.num AND lower(f.title) = lower(a.column_title)
        WHERE NOT EXISTS (SELECT 1 FROM exact_column e WHERE e.num = a.num AND e.column_title = a.column_title)
        GROUP BY a.num, a.column_title
    """)
    db.execute("""
        CREATE TABLE found AS
        SELECT e.link, e.is_to, coalesce(a.node, e.num) AS node,
               CASE WHEN a.node IS NULL THEN 'id' ELSE 'same_as' END AS how
        FROM internal_end e LEFT JOIN alias a USING (num) WHERE e.num IS NOT NULL
        UNION ALL
        SELECT e.link, e.is_to, m.num, m.how FROM external_end e JOIN match m USING (ref) WHERE e.column_title IS NULL
        UNION ALL
        SELECT e.link, e.is_to, c.nums[1], CASE WHEN c.folded AND m.how = 'exact' THEN 'casefold' ELSE m.how END
        FROM external_end e JOIN match m USING (ref)
        JOIN column_choice c ON c.num = m.num AND c.column_title = e.column_title AND len(c.nums) = 1
    """)


def declared_edges(db: duckdb.DuckDBPyConnection) -> None:
    """Adds to `raw_edge` every declared pair whose two ends were found; fills `reason` with all declarations."""
    db.execute(f"""
        INSERT INTO reason
        SELECT l.link, l.source, CASE WHEN l.from_ref.type = '{_QUERY}' THEN 'sql' ELSE s.origin END, l.digest,
               l.from_ref.query, l.body->>'$.location'
        FROM link l JOIN source s USING (source)
    """)
    db.execute(f"""
        CREATE TEMP TABLE pair AS
        SELECT f.node AS from_num, t.node AS to_num, f.link,
               CASE WHEN l.from_ref.type <> '{_INTERNAL}' THEN f.how WHEN l.to_ref.type <> '{_INTERNAL}' THEN t.how
                    WHEN 'same_as' IN (f.how, t.how) THEN 'same_as' ELSE 'id' END AS matched_by, l.body
        FROM found f JOIN found t ON t.link = f.link JOIN link l ON l.link = f.link WHERE NOT f.is_to AND t.is_to
    """)
    db.execute("""
        INSERT INTO raw_edge
        SELECT from_num, to_num, false, NULL, NULL, link, matched_by FROM pair WHERE body IS NULL
        UNION ALL
        SELECT from_num, to_num, coalesce(body->>'$.kind' = 'indirect', false),
               unnest(coalesce(nullif(body->>'$.clauses[*]', []), [NULL])), body->>'$.expression', link, matched_by
        FROM pair WHERE body IS NOT NULL
    """)
    db.execute("DROP TABLE pair")


def unresolved_declarations(db: duckdb.DuckDBPyConnection) -> None:
    """Adds to `missing` an entry for each declared end that was not found, and for each pair that has no meaning."""
    db.execute(f"""
        INSERT INTO missing
        SELECT source, coalesce(from_ref.query, to_ref.query), digest, to_json({{
            'candidates': [], 'counterpart': {_name("to_ref")}, 'guessed': false,
            'message': 'lineage from ' || from_ref.type || ' to ' || to_ref.type || ' has no meaning'
                || CASE WHEN to_ref.type = '{_QUERY}' THEN ': a query is never a target' ELSE '' END,
            'reason': 'unsupported_pair', 'reference': {_json("from_ref")}, 'side': 'from'}})
        FROM link WHERE NOT supported
    """)
    db.execute(f"""
        INSERT INTO missing
        WITH lost AS (
            SELECT link, is_to, NULL AS ref, NULL AS column_title FROM internal_end WHERE num IS NULL
            UNION ALL
            SELECT e.link, e.is_to, e.ref, e.column_title
            FROM external_end e ANTI JOIN found f ON f.link = e.link AND f.is_to = e.is_to
        ), choice AS (
            SELECT c.num, c.column_title, list(i.id ORDER BY i.id) AS ids
            FROM (SELECT num, column_title, unnest(nums) AS one FROM column_choice WHERE len(nums) > 1) c
            JOIN resource_id i ON i.num = c.one GROUP BY ALL
        ), told AS (
            SELECT l.source, l.connection, l.digest, e.is_to,
                   CASE WHEN e.is_to THEN l.to_ref ELSE l.from_ref END AS mine,
                   CASE WHEN e.is_to THEN l.from_ref ELSE l.to_ref END AS other, o.id AS counterpart, t.id AS table_id,
                   coalesce(v.candidates, c.ids) AS several, coalesce(v.total, len(c.ids)) AS total, g.ids AS near
            FROM lost e JOIN link l USING (link)
            LEFT JOIN match m USING (ref) LEFT JOIN match_several v USING (ref) LEFT JOIN guess g USING (ref)
            LEFT JOIN resource_id t ON t.num = m.num
            LEFT JOIN choice c ON c.num = m.num AND c.column_title = e.column_title
            LEFT JOIN found f ON f.link = e.link AND f.is_to <> e.is_to LEFT JOIN resource_id o ON o.num = f.node
        ), judged AS (
            SELECT *, {_name("mine")} AS name, CASE
                WHEN mine.type = '{_INTERNAL}' THEN 'undeclared_internal'
                WHEN several IS NOT NULL THEN 'ambiguous' ELSE 'not_found' END AS reason
            FROM told
        )
        SELECT source, other.query, digest, to_json({{
            'candidates': coalesce(several, CASE WHEN table_id IS NOT NULL THEN [table_id] END, near, []),
            'counterpart': coalesce(counterpart, {_name("other")}),
            'guessed': reason = 'not_found' AND table_id IS NULL AND near IS NOT NULL,
            'message': CASE
                WHEN reason = 'undeclared_internal' THEN name || ' is not declared by '
                    || CASE WHEN connection IN {NAMES_WHOLE_IDS} THEN 'any' ELSE 'this' END || ' connection'
                WHEN reason = 'ambiguous' THEN
                    name || ' could be ' || total || ' resources; say more of its name, or set defaults'
                WHEN table_id IS NOT NULL THEN 'the table is ' || table_id || ', which has no column ' || mine."column"
                ELSE 'no connection owns ' || name
                    || CASE WHEN near IS NULL THEN '' ELSE '; the candidates are guesses by name' END END,
            'reason': reason, 'reference': {_json("mine")}, 'side': CASE WHEN is_to THEN 'to' ELSE 'from' END}})
        FROM judged
    """)


def _name(reference: str) -> str:
    """In SQL: a reference in short, for people, as `name_of`."""
    parts = ", ".join(
        f"nullif({reference}.\"{part}\", '')" for part in ("cluster", "database", "schema", "table", "column")
    )
    return f"""CASE {reference}.type WHEN '{_INTERNAL}' THEN {reference}.key WHEN '{_QUERY}' THEN 'a query'
        ELSE concat_ws('.', {parts}) END"""


def _json(reference: str) -> str:
    """In SQL: a reference as it was declared, without what is absent; a query's text lies beside it."""
    names = ("cluster", "column", "database", "default_database", "default_schema", "schema", "table", "type")
    fields = ", ".join(f"'{name}': {reference}.\"{name}\"" for name in names)
    return f"json_merge_patch('{{}}', to_json({{{fields}, 'databuilder_id': {reference}.key}}))"


def name_of(reference: Any) -> str:
    """A reference in short, for people."""
    if reference["type"] == _INTERNAL:
        return str(reference["key"])
    if reference["type"] == _QUERY:
        return "a query"
    parts = [reference[p] for p in ("cluster", "database", "schema", "table", "column")]
    return ".".join(part for part in parts if part)
