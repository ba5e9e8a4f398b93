"""Declared lineage becomes raw edges: each end found, each pair judged, what is missing recorded."""

from __future__ import annotations

from typing import Any

import duckdb

from lineage.graph.unresolved import Unresolved
from lineage.resolve import PARTS

RAW_EDGE = (
    "from_id VARCHAR, to_id VARCHAR, indirect BOOLEAN, clause VARCHAR, expression VARCHAR, source INTEGER, "
    "origin VARCHAR, declaration VARCHAR, query VARCHAR, location VARCHAR, matched_by VARCHAR"
)
_COLUMN, _TABLE, _INTERNAL, _QUERY = (
    "external_column",
    "external_table",
    "internal_resource",
    "tables_from_query",
)


def collect_references(db: duckdb.DuckDBPyConnection) -> None:
    """Makes `link` (a declaration in a source), `link_end` (its two ends) and fills `reference` with external
    ones.
    """
    db.execute("""
        CREATE TABLE link AS
        SELECT row_number() OVER (ORDER BY source, key)::INTEGER AS link, source, connection, digest,
        from_ref, to_ref,
               from_ref.type AS from_type, to_ref.type AS to_type
        FROM fact WHERE kind = 'declaration'
    """)
    db.execute(f"""
        CREATE TABLE link_end AS
        SELECT link, source, connection, side, tip.* FROM (
            SELECT link, source, connection, 'from' AS side, from_ref AS tip, from_type, to_type FROM link
            UNION ALL
            SELECT link, source, connection, 'to', to_ref, from_type, to_type FROM link)
        WHERE NOT {_UNSUPPORTED}
    """)
    folding = ", ".join(f"{part}, true" for part in PARTS)
    db.execute(f"""
        INSERT INTO reference
        SELECT (SELECT count(*) FROM reference) + row_number() OVER (ORDER BY connection, title, schema,
        database, instance), connection, {folding} FROM (
            SELECT DISTINCT connection, cluster AS instance, database, schema, "table" AS title
            FROM link_end WHERE type IN ('{_TABLE}', '{_COLUMN}'))
    """)


# Allowed: internal with internal, table or column; table with table; column with column; query to internal.
_UNSUPPORTED = f"""NOT (
    (from_type = '{_INTERNAL}' AND to_type <> '{_QUERY}') OR (to_type = '{_INTERNAL}')
    OR (from_type = to_type AND from_type IN ('{_TABLE}', '{_COLUMN}')))"""


def resolve_ends(db: duckdb.DuckDBPyConnection) -> None:
    """Makes `found` (link, side, node, how, candidates, total): `node` is NULL where an end is not exactly
    one resource.
    """
    declared = " AND ".join(
        f'r.{part} IS NOT DISTINCT FROM e."{name}"'
        for part, name in zip(PARTS, ("cluster", "database", "schema", "table"), strict=True)
    )
    folds = " AND ".join(f"r.fold_{part}" for part in PARTS)
    db.execute(f"""
        CREATE TEMP TABLE external_end AS
        SELECT e.link, e.side, e.type, e."column", m.id, m.how, m.candidates, m.total, r.ref
        FROM link_end e JOIN reference r ON r.connection = e.connection AND r.title = e."table" AND {declared}
            AND {folds} JOIN match m ON m.ref = r.ref
        WHERE e.type IN ('{_TABLE}', '{_COLUMN}')
        QUALIFY row_number() OVER (PARTITION BY e.link, e.side ORDER BY r.ref) = 1
    """)
    db.execute(f"""
        CREATE TEMP TABLE column_end AS
        WITH asked AS (SELECT DISTINCT id, "column" FROM external_end WHERE type = '{_COLUMN}' AND id IS NOT NULL),
        exact AS (
            SELECT a.id, a."column", list(f.id ORDER BY f.id) AS ids, false AS folded
            FROM asked a JOIN field f ON f.table_id = a.id AND f.title = a."column" GROUP BY ALL
        ), folded AS (
            SELECT a.id, a."column", list(f.id ORDER BY f.id) AS ids, true AS folded
            FROM asked a JOIN field f ON f.table_id = a.id AND lower(f.title) = lower(a."column")
            WHERE NOT EXISTS (SELECT 1 FROM exact e WHERE e.id = a.id AND e."column" = a."column") GROUP BY ALL
        )
        SELECT * FROM exact UNION ALL SELECT * FROM folded
    """)
    db.execute(f"""
        CREATE TABLE found AS
        SELECT e.link, e.side, n.node, CASE WHEN n.node <> n.id THEN 'same_as' ELSE 'id' END AS how, [] AS
        candidates,
               0 AS total
        FROM link_end e LEFT JOIN node_of n ON n.id = e.connection || '/' || e.key WHERE e.type = '{_INTERNAL}'
        UNION ALL
        SELECT link, side, id, how, candidates, total FROM external_end WHERE type = '{_TABLE}'
        UNION ALL
        SELECT e.link, e.side, CASE WHEN len(c.ids) = 1 THEN c.ids[1] END,
               CASE WHEN c.folded AND e.how = 'exact' THEN 'casefold' ELSE e.how END,
               CASE WHEN e.id IS NULL THEN e.candidates WHEN c.ids IS NULL THEN [e.id] ELSE c.ids END,
               CASE WHEN e.id IS NULL THEN e.total ELSE coalesce(len(c.ids), 1) END
        FROM external_end e LEFT JOIN column_end c ON c.id = e.id AND c."column" = e."column"
        WHERE e.type = '{_COLUMN}'
    """)


def declared_edges(db: duckdb.DuckDBPyConnection) -> None:
    """Adds to `raw_edge` every declared pair whose two ends were found."""
    db.execute(f"""
        INSERT INTO raw_edge
        SELECT f.node, t.node, false, NULL, NULL, l.source, 'declared', l.digest, NULL, NULL,
               CASE WHEN l.from_type <> '{_INTERNAL}' THEN f.how WHEN l.to_type <> '{_INTERNAL}' THEN t.how
                    WHEN 'same_as' IN (f.how, t.how) THEN 'same_as' ELSE 'id' END
        FROM link l JOIN found f ON f.link = l.link AND f.side = 'from'
        JOIN found t ON t.link = l.link AND t.side = 'to'
        WHERE f.node IS NOT NULL AND t.node IS NOT NULL
    """)


def unresolved_declarations(db: duckdb.DuckDBPyConnection, guesses: dict[int, list[str]]) -> list[Unresolved]:
    """An entry for each declared end that was not found, and for each pair that has no meaning."""
    entries = []
    for source, digest, from_ref, to_ref in db.execute(f"""
        SELECT source, digest, from_ref, to_ref FROM link WHERE {_UNSUPPORTED} ORDER BY link
    """).fetchall():
        message = f"lineage from {from_ref['type']} to {to_ref['type']} has no meaning"
        if to_ref["type"] == _QUERY:
            message += ": a query is never a target"
        query = from_ref["query"] or to_ref["query"]
        entries.append(
            Unresolved(
                _plain(from_ref),
                "from",
                name_of(to_ref),
                "unsupported_pair",
                message,
                source,
                (),
                query,
                digest,
            )
        )
    for side, source, digest, mine, other, node, how, candidates, total, ref in db.execute("""
        SELECT f.side, l.source, l.digest, CASE f.side WHEN 'from' THEN l.from_ref ELSE l.to_ref END,
               CASE f.side WHEN 'from' THEN l.to_ref ELSE l.from_ref END, o.node, f.how, f.candidates,
               f.total, x.ref
        FROM found f JOIN link l USING (link) LEFT JOIN external_end x ON x.link = f.link AND x.side = f.side
        LEFT JOIN found o ON o.link = f.link AND o.side <> f.side
        WHERE f.node IS NULL ORDER BY l.link, f.side
    """).fetchall():
        reason, message, candidates, guessed = _why(mine, how, candidates, total, guesses.get(ref, []))
        entries.append(
            Unresolved(
                _plain(mine),
                side,
                node or name_of(other),
                reason,
                message,
                source,
                tuple(candidates),
                other["query"],
                digest,
                guessed,
            )
        )
    return entries


def _why(
    reference: Any, how: str | None, candidates: list[str], total: int, near: list[str]
) -> tuple[str, str, list[str], bool]:
    """Reason, message, candidates, and whether those are guesses."""
    name = name_of(reference)
    if reference["type"] == _INTERNAL:
        return "undeclared_internal", f"{name} is not declared by this connection", [], False
    if how is not None and len(candidates) == 1:
        message = f"the table is {candidates[0]}, which has no column {reference['column']}"
        return "not_found", message, candidates, False
    if candidates:
        message = f"{name} could be {total} resources; say more of its name, or set defaults"
        return "ambiguous", message, candidates, False
    message = f"no connection owns {name}" + ("; the candidates are guesses by name" if near else "")
    return "not_found", message, near, bool(near)


def name_of(reference: Any) -> str:
    """A reference in short, for people."""
    if reference["type"] == _INTERNAL:
        return str(reference["key"])
    if reference["type"] == _QUERY:
        return "a query"
    parts = [reference[p] for p in ("cluster", "database", "schema", "table", "column")]
    return ".".join(part for part in parts if part)


def _plain(reference: Any) -> dict[str, Any]:
    """The reference's JSON as it was declared; a query's text lies beside it."""
    named = {k: v for k, v in reference.items() if v is not None and k != "query"}
    if "key" in named:
        named["databuilder_id"] = named.pop("key")
    return named
