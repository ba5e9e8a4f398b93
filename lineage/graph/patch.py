"""A graph made of an earlier one: only what a change touches is resolved again, with the same code.

What is touched: declarations that came or went; those that name a table, or a resource, that came, went or is called
something else; those that did not resolve; and, because an edge's reasons are told together, every declaration that
shares an edge with one of these. Where SQL may be touched, or who describes whom, or how often something is used, the
graph is built anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import duckdb

from lineage.graph.inputs import ConnectionSpec, Source, load
from lineage.graph.linking import link_resources
from lineage.graph.nodes import build_nodes
from lineage.graph.rows import EDGE, NODE, QUERY, UNRESOLVED, tell_unresolved
from lineage.store import Store
from lineage.store.contents import GONE
from lineage.store.graphs import GraphHeader
from lineage.store.tables import Rows

# What references find a resource by, and what hangs from it.
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
    build_nodes(db, same_as)
    store.graphs.scan(db, "before_row", before)
    _read_before(db)
    if _count(db, _ALIASES_DIFFER) or _count(
        db, "(SELECT 1 FROM before_row WHERE usage IS NOT NULL LIMIT 1)"
    ):
        return None
    _find_moved(db)
    has_sql = any(source.header.counts.get("query") for source in sources)
    if has_sql and _count(db, "moved"):
        return None
    _find_touched(db)
    link_resources(db)
    return Patch(before, Rows(db, _queries(db)), _counts(db, before))


def _before(store: Store, header: GraphHeader, least: int) -> GraphHeader | None:
    """The newest stored graph of the same setting, large enough."""
    for one in sorted(
        store.graphs.headers(), key=lambda h: (h.partition <= header.partition, h.partition), reverse=True
    ):
        size = one.counts.get("node", 0) + one.counts.get("edge", 0)
        if one.setting == header.setting and size >= least and len(one.sources) == len(header.sources):
            return one
    return None


def _find_changes(
    db: duckdb.DuckDBPyConnection, before: GraphHeader, sources: Sequence[Source], most: float
) -> bool:
    """Makes `changed` (source, kind, key) and `was` (the resources among them as they were); False for too many, for
    SQL among them, and where an earlier snapshot is no longer stored.
    """
    db.execute("CREATE TABLE changed (source INTEGER, kind VARCHAR, key VARCHAR)")
    db.execute("""
        CREATE TABLE was (source INTEGER, key VARCHAR, entity_type VARCHAR, parent_key VARCHAR, title VARCHAR,
                          database VARCHAR, schema VARCHAR, same_as VARCHAR, sort_order VARCHAR)
    """)
    total = 0
    for number, (source, then) in enumerate(zip(sources, before.sources, strict=True)):
        total += sum(source.header.counts.values())
        if source.header.content == then["content"]:
            continue
        table, scope = source.snapshots.table, source.header.connection
        if not table.differing(db, "differing", scope, (then["content"], source.header.content)):
            return False
        db.execute(f"INSERT INTO changed SELECT {number}, kind, key FROM differing")
        source.snapshots.scan(db, "then_row", [(scope, then["content"])])
        db.execute(f"""
            INSERT INTO was
            SELECT {number}, key, lower(entity_type), parent_key, title, database, schema, {_of_body("t")}
            FROM then_row t WHERE kind = 'resource' AND key IN (SELECT key FROM differing WHERE kind = 'resource')
        """)
    sql = _count(db, "(SELECT 1 FROM changed WHERE kind IN ('query', 'statement'))")
    return not sql and _count(db, "changed") <= total * most


def _of_body(row: str) -> str:
    """In SQL: of a resource's other fields those that say who it is."""
    return f"{row}.body->>'$.same_as' AS same_as, {row}.body->>'$.sort_order' AS sort_order"


def _read_before(db: duckdb.DuckDBPyConnection) -> None:
    """Makes `said` (from_id, to_id, declaration), edges' reasons, and `told_before`, what did not resolve."""
    db.execute("""
        CREATE TABLE said AS
        SELECT from_id, to_id, p.declaration FROM (
            SELECT from_id, to_id, unnest(provenance) AS p FROM before_row WHERE kind = 'edge')
    """)
    db.execute("""
        CREATE TABLE told_before AS
        SELECT key, body->>'$.declaration' AS declaration FROM before_row WHERE kind = 'unresolved'
    """)


_ALIASES_DIFFER = """(
    SELECT * FROM (
        SELECT i.id, n.id AS node FROM alias a JOIN resource_id i USING (num) JOIN resource_id n ON n.num = a.node
    ) now FULL OUTER JOIN (
        SELECT unnest(aliases) AS id, key AS node FROM before_row WHERE kind = 'node' AND len(aliases) > 0
    ) then_ ON now.id = then_.id AND now.node = then_.node
    WHERE now.id IS NULL OR then_.id IS NULL)"""


def _find_moved(db: duckdb.DuckDBPyConnection) -> None:
    """Makes `moved` (id, title): resources that came, went or are called something else, with the lower-case titles, as
    they were and as they are, of the tables that they are or are of.
    """
    db.execute(f"""
        CREATE TABLE moved AS
        WITH now AS (
            SELECT f.source, f.connection, f.key, lower(f.entity_type) AS entity_type, f.parent_key, f.title,
                   f.database, f.schema, {_of_body("f")}
            FROM fact f JOIN changed c ON c.source = f.source AND c.kind = f.kind AND c.key = f.key
            WHERE f.kind = 'resource'
        ), earlier AS (
            SELECT s.connection, w.* FROM was w JOIN source s USING (source)
        ), other AS (
            (SELECT connection, key, {_IDENTITY} FROM now EXCEPT SELECT connection, key, {_IDENTITY} FROM earlier)
            UNION ALL
            (SELECT connection, key, {_IDENTITY} FROM earlier EXCEPT SELECT connection, key, {_IDENTITY} FROM now)
        )
        SELECT o.connection || '/' || o.key AS id, o.connection, o.key, lower(o.title) AS title FROM other o
        UNION
        SELECT o.connection || '/' || o.key, o.connection, o.key, lower(r.title)
        FROM other o JOIN resource r ON r.connection = o.connection AND r.key = o.key
        UNION
        SELECT o.connection || '/' || o.key, o.connection, o.key, lower(p.title)
        FROM other o JOIN resource p ON p.connection = o.connection AND p.key = o.parent_key
    """)


def _find_touched(db: duckdb.DuckDBPyConnection) -> None:
    """Makes `touched` (declaration); `fact` is then theirs, and all resources."""
    db.execute("""
        CREATE TABLE touched AS
        SELECT key AS declaration FROM changed WHERE kind = 'declaration'
        UNION SELECT declaration FROM told_before WHERE declaration IS NOT NULL
    """)
    if _count(db, "moved"):
        db.execute("""
            INSERT INTO touched
            SELECT key FROM fact
            WHERE kind = 'declaration' AND (
                lower(from_ref."table") IN (SELECT title FROM moved)
                OR lower(to_ref."table") IN (SELECT title FROM moved)
                OR (connection, from_ref.key) IN (SELECT (connection, key) FROM moved)
                OR (connection, to_ref.key) IN (SELECT (connection, key) FROM moved)
                OR from_ref.key IN (SELECT id FROM moved) OR to_ref.key IN (SELECT id FROM moved))
        """)
    known = -1
    while known != (known := _count(db, "(SELECT DISTINCT declaration FROM touched)")):
        db.execute("""
            CREATE OR REPLACE TABLE touched_edge AS
            SELECT DISTINCT from_id, to_id FROM said WHERE declaration IN (SELECT declaration FROM touched)
        """)
        db.execute("""
            CREATE OR REPLACE TABLE touched AS
            SELECT declaration FROM touched
            UNION SELECT s.declaration FROM said s JOIN touched_edge USING (from_id, to_id)
        """)
    db.execute("""
        CREATE OR REPLACE VIEW fact AS
        SELECT * FROM every_fact
        WHERE kind = 'resource' OR (kind IN ('declaration', 'statement') AND key IN (SELECT declaration FROM touched))
            OR (kind = 'query' AND key IN (
                SELECT from_ref.query FROM every_fact
                WHERE kind IN ('declaration', 'statement') AND key IN (SELECT declaration FROM touched)))
    """)


def _queries(db: duckdb.DuckDBPyConnection) -> list[str]:
    """The rows that differ from those of the graph before."""
    tell_unresolved(db)
    _merge_with_before(db)
    db.execute("""
        CREATE TABLE kept_query AS
        SELECT DISTINCT query FROM (
            SELECT b.from_id, b.to_id, p.query FROM (
                SELECT from_id, to_id, unnest(provenance) AS p FROM before_row WHERE kind = 'edge') b
            WHERE p.query IS NOT NULL)
        ANTI JOIN touched_edge USING (from_id, to_id)
    """)
    db.execute("""
        CREATE TABLE changed_resource AS
        SELECT DISTINCT r.num FROM changed c JOIN source s USING (source)
        JOIN resource r ON r.connection = s.connection AND r.key = c.key WHERE c.kind = 'resource'
    """)
    changed_nodes = """
        SELECT num FROM changed_resource
        UNION SELECT r.num FROM resource r JOIN moved m ON m.connection = r.connection AND m.key = r.parent_key
        UNION SELECT a.node FROM alias a JOIN changed_resource USING (num)
    """
    there = [
        "SELECT * FROM edge_row",
        f"SELECT * FROM ({NODE} WHERE r.num IN ({changed_nodes}))",
        f"SELECT q.* FROM ({QUERY}) q ANTI JOIN (SELECT key FROM before_row WHERE kind = 'query') b ON b.key = q.key",
        f"SELECT u.* FROM ({UNRESOLVED}) u ANTI JOIN told_before b ON b.key = u.key",
    ]
    gone = [
        """SELECT 'edge' AS kind, from_id || chr(10) || to_id AS key
           FROM touched_edge ANTI JOIN edge_row USING (from_id, to_id)""",
        """SELECT 'node' AS kind, s.connection || '/' || w.key AS key FROM was w JOIN source s USING (source)
           ANTI JOIN resource r ON r.connection = s.connection AND r.key = w.key""",
        f"""SELECT 'query' AS kind, b.key FROM before_row b ANTI JOIN kept_query k ON k.query = b.key
            ANTI JOIN ({QUERY}) q ON q.key = b.key WHERE b.kind = 'query'""",
        f"SELECT 'unresolved' AS kind, b.key FROM told_before b ANTI JOIN ({UNRESOLVED}) u ON u.key = b.key",
    ]
    rows = [f"SELECT *, hash(r)::VARCHAR AS digest FROM ({part}) r" for part in there]
    return rows + [f"SELECT '{GONE}' || kind AS kind, key FROM ({part})" for part in gone]


def _merge_with_before(db: duckdb.DuckDBPyConnection) -> None:
    """Makes `edge_row`, the edges that differ: those of touched declarations, and with them what the others among the
    same ends' reasons had already given; `met_edge` are the ends of those that were there.
    """
    db.execute(f"CREATE TABLE fresh_edge AS {EDGE}")
    db.execute("""
        CREATE TABLE met_edge AS
        SELECT b.kind, b.key, b.from_id, b.to_id, b.level, b.edge_kind, b.clauses, b.expression, b.provenance
        FROM before_row b JOIN fresh_edge f ON f.from_id = b.from_id AND f.to_id = b.to_id
        WHERE b.kind = 'edge' AND NOT EXISTS (
            SELECT 1 FROM touched_edge t WHERE t.from_id = b.from_id AND t.to_id = b.to_id)
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


def _counts(db: duckdb.DuckDBPyConnection, before: GraphHeader) -> dict[str, int]:
    edges = (
        before.counts.get("edge", 0)
        - _count(db, "touched_edge")
        + _count(db, "edge_row")
        - _count(db, "met_edge")
    )
    counts = {
        "node": _count(db, "(SELECT num FROM resource ANTI JOIN alias USING (num))"),
        "edge": edges,
        "query": _count(db, f"(SELECT key FROM ({QUERY}) UNION SELECT query FROM kept_query)"),
        "unresolved": _count(db, "unresolved"),
    }
    return {kind: count for kind, count in counts.items() if count}


def _count(db: duckdb.DuckDBPyConnection, relation: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0])
