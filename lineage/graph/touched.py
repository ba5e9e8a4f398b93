"""What a change between two graphs touches.

Touched are declarations that came or went; where a resource *moved* (it came, went or is called something else), those
that name it or its table, and those that did not resolve and may have other guesses; and, because an edge's reasons are
told together, every declaration that shares an edge with one of these.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from lineage.graph.inputs import Source, scan_facts
from lineage.resolve import MAX_ALIKE
from lineage.store.engine import count_rows
from lineage.store.graphs import GraphHeader
from lineage.store.snapshot import NAMES_WHOLE_IDS

# What is read of resources.
RESOURCE = "source, connection, kind, key, entity_type, parent_key, title, database, schema, body"
# References find tables and columns by their titles, all others by their keys.
_IDENTITY = "entity_type, parent_key, title, database, schema, same_as, sort_order"


def find_changes(
    db: duckdb.DuckDBPyConnection, before: GraphHeader, sources: Sequence[Source], most: float
) -> bool:
    """Makes `changed` (source, kind, key), `changed_resource` (connection, key), and these as their newest snapshots
    had them and have them, `then_fact` and `now_fact`; `other` are those that came, went or are called something else.
    False for too many, for SQL among them, and where an earlier snapshot is no longer stored.
    """
    db.execute("CREATE TABLE changed (source INTEGER, kind VARCHAR, key VARCHAR)")
    db.execute("CREATE TABLE source_then AS FROM source")
    total = 0
    for number, (source, then) in enumerate(zip(sources, before.sources, strict=True)):
        total += sum(source.header.counts.values())
        if source.header.content == then["content"]:
            continue
        table, scope = source.snapshots.table, source.header.connection
        if not table.differing(db, "differing", scope, (then["content"], source.header.content)):
            return False
        db.execute(f"INSERT INTO changed SELECT {number}, kind, key FROM differing")
        db.execute("UPDATE source_then SET segment = ? WHERE source = ?", [then["content"], number])
    if (
        count_rows(db, "changed WHERE kind IN ('query', 'statement')")
        or count_rows(db, "changed") > total * most
    ):
        return False
    db.execute("""
        CREATE TABLE changed_resource AS
        SELECT DISTINCT connection, key FROM changed JOIN source USING (source) WHERE kind = 'resource'
    """)
    db.execute("CREATE TABLE changed_key AS SELECT DISTINCT 'resource' AS kind, key FROM changed_resource")
    db.execute("""
        CREATE TABLE source_of_both AS
        FROM source UNION ALL SELECT source + (SELECT count(*) FROM source), * EXCLUDE (source) FROM source_then
    """)
    places = [source.snapshots for source in (*sources, *sources)]
    scan_facts(db, "row_of_both", places, "source_of_both", only="changed_key")
    db.execute(f"CREATE TABLE of_both AS SELECT {RESOURCE} FROM row_of_both")
    for name, first in (("now", 0), ("then", len(sources))):
        db.execute(f"""
            CREATE TABLE {name}_fact AS
            SELECT source - {first} AS source, * EXCLUDE (source)
            FROM of_both SEMI JOIN changed_resource USING (connection, key)
            WHERE source BETWEEN {first} AND {first + len(sources) - 1}
            QUALIFY row_number() OVER (PARTITION BY connection, key ORDER BY source DESC) = 1
        """)
    db.execute(f"CREATE TABLE other AS {_identities('then')} EXCEPT {_identities('now')}")
    db.execute(f"INSERT INTO other {_identities('now')} EXCEPT {_identities('then')}")
    return True


def find_moved(db: duckdb.DuckDBPyConnection) -> bool:
    """Makes `moved` (id, connection, key, title): `other` resources and the columns in them, with the lower-case
    titles, as they were and as they are, of the tables that they are or are of. Whether there are any.
    """
    if not count_rows(db, "other"):
        db.execute("CREATE TABLE moved (id VARCHAR, connection VARCHAR, key VARCHAR, title VARCHAR)")
        return False
    db.execute("""
        CREATE TABLE moved AS
        WITH RECURSIVE inside AS (
            SELECT connection, key FROM other
            UNION
            SELECT r.connection, r.key FROM inside i
            JOIN every_resource r ON r.connection = i.connection AND r.parent_key = i.key AND r.entity_type = 'column'
        ), place AS (
            SELECT connection, key, title, connection AS of_connection, key AS of FROM other
            UNION ALL SELECT connection, key, title, connection, parent_key FROM other
        ), called AS (
            SELECT connection, key, title FROM other
            UNION ALL
            SELECT connection, key, NULL FROM inside
            UNION ALL
            SELECT p.connection, p.key, r.title
            FROM place p JOIN every_resource r ON r.connection = p.of_connection AND r.key = p.of
            UNION ALL
            SELECT p.connection, p.key, o.title FROM place p
            JOIN resource r ON r.connection = p.of_connection AND r.key = p.of
            JOIN alias a USING (num) JOIN resource o ON o.num = a.node
        )
        SELECT DISTINCT connection || '/' || key AS id, connection, key, lower(title) AS title FROM called
    """)
    return bool(count_rows(db, "moved"))


def _identities(when: str) -> str:
    """In SQL: who the changed resources are, or were."""
    return f"""
        (SELECT connection, key, {_IDENTITY} FROM (
            SELECT connection, key, lower(entity_type) AS entity_type, parent_key, database, schema,
                   CASE WHEN lower(entity_type) IN ('table', 'view', 'column') THEN title END AS title,
                   body->>'$.same_as' AS same_as, body->>'$.sort_order' AS sort_order
            FROM {when}_fact))
    """


def read_before(db: duckdb.DuckDBPyConnection) -> None:
    """Makes `edge_before`, the edges as they were; `said` (edge, declaration, query), their reasons, `edge` being the
    place of a row there; and `told_before`, what did not resolve.
    """
    db.execute("""
        CREATE TABLE edge_before AS
        SELECT from_id, to_id, level, edge_kind, clauses, expression, provenance FROM before_row WHERE kind = 'edge'
    """)
    db.execute("""
        CREATE TABLE said AS
        SELECT edge, p.declaration, p.query FROM (SELECT rowid AS edge, unnest(provenance) AS p FROM edge_before)
    """)
    db.execute("""
        CREATE TABLE told_before AS
        SELECT key, told[1] AS declaration, told[2] AS query, told[3] AS counterpart, lower(told[4]) AS title FROM (
            SELECT key, json_extract_string(body,
                ['$.declaration', '$.query', '$.counterpart', '$.reference.table']) AS told
            FROM before_row WHERE kind = 'unresolved')
    """)


def find_touched(db: duckdb.DuckDBPyConnection, *, moved: bool) -> None:
    """Makes `touched` (declaration) and `touched_key` (kind, key) of the declarations and statements that are resolved
    again, and of their SQL; and `touched_edge` (edge, from_id, to_id), the edges that they had.
    """
    db.execute(
        "CREATE TABLE touched AS SELECT DISTINCT key AS declaration FROM changed WHERE kind = 'declaration'"
    )
    if moved:
        _touch_moved(db)
    # What SQL does not find is told once for its text.
    db.execute("""
        CREATE TABLE of_query AS
        SELECT query, declaration FROM said WHERE query IS NOT NULL
        UNION SELECT query, declaration FROM told_before WHERE query IS NOT NULL
    """)
    known = -1
    while known != (known := count_rows(db, "touched")):
        db.execute("""
            CREATE OR REPLACE TABLE touched AS
            SELECT declaration FROM touched
            UNION SELECT declaration FROM said WHERE edge IN (
                SELECT edge FROM said SEMI JOIN touched USING (declaration))
            UNION SELECT declaration FROM of_query WHERE query IN (
                SELECT query FROM of_query SEMI JOIN touched USING (declaration))
        """)
    db.execute("""
        CREATE TABLE touched_edge AS
        SELECT rowid AS edge, from_id, to_id FROM edge_before
        WHERE rowid IN (SELECT edge FROM said SEMI JOIN touched USING (declaration))
    """)
    db.execute("""
        CREATE TABLE touched_key AS
        SELECT unnest(['declaration', 'statement']) AS kind, declaration AS key FROM touched
        UNION SELECT 'query', query FROM of_query SEMI JOIN touched USING (declaration)
    """)


def _touch_moved(db: duckdb.DuckDBPyConnection) -> None:
    db.execute("""
        CREATE TABLE by_hand AS  -- what moved, as people may have named it
        SELECT id FROM moved UNION SELECT n.old || '/' || m.key FROM moved m JOIN renamed n USING (connection)
    """)
    # Among names that begin alike some may now be guessed, and others not.
    db.execute(f"""
        INSERT INTO touched
        SELECT declaration FROM told_before WHERE declaration IS NOT NULL AND left(title, 2) IN (
            SELECT m.head FROM (
                SELECT left(title, 2) AS head, count(*) AS n FROM moved WHERE title IS NOT NULL GROUP BY head) m
            LEFT JOIN (SELECT left(lower(title), 2) AS head, count(*) AS n FROM owner GROUP BY head) o USING (head)
            WHERE coalesce(o.n, 0) <= {MAX_ALIKE} + m.n)
        UNION
        SELECT key FROM fact
        WHERE kind = 'declaration' AND (
            lower(from_ref."table") IN (SELECT title FROM moved)
            OR lower(to_ref."table") IN (SELECT title FROM moved)
            OR (connection, from_ref.key) IN (SELECT (connection, key) FROM moved)
            OR (connection, to_ref.key) IN (SELECT (connection, key) FROM moved)
            OR from_ref.key IN (FROM by_hand) OR to_ref.key IN (FROM by_hand))
        UNION
        SELECT declaration FROM said WHERE edge IN (
            SELECT rowid FROM edge_before
            WHERE from_id IN (SELECT id FROM moved) OR to_id IN (SELECT id FROM moved))
    """)


def add_resources(db: duckdb.DuckDBPyConnection, *, moved: bool, every: bool) -> None:
    """Adds to `resource` what else takes part; `every` one where SQL is touched, which may name any column."""
    if every:
        wanted = "SELECT connection, key FROM every_resource"
    else:
        _find_wanted(db, moved=moved)
        wanted = "FROM wanted"
    db.execute(f"""
        INSERT INTO resource BY NAME
        SELECT (SELECT count(*) FROM resource) + row_number() OVER (ORDER BY connection, key) - 1 AS num, *,
               entity_type = 'column' AS is_column, false AS inferred
        FROM every_resource SEMI JOIN ({wanted}) USING (connection, key) ANTI JOIN resource USING (connection, key)
    """)


def _find_wanted(db: duckdb.DuckDBPyConnection, *, moved: bool) -> None:
    """Makes `wanted` (connection, key): what touched declarations name, what changed, what lacks its parent, all that
    holds these or a table, and of the tables among them, of what is called alike and of what these describe, the
    columns.
    """
    db.execute("""
        CREATE TABLE named AS
        SELECT connection, unnest([from_ref, to_ref]) AS ref FROM touched_fact WHERE kind = 'declaration'
    """)
    db.execute(f"""
        CREATE TABLE wanted AS
        FROM changed_resource
        UNION SELECT r.connection, r.key FROM every_resource r
            SEMI JOIN moved m ON m.connection = r.connection AND m.key = r.parent_key
        UNION SELECT split_part(counterpart, '/', 1), substr(counterpart, strpos(counterpart, '/') + 1)
            FROM told_before WHERE declaration IS NULL
        UNION SELECT connection, ref.key FROM named WHERE ref.key IS NOT NULL AND connection NOT IN {NAMES_WHOLE_IDS}
        UNION SELECT coalesce(n.connection, k.connection), k.key FROM (
            SELECT split_part(ref.key, '/', 1) AS connection, substr(ref.key, strpos(ref.key, '/') + 1) AS key
            FROM named WHERE connection IN {NAMES_WHOLE_IDS}) k LEFT JOIN renamed n ON n.old = k.connection
    """)
    _want_holders(db, "FROM wanted", "every_resource")
    db.execute("""
        CREATE TABLE together AS  -- tables, and which of them stand for one
        SELECT r.num, r.connection, r.key, lower(r.title) AS title, coalesce(a.node, r.num) AS node, a.node IS NOT NULL
            OR r.num IN (SELECT node FROM alias) AS described
        FROM resource r LEFT JOIN alias a USING (num)
    """)
    db.execute(f"""
        INSERT INTO wanted
        SELECT c.connection, c.key FROM every_resource c SEMI JOIN (
            SELECT t.connection, t.key FROM together t WHERE t.node IN (
                SELECT node FROM together WHERE title IN (SELECT lower(ref."table") FROM named)
                UNION ALL SELECT node FROM together SEMI JOIN wanted USING (connection, key)
                {"UNION ALL SELECT node FROM together WHERE described" if moved else ""})
        ) p ON p.connection = c.connection AND p.key = c.parent_key
        WHERE c.entity_type = 'column'
    """)
    _want_holders(db, "SELECT connection, key FROM resource", "resource")


def _want_holders(db: duckdb.DuckDBPyConnection, of: str, among: str) -> None:
    """Adds to `wanted` the parents of resources, which are `among` a table's, and their parents."""
    while True:
        db.execute(f"""
            CREATE OR REPLACE TEMP TABLE holder AS
            SELECT DISTINCT r.connection, r.parent_key AS key
            FROM {among} r SEMI JOIN ({of}) o ON o.connection = r.connection AND o.key = r.key
            ANTI JOIN wanted w ON w.connection = r.connection AND w.key = r.parent_key
            WHERE r.parent_key IS NOT NULL
        """)
        if not count_rows(db, "holder"):
            return
        db.execute("INSERT INTO wanted FROM holder")
        # Tables are all there, and what holds those is asked for last.
        of, among = "FROM holder ANTI JOIN resource USING (connection, key)", "every_resource"
        if not count_rows(db, f"({of})"):
            return


def find_nodes(db: duckdb.DuckDBPyConnection) -> None:
    """Makes `changed_node` (num), nodes of which the rows may differ, and `node_key` (kind, key) of what else tells
    them.
    """
    db.execute("""
        CREATE TABLE changed_node AS
        WITH same AS (
            SELECT r.num FROM resource r SEMI JOIN changed_resource USING (connection, key)
            UNION SELECT r.num FROM resource r JOIN moved m ON m.connection = r.connection AND m.key = r.parent_key
        )
        SELECT coalesce(a.node, s.num) AS num FROM same s LEFT JOIN alias a USING (num) GROUP BY ALL
    """)
    db.execute("""
        CREATE TABLE node_key AS
        SELECT DISTINCT 'resource' AS kind, key FROM resource
        ANTI JOIN now_fact USING (source, key)
        WHERE num IN (FROM changed_node UNION ALL SELECT a.num FROM alias a JOIN changed_node c ON c.num = a.node)
    """)
