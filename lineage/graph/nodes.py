"""Resources become nodes: the last declaration of each counts, describers join their owners, columns their
tables.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from lineage.graph.unresolved import Unresolved
from lineage.resolve import PARTS, REFERENCE_COLUMNS, match_references

_TABLES = "('table', 'view')"


def build_nodes(
    db: duckdb.DuckDBPyConnection, same_as: Sequence[tuple[str, str]], unresolved: list[Unresolved]
) -> None:
    """Makes `resource`, `alias` (describer, owner), `owner` (tables that references find), `node_of` and
    `field`.
    """
    db.execute("""
        CREATE TABLE resource AS
        SELECT connection || '/' || key AS id, connection, key, lower(entity_type) AS entity_type, parent_key,
               connection || '/' || parent_key AS parent, title, database, schema, body, source, digest,
               lower(entity_type) = 'column' AS is_column, false AS inferred
        FROM fact WHERE kind = 'resource'
        QUALIFY row_number() OVER (PARTITION BY connection, key ORDER BY source DESC) = 1
    """)
    _find_owners(db, same_as, unresolved)
    index_columns(db)


def _find_owners(
    db: duckdb.DuckDBPyConnection, pairs: Sequence[tuple[str, str]], unresolved: list[Unresolved]
) -> None:
    folding = ", ".join(f"{part}, true" for part in PARTS)
    db.execute(f"CREATE TABLE describer (id VARCHAR, {REFERENCE_COLUMNS}, source INTEGER)")
    db.execute(f"""
        INSERT INTO describer
        SELECT id, row_number() OVER (ORDER BY id), connection, {folding}, source FROM (
            SELECT id, connection, source, body->>'$.same_as.cluster' AS instance,
                   body->>'$.same_as.database' AS database, body->>'$.same_as.schema' AS schema,
                   body->>'$.same_as.table' AS title
            FROM resource WHERE contains(body, '"same_as"') AND body->>'$.same_as.table' IS NOT NULL)
    """)
    db.execute(f"""
        CREATE TABLE described AS
        SELECT r.id, r.connection, c.instance, r.database, r.schema, r.title, d.id IS NOT NULL AS describes
        FROM resource r JOIN connection c USING (connection) LEFT JOIN describer d ON d.id = r.id
        WHERE r.entity_type IN {_TABLES}
    """)
    target = _declared_targets(db)
    known = {str(row[0]) for row in db.execute("SELECT id FROM resource").fetchall()} if pairs else set()
    for describer, owner in pairs:
        absent = [end for end in (describer, owner) if end not in known]
        if absent:
            unresolved.append(Unresolved.same_as_pair(describer, owner, absent))
        else:
            target[describer] = (owner, "id")
    owners = _follow(target)
    db.execute("CREATE TABLE alias (id VARCHAR, owner VARCHAR)")
    if owners:
        db.executemany("INSERT INTO alias VALUES (?, ?)", sorted(owners.items()))
    _report(db, {d for d in target if d not in owners}, unresolved)
    db.execute("""
        CREATE TABLE owner AS
        SELECT id, connection, instance, database, schema, title FROM described
        WHERE NOT describes AND id NOT IN (SELECT id FROM alias) AND title <> ''
    """)


def _declared_targets(db: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, str]]:
    """What each declared `same_as` names: an owner, else a describer that has itself found one."""
    target: dict[str, tuple[str, str]] = {}
    db.execute(
        "CREATE TABLE same_as_match (ref INTEGER, id VARCHAR, how VARCHAR, candidates VARCHAR[], total BIGINT)"
    )
    db.execute("CREATE TEMP TABLE asked AS SELECT * EXCLUDE (id, source) FROM describer")
    db.execute("CREATE TEMP TABLE offered AS SELECT * FROM described WHERE NOT describes")
    while db.execute("SELECT 1 FROM asked LIMIT 1").fetchone():
        match_references(db, "asked", "offered", "same_as_step")
        db.execute("INSERT INTO same_as_match SELECT * FROM same_as_step WHERE len(candidates) > 0")
        found = db.execute("""
            SELECT d.id, m.id, m.how FROM same_as_step m JOIN describer d USING (ref) WHERE m.id IS NOT NULL
        """).fetchall()
        target |= {str(describer): (str(owner), str(how)) for describer, owner, how in found}
        db.execute("""
            CREATE OR REPLACE TEMP TABLE offered AS
            SELECT t.* FROM described t JOIN describer d ON d.id = t.id JOIN same_as_step m USING (ref)
            WHERE m.id IS NOT NULL
        """)
        db.execute("DELETE FROM asked WHERE ref IN (SELECT ref FROM same_as_match)")
        if not found:
            return target | _circles(db)
    return target


def _circles(db: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, str]]:
    """Describers whose `same_as` names another one that leads back: no owner stands behind them.

    One that names itself, as two descriptions of one absent table do, runs in no circle.
    """
    db.execute(
        "CREATE TEMP TABLE open_describer AS SELECT * FROM described WHERE id IN (SELECT id FROM describer)"
    )
    match_references(db, "asked", "open_describer", "same_as_step")
    names = dict(
        db.execute("""
            SELECT d.id, m.id FROM same_as_step m JOIN describer d USING (ref)
            WHERE m.id IS NOT NULL AND NOT list_contains(m.candidates, d.id)
        """).fetchall()
    )
    circles = {}
    for one in names:
        seen, at = set(), one
        while at in names and at not in seen:
            seen.add(at)
            at = names[at]
        if at == one:
            circles[one] = (names[one], "exact")
    return circles


def _follow(target: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Chains followed to their end; what runs in a circle is left out."""
    owners = {}
    for describer in target:
        seen, at = {describer}, target[describer][0]
        while at in target and at not in seen:
            seen.add(at)
            at = target[at][0]
        if at not in target:
            owners[describer] = at
    return owners


def _report(db: duckdb.DuckDBPyConnection, circles: set[str], unresolved: list[Unresolved]) -> None:
    rows = db.execute("""
        SELECT d.id, d.instance, d.database, d.schema, d.title, d.source, coalesce(m.candidates, [])
        FROM describer d LEFT JOIN same_as_match m USING (ref)
        WHERE d.id NOT IN (SELECT id FROM alias) ORDER BY d.id
    """).fetchall()
    for describer, cluster, database, schema, table, source, candidates in rows:
        parts = {"cluster": cluster, "database": database, "schema": schema, "table": table}
        unresolved.append(
            Unresolved.same_as(describer, parts, source, candidates, circle=describer in circles)
        )
    declared = {str(row[0]) for row in rows}
    unresolved += [Unresolved.same_as_circle(one) for one in sorted(circles - declared)]


def index_columns(db: duckdb.DuckDBPyConnection) -> None:
    """Makes `node_of` (resource, node) and `field` (a node's columns: table_id, title, id, position)."""
    db.execute("""
        CREATE OR REPLACE TABLE node_of AS
        WITH own AS (
            SELECT id, title, parent FROM resource
            WHERE is_column AND parent NOT IN (SELECT id FROM alias)
        ), described AS (
            SELECT c.id, c.title, a.owner FROM resource c JOIN alias a ON a.id = c.parent WHERE c.is_column
        ), exact AS (
            SELECT d.id, min(o.id) AS node FROM described d
            JOIN own o ON o.parent = d.owner AND o.title = d.title GROUP BY d.id
        ), folded AS (
            SELECT d.id, min(o.id) AS node FROM described d
            JOIN own o ON o.parent = d.owner AND lower(o.title) = lower(d.title)
            WHERE d.id NOT IN (SELECT id FROM exact) GROUP BY d.id HAVING count(*) = 1
        )
        SELECT r.id, coalesce(a.owner, e.node, f.node, r.id) AS node
        FROM resource r LEFT JOIN alias a ON a.id = r.id LEFT JOIN exact e ON e.id = r.id
        LEFT JOIN folded f ON f.id = r.id
    """)
    db.execute("""
        CREATE OR REPLACE TABLE field AS
        SELECT p.node AS table_id, r.title, r.id,
               coalesce(CAST(r.body->>'$.sort_order' AS BIGINT), 9223372036854775807) AS position
        FROM resource r JOIN node_of n ON n.id = r.id JOIN node_of p ON p.id = r.parent
        WHERE r.is_column AND n.node = r.id
    """)
