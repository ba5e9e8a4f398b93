"""A graph made of an earlier one: only what a change touches is read and resolved again, with the same code.

What is touched: declarations that came or went; where a resource came, went or is called something else, those that
name it or its table, and those that did not resolve and may have other guesses; and, because an edge's reasons are
told together, every declaration that shares an edge with one of these. Where SQL may be touched by what moved, or who
describes whom, or how often something is used, the graph is built anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import duckdb

from lineage.graph.inputs import ConnectionSpec, Source, load, scan_facts
from lineage.graph.linking import link_resources
from lineage.graph.nodes import RESOURCES, find_owners, find_parents, join_columns, number_resources
from lineage.graph.rows import EDGE, NODE, QUERY, UNRESOLVED, tell_unresolved
from lineage.resolve import MAX_ALIKE
from lineage.store import Store
from lineage.store.contents import GONE
from lineage.store.graphs import GraphHeader
from lineage.store.snapshot import BY_HAND
from lineage.store.tables import Rows

_TABLES = "('table', 'view')"
# Resources under another name are others to references: of tables and columns the title counts, of all their keys.
# What is read of the facts that are fetched.
_RESOURCE = "source, connection, kind, key, entity_type, parent_key, title, database, schema, body"
_DECLARATION = "source, connection, kind, key, from_ref, to_ref, body"
_IDENTITY = "entity_type, parent_key, title, database, schema, same_as, sort_order"


class PatchLimits(NamedTuple):
    """When a graph is made of an earlier one: it has at least `rows` resources and edges (a smaller one is quicker
    built), and of what the snapshots hold at most the share `changed` differs.
    """

    rows: int = 20_000
    changed: float = 0.1


USUAL = PatchLimits()


class Patch(NamedTuple):
    """What makes a graph of the one `before`, and how many there are of each kind then."""

    before: GraphHeader
    rows: Rows
    counts: dict[str, int]


def patch_graph(
    store: Store,
    header: GraphHeader,
    sources: Sequence[Source],
    connections: Sequence[ConnectionSpec],
    same_as: Sequence[tuple[str, str]],
    limits: PatchLimits,
) -> Patch | None:
    """The changes from a stored graph of the same setting; None where there is none, or too much has changed."""
    before = _before(store, header, limits.rows)
    if (
        before is None
        or any(source.header.windowed for source in sources)
        or any(c.infer_tables for c in connections)
    ):
        return None
    db = load(sources, connections)
    if not _find_changes(db, before, sources, limits.changed):
        return None
    store.graphs.scan(db, "before_row", before)
    if _count(db, "(SELECT 1 FROM before_row WHERE usage IS NOT NULL LIMIT 1)"):
        return None
    places = [source.snapshots for source in sources]
    scan_facts(db, "fact", places)
    db.execute(f"CREATE TABLE every_resource AS {RESOURCES}")
    describers = f"same_as IS NOT NULL OR {_named(same_as)}"
    number_resources(db, f"FROM every_resource WHERE entity_type IN {_TABLES} OR {describers}")
    find_owners(db, same_as)
    moved = _find_moved(db)
    if moved and any(source.header.counts.get("query") for source in sources):
        return None
    _read_before(db)
    _find_touched(db, moved=moved)
    scan_facts(db, "touched_row", places, only="touched_key")
    has_sql = _count(db, "touched_key WHERE kind = 'query'") > 0
    db.execute(f"CREATE TABLE touched_fact AS SELECT {'*' if has_sql else _DECLARATION} FROM touched_row")
    if _count(db, _SQL_DECLARATION_CHANGED):
        return None
    _add_resources(db, moved=moved, every=has_sql)
    find_parents(db)
    join_columns(db)
    if moved and _count(db, _ALIASES_DIFFER):
        return None
    _find_nodes(db)
    scan_facts(db, "node_row", places, only="node_key")
    db.execute(f"""
        CREATE TABLE node_fact AS
        FROM now_fact UNION ALL SELECT {_RESOURCE} FROM node_row ANTI JOIN now_fact USING (source, key)
    """)
    db.execute("""
        CREATE OR REPLACE TEMP VIEW fact AS
        FROM touched_fact UNION ALL BY NAME FROM node_fact UNION ALL BY NAME FROM touched_row WHERE false
    """)
    link_resources(db)
    tell_unresolved(db)
    _merge_with_before(db)
    came = _count_new_nodes(db, store, before) if moved else 0
    return Patch(before, Rows(db, _queries(db, before)), _counts(db, before, came))


def _before(store: Store, header: GraphHeader, least: int) -> GraphHeader | None:
    """The newest stored graph of the same setting, large enough."""
    for one in sorted(
        store.graphs.headers(), key=lambda h: (h.partition <= header.partition, h.partition), reverse=True
    ):
        size = one.counts.get("node", 0) + one.counts.get("edge", 0)
        if one.setting == header.setting and size >= least and len(one.sources) == len(header.sources):
            return one
    return None


def _named(same_as: Sequence[tuple[str, str]]) -> str:
    """In SQL: that a resource's id is among those of pairs."""
    ids = sorted({"'" + end.replace("'", "''") + "'" for pair in same_as for end in pair})
    return f"connection || '/' || key IN ({', '.join(ids)})" if ids else "false"


def _find_changes(
    db: duckdb.DuckDBPyConnection, before: GraphHeader, sources: Sequence[Source], most: float
) -> bool:
    """Makes `changed` (source, kind, key), `changed_resource` (connection, key), and these as their newest snapshots
    had them and have them, `then_fact` and `now_fact`. False for too many, for SQL among them, and where an earlier
    snapshot is no longer stored.
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
    if _count(db, "changed WHERE kind IN ('query', 'statement')") or _count(db, "changed") > total * most:
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
    db.execute(f"CREATE TABLE of_both AS SELECT {_RESOURCE} FROM row_of_both")
    for name, first in (("now", 0), ("then", len(sources))):
        db.execute(f"""
            CREATE TABLE {name}_fact AS
            SELECT source - {first} AS source, * EXCLUDE (source)
            FROM of_both SEMI JOIN changed_resource USING (connection, key)
            WHERE source BETWEEN {first} AND {first + len(sources) - 1}
            QUALIFY row_number() OVER (PARTITION BY connection, key ORDER BY source DESC) = 1
        """)
    return True


def _find_moved(db: duckdb.DuckDBPyConnection) -> bool:
    """Makes `moved` (id, connection, key, title): resources that came, went or are called something else, and the
    columns in them, with the lower-case titles, as they were and as they are, of the tables that they are or are of.
    Whether there are any.
    """
    db.execute(f"CREATE TABLE other AS {_identities('then')} EXCEPT {_identities('now')}")
    db.execute(f"INSERT INTO other {_identities('now')} EXCEPT {_identities('then')}")
    if not _count(db, "other"):
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
    return bool(_count(db, "moved"))


def _identities(when: str) -> str:
    """In SQL: who the changed resources are, or were."""
    return f"""
        (SELECT connection, key, {_IDENTITY} FROM (
            SELECT connection, key, lower(entity_type) AS entity_type, parent_key, database, schema,
                   CASE WHEN lower(entity_type) IN ('table', 'view', 'column') THEN title END AS title,
                   body->>'$.same_as' AS same_as, body->>'$.sort_order' AS sort_order
            FROM {when}_fact))
    """


def _read_before(db: duckdb.DuckDBPyConnection) -> None:
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


def _find_touched(db: duckdb.DuckDBPyConnection, *, moved: bool) -> None:
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
    while known != (known := _count(db, "touched")):
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


def _add_resources(db: duckdb.DuckDBPyConnection, *, moved: bool, every: bool) -> None:
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
        UNION SELECT connection, ref.key FROM named WHERE ref.key IS NOT NULL AND connection <> '{BY_HAND}'
        UNION SELECT coalesce(n.connection, k.connection), k.key FROM (
            SELECT split_part(ref.key, '/', 1) AS connection, substr(ref.key, strpos(ref.key, '/') + 1) AS key
            FROM named WHERE connection = '{BY_HAND}') k LEFT JOIN renamed n ON n.old = k.connection
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
        if not _count(db, "holder"):
            return
        db.execute("INSERT INTO wanted FROM holder")
        # Tables are all there, and what holds those is asked for last.
        of, among = "FROM holder ANTI JOIN resource USING (connection, key)", "every_resource"
        if not _count(db, f"({of})"):
            return


# What SQL does not find is told once for a text, whatever declares it.
_SQL_DECLARATION_CHANGED = """(
    SELECT declaration FROM told_before WHERE query IS NOT NULL
    UNION ALL SELECT key FROM touched_fact WHERE from_ref.type = 'tables_from_query'
    ) told JOIN changed ON key = declaration AND kind = 'declaration'"""
_ALIASES_DIFFER = """(
    SELECT * FROM (
        SELECT i.id, n.id AS node FROM alias a JOIN resource_id i USING (num) JOIN resource_id n ON n.num = a.node
    ) now FULL OUTER JOIN (
        SELECT unnest(aliases) AS id, key AS node FROM before_row WHERE kind = 'node' AND len(aliases) > 0
    ) then_ ON now.id = then_.id AND now.node = then_.node
    WHERE now.id IS NULL OR then_.id IS NULL)"""


def _find_nodes(db: duckdb.DuckDBPyConnection) -> None:
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


def _merge_with_before(db: duckdb.DuckDBPyConnection) -> None:
    """Makes `edge_row`, the edges that differ: those of touched declarations, and with them what other reasons of the
    same ends (`met_edge`) had given.
    """
    db.execute(f"CREATE TABLE fresh_edge AS {EDGE}")
    db.execute("""
        CREATE TABLE met_edge AS
        SELECT 'edge' AS kind, from_id || chr(10) || to_id AS key, * FROM edge_before
        SEMI JOIN fresh_edge USING (from_id, to_id) ANTI JOIN touched_edge USING (from_id, to_id)
    """)
    db.execute("""
        CREATE TABLE edge_row AS
        SELECT * FROM fresh_edge ANTI JOIN met_edge USING (from_id, to_id)
        UNION ALL BY NAME
        SELECT kind, key, from_id, to_id,
               CASE WHEN bool_or(level = 'column') THEN 'column' ELSE 'resource' END AS level,
               CASE WHEN bool_and(edge_kind = 'indirect') THEN 'indirect' ELSE 'direct' END AS edge_kind,
               list_sort(list_distinct(flatten(list(clauses)))) AS clauses, min(expression) AS expression,
               list_sort(list_distinct(flatten(list(provenance)))) AS provenance
        FROM (
            SELECT f.* FROM fresh_edge f SEMI JOIN met_edge USING (from_id, to_id) UNION ALL BY NAME FROM met_edge
        ) GROUP BY kind, key, from_id, to_id
    """)


def _queries(db: duckdb.DuckDBPyConnection, before: GraphHeader) -> list[str]:
    """The rows that differ from those of the graph before."""
    db.execute("""
        CREATE TABLE retold AS
        FROM told_before WHERE declaration IS NULL OR declaration IN (SELECT declaration FROM touched)
    """)
    there = [
        "SELECT * FROM edge_row",
        f"SELECT * FROM ({NODE} WHERE r.num IN (SELECT num FROM changed_node))",
        f"SELECT u.* FROM ({UNRESOLVED}) u ANTI JOIN retold b ON b.key = u.key",
    ]
    gone = [
        """SELECT 'edge' AS kind, from_id || chr(10) || to_id AS key
           FROM touched_edge ANTI JOIN edge_row USING (from_id, to_id)""",
        "SELECT 'node' AS kind, id AS key FROM gone_node",
        f"SELECT 'unresolved' AS kind, b.key FROM retold b ANTI JOIN ({UNRESOLVED}) u ON u.key = b.key",
    ]
    db.execute("""
        CREATE TABLE gone_node AS
        SELECT DISTINCT connection || '/' || key AS id FROM then_fact ANTI JOIN every_resource USING (connection, key)
    """)
    db.execute(f"CREATE TABLE query_row AS {QUERY}")
    db.execute("CREATE TABLE query_before (key VARCHAR)")
    if before.counts.get("query"):
        db.execute("INSERT INTO query_before SELECT key FROM before_row WHERE kind = 'query'")
    db.execute("""
        CREATE TABLE kept_query AS
        SELECT query FROM said ANTI JOIN touched_edge USING (edge) WHERE query IS NOT NULL
        UNION SELECT query FROM told_before ANTI JOIN retold USING (key) WHERE query IS NOT NULL
    """)
    there.append("SELECT * FROM query_row ANTI JOIN query_before USING (key)")
    gone.append("""
        SELECT 'query' AS kind, key FROM query_before
        ANTI JOIN kept_query ON query = key ANTI JOIN query_row USING (key)
    """)
    rows = [f"SELECT *, hash(r)::VARCHAR AS digest FROM ({part}) r" for part in there]
    return rows + [f"SELECT '{GONE}' || kind AS kind, key FROM ({part})" for part in gone]


def _count_new_nodes(db: duckdb.DuckDBPyConnection, store: Store, before: GraphHeader) -> int:
    db.execute(
        "CREATE TABLE node_id AS SELECT 'node' AS kind, id AS key FROM resource_id SEMI JOIN changed_node USING (num)"
    )
    store.graphs.scan(db, "node_before", before, only="node_id")
    return _count(db, "node_id") - _count(db, "node_before")


def _counts(db: duckdb.DuckDBPyConnection, before: GraphHeader, came: int) -> dict[str, int]:
    change = {
        "node": came - _count(db, "gone_node"),
        "edge": _count(db, "edge_row") - _count(db, "met_edge") - _count(db, "touched_edge"),
        "unresolved": _count(db, "unresolved") - _count(db, "retold"),
        "query": _count(db, "(SELECT key FROM query_row UNION SELECT query FROM kept_query)")
        - _count(db, "query_before"),
    }
    counts = {kind: before.counts.get(kind, 0) + more for kind, more in change.items()}
    return {kind: count for kind, count in counts.items() if count}


def _count(db: duckdb.DuckDBPyConnection, relation: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0])
