"""Resources become nodes: the last declaration of each counts, describers join their owners, columns their
tables.

A resource is a number, in the order of ids; `alias` says which are another one's node.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from lineage.graph.unresolved import Unresolved, tell
from lineage.platforms import place_of
from lineage.resolve import PARTS, REFERENCE_COLUMNS, match_references
from lineage.store.snapshot import SINKS

_TABLES = "('table', 'view')"


# A resource as its newest source declares it.
_DECLARED = """source, connection, key, lower(entity_type) AS entity_type, parent_key, title, database, schema,
    CASE WHEN contains(body, '"same_as"') THEN body->>'$.same_as' END AS same_as"""
# In SQL: the resources of `fact`, each once.
RESOURCES = f"""
    SELECT {_DECLARED} FROM fact WHERE kind = 'resource' AND connection NOT IN (
        SELECT connection FROM source GROUP BY connection HAVING count(*) > 1)
    UNION ALL
    SELECT {_DECLARED} FROM fact WHERE kind = 'resource' AND connection IN (
        SELECT connection FROM source GROUP BY connection HAVING count(*) > 1)
    QUALIFY row_number() OVER (PARTITION BY connection, key ORDER BY source DESC) = 1
"""


def build_nodes(db: duckdb.DuckDBPyConnection, same_as: Sequence[tuple[str, str]]) -> None:
    """Makes `resource`, `parent`, `alias` (num, node: of describers and their columns) and `owner` (tables that
    references find); adds to `missing` what `same_as` does not find.
    """
    number_resources(db, RESOURCES)
    find_owners(db, same_as)
    find_parents(db)
    join_columns(db)


def number_resources(db: duckdb.DuckDBPyConnection, resources: str) -> None:
    """Makes `resource` and `resource_id` of what a query gives, numbered in the order of ids."""
    db.execute(f"""
        CREATE TABLE resource AS
        SELECT (row_number() OVER (ORDER BY connection, key) - 1)::INTEGER AS num, *,
               entity_type = 'column' AS is_column, false AS inferred
        FROM ({resources})
    """)
    db.execute("CREATE VIEW resource_id AS SELECT num, connection || '/' || key AS id FROM resource")


def find_parents(db: duckdb.DuckDBPyConnection) -> None:
    """Makes `parent` (num, parent) of the resources that have one, and it is there."""
    db.execute("""
        CREATE OR REPLACE TABLE parent AS
        SELECT r.num, p.num AS parent FROM resource r
        JOIN resource p ON p.connection = r.connection AND p.key = r.parent_key
        WHERE r.parent_key IS NOT NULL
    """)


def find_owners(db: duckdb.DuckDBPyConnection, pairs: Sequence[tuple[str, str]]) -> None:
    """Makes `owner`, and `alias` of the tables that describe others; adds to `missing` what these do not find."""
    unresolved: list[Unresolved] = []
    folding = ", ".join(f"{part}, true" for part in PARTS)
    db.execute(f"CREATE TABLE describer (num INTEGER, {REFERENCE_COLUMNS}, source INTEGER)")
    db.execute(f"""
        INSERT INTO describer
        SELECT num, row_number() OVER (ORDER BY num), connection, {folding}, NULL, source FROM (
            SELECT num, connection, source, same_as->>'$.cluster' AS instance, same_as->>'$.database' AS database,
                   same_as->>'$.schema' AS schema, same_as->>'$.table' AS title
            FROM resource WHERE same_as->>'$.table' IS NOT NULL)
    """)
    db.execute(f"""
        CREATE TABLE described AS
        SELECT r.num, r.connection, c.instance, r.database, r.schema, r.title, d.num IS NOT NULL AS describes
        FROM resource r JOIN connection c USING (connection) LEFT JOIN describer d ON d.num = r.num
        WHERE r.entity_type IN {_TABLES}
    """)
    db.execute("CREATE TABLE given_as AS SELECT * FROM describer")
    place_references(db, "describer")
    target = _declared_targets(db)
    numbers = _numbers(db, {end for pair in pairs for end in pair})
    for describer, owner in pairs:
        absent = [end for end in (describer, owner) if end not in numbers]
        if absent:
            unresolved.append(Unresolved.same_as_pair(describer, owner, absent))
        else:
            target[numbers[describer]] = numbers[owner]
    owners = _follow(target)
    db.execute("CREATE TABLE alias (num INTEGER, node INTEGER)")
    if owners:
        columns = zip(*sorted(owners.items()), strict=True)
        db.register("followed", pa.table([pa.array(one, pa.int32()) for one in columns], ["num", "node"]))
        db.execute("INSERT INTO alias FROM followed")
        db.unregister("followed")
    _report(db, {d for d in target if d not in owners}, unresolved)
    db.execute("""
        CREATE TABLE owner AS
        SELECT num, connection, instance, database, schema, title FROM described
        WHERE NOT describes AND num NOT IN (SELECT num FROM alias) AND title <> ''
    """)
    tell(db, unresolved)


def place_references(db: duckdb.DuckDBPyConnection, references: str) -> None:
    """Instances that are addresses become namespaces, unless a connection's instance is called just so.

    What an address says of the database counts where the reference leaves it open.
    """
    given = db.execute(f"""
        SELECT DISTINCT instance FROM {references}
        WHERE instance IS NOT NULL AND instance NOT IN (SELECT instance FROM connection)
    """).fetchall()
    places = [(text, *place[:3]) for (text,) in given if (place := place_of(text))]
    if not places:
        return
    db.execute(
        "CREATE OR REPLACE TEMP TABLE place (text VARCHAR, namespace VARCHAR, database VARCHAR, schema VARCHAR)"
    )
    db.executemany("INSERT INTO place VALUES (?, ?, ?, ?)", places)
    db.execute(f"""
        UPDATE {references} SET instance = NULL, namespace = p.namespace,
            database = coalesce({references}.database, p.database), schema = coalesce({references}.schema, p.schema)
        FROM place p WHERE {references}.instance = p.text
    """)


def _numbers(db: duckdb.DuckDBPyConnection, ids: set[str]) -> dict[str, int]:
    """The numbers of the resources of these ids that there are."""
    if not ids:
        return {}
    marks = ", ".join("?" for _ in ids)
    rows = db.execute(f"SELECT id, num FROM resource_id WHERE id IN ({marks})", sorted(ids)).fetchall()
    return {str(one): int(num) for one, num in rows}


def _declared_targets(db: duckdb.DuckDBPyConnection) -> dict[int, int]:
    """What each declared `same_as` names: an owner, else a describer that has itself found one."""
    target: dict[int, int] = {}
    db.execute("CREATE TABLE same_as_candidate (ref INTEGER, candidates VARCHAR[])")
    db.execute("CREATE TEMP TABLE asked AS SELECT * EXCLUDE (num, source) FROM describer")
    db.execute("CREATE TEMP TABLE offered AS SELECT * FROM described WHERE NOT describes")
    while db.execute("SELECT 1 FROM asked LIMIT 1").fetchone():
        match_references(db, "asked", "offered", "same_as_step")
        db.execute("INSERT INTO same_as_candidate SELECT ref, candidates FROM same_as_step_several")
        found = db.execute("""
            SELECT d.num, m.num FROM same_as_step m JOIN describer d USING (ref)
        """).fetchall()
        target |= {int(describer): int(owner) for describer, owner in found}
        db.execute("""
            CREATE OR REPLACE TEMP TABLE offered AS
            SELECT t.* FROM described t JOIN describer d ON d.num = t.num JOIN same_as_step m USING (ref)
        """)
        db.execute("""
            DELETE FROM asked WHERE ref IN (SELECT ref FROM same_as_step)
                OR ref IN (SELECT ref FROM same_as_step_several)
        """)
        if not found:
            return target | _circles(db)
    return target


def _circles(db: duckdb.DuckDBPyConnection) -> dict[int, int]:
    """Describers whose `same_as` names another one that leads back: no owner stands behind them.

    One that names itself, as two descriptions of one absent table do, runs in no circle.
    """
    db.execute(
        "CREATE TEMP TABLE open_describer AS SELECT * FROM described WHERE num IN (SELECT num FROM describer)"
    )
    match_references(db, "asked", "open_describer", "same_as_step")
    names: dict[int, int] = dict(
        db.execute("""
            SELECT d.num, m.num FROM same_as_step m JOIN describer d USING (ref)
            WHERE NOT EXISTS (SELECT 1 FROM candidate c WHERE c.ref = d.ref AND c.num = d.num)
        """).fetchall()
    )
    circles = {}
    for one in names:
        seen, at = set(), one
        while at in names and at not in seen:
            seen.add(at)
            at = names[at]
        if at == one:
            circles[one] = names[one]
    return circles


def _follow(target: dict[int, int]) -> dict[int, int]:
    """Chains followed to their end; what runs in a circle is left out."""
    owners = {}
    for describer in target:
        seen, at = {describer}, target[describer]
        while at in target and at not in seen:
            seen.add(at)
            at = target[at]
        if at not in target:
            owners[describer] = at
    return owners


def _report(db: duckdb.DuckDBPyConnection, circles: set[int], unresolved: list[Unresolved]) -> None:
    rows = db.execute(f"""
        SELECT d.num, i.id, d.instance, d.database, d.schema, d.title, d.source, coalesce(m.candidates, [])
        FROM given_as d JOIN resource_id i ON i.num = d.num LEFT JOIN same_as_candidate m USING (ref)
        WHERE d.num NOT IN (SELECT num FROM alias)
            -- a sink's target that no connection owns is its own
            AND NOT (d.connection = '{SINKS}' AND m.candidates IS NULL)
        ORDER BY d.num
    """).fetchall()
    for num, describer, cluster, database, schema, table, source, candidates in rows:
        parts = {"cluster": cluster, "database": database, "schema": schema, "table": table}
        unresolved.append(Unresolved.same_as(describer, parts, source, candidates, circle=num in circles))
    if others := sorted(circles - {int(row[0]) for row in rows}):
        marks = ", ".join("?" for _ in others)
        named = db.execute(
            f"SELECT id FROM resource_id WHERE num IN ({marks}) ORDER BY num", others
        ).fetchall()
        unresolved += [Unresolved.same_as_circle(str(one)) for (one,) in named]


def join_columns(db: duckdb.DuckDBPyConnection) -> None:
    """Adds to `alias` the describers' columns that their owners have too."""
    db.execute("""
        INSERT INTO alias
        WITH own AS (
            SELECT r.num, r.title, p.parent FROM resource r JOIN parent p USING (num)
            WHERE r.is_column AND p.parent IN (SELECT node FROM alias)
                AND p.parent NOT IN (SELECT num FROM alias)
        ), described_column AS (
            SELECT c.num, c.title, a.node AS owner
            FROM alias a JOIN parent p ON p.parent = a.num JOIN resource c ON c.num = p.num WHERE c.is_column
        ), exact AS (
            SELECT d.num, min(o.num) AS node FROM described_column d
            JOIN own o ON o.parent = d.owner AND o.title = d.title GROUP BY d.num
        ), folded AS (
            SELECT d.num, min(o.num) AS node FROM described_column d
            JOIN own o ON o.parent = d.owner AND lower(o.title) = lower(d.title)
            WHERE d.num NOT IN (SELECT num FROM exact) GROUP BY d.num HAVING count(*) = 1
        )
        SELECT * FROM exact UNION ALL SELECT * FROM folded
    """)
    db.execute("""
        CREATE VIEW field AS
        SELECT coalesce(a.node, p.parent) AS table_num, r.title, r.num, p.parent = coalesce(a.node, p.parent) AS own
        FROM resource r JOIN parent p USING (num) LEFT JOIN alias a ON a.num = p.parent
        WHERE r.is_column AND r.num NOT IN (SELECT num FROM alias)
    """)
