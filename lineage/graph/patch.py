"""A graph made of an earlier one: only what a change touches is read and resolved again, with the same code.

Where a table or column moved that SQL may name, who describes whom, or how often something is used, the graph is built
anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import duckdb

from lineage.graph.inputs import ConnectionSpec, Source, load, scan_facts
from lineage.graph.linking import link_resources
from lineage.graph.nodes import RESOURCES, find_owners, find_parents, join_columns, number_resources
from lineage.graph.rows import EDGE, NODE, QUERY, UNRESOLVED, tell_unresolved
from lineage.graph.touched import (
    RESOURCE,
    add_resources,
    find_changes,
    find_moved,
    find_nodes,
    find_touched,
    read_before,
)
from lineage.store import Store
from lineage.store.contents import GONE
from lineage.store.engine import count_rows
from lineage.store.graphs import GraphHeader
from lineage.store.tables import Rows

_TABLES = "('table', 'view')"
# What is read of declarations that are no SQL.
_DECLARATION = "source, connection, kind, key, from_ref, to_ref, body"


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
    if not find_changes(db, before, sources, limits.changed):
        return None
    reads_sql = any(source.header.counts.get("query") for source in sources)
    if reads_sql and count_rows(db, "other WHERE entity_type IN ('table', 'view', 'column')"):
        return None
    store.graphs.scan(db, "before_row", before)
    if count_rows(db, "(SELECT 1 FROM before_row WHERE usage IS NOT NULL LIMIT 1)"):
        return None
    places = [source.snapshots for source in sources]
    scan_facts(db, "fact", places)
    db.execute(f"CREATE TABLE every_resource AS {RESOURCES}")
    describers = f"same_as IS NOT NULL OR {_named(same_as)}"
    number_resources(db, f"FROM every_resource WHERE entity_type IN {_TABLES} OR {describers}")
    find_owners(db, same_as)
    moved = find_moved(db)
    read_before(db)
    find_touched(db, moved=moved)
    scan_facts(db, "touched_row", places, only="touched_key")
    has_sql = count_rows(db, "touched_key WHERE kind = 'query'") > 0
    db.execute(f"CREATE TABLE touched_fact AS SELECT {'*' if has_sql else _DECLARATION} FROM touched_row")
    if count_rows(db, _SQL_DECLARATION_CHANGED):
        return None
    add_resources(db, moved=moved, every=has_sql)
    find_parents(db)
    join_columns(db)
    if moved and count_rows(db, _ALIASES_DIFFER):
        return None
    find_nodes(db)
    scan_facts(db, "node_row", places, only="node_key")
    db.execute(f"""
        CREATE TABLE node_fact AS
        FROM now_fact UNION ALL SELECT {RESOURCE} FROM node_row ANTI JOIN now_fact USING (source, key)
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
    return count_rows(db, "node_id") - count_rows(db, "node_before")


def _counts(db: duckdb.DuckDBPyConnection, before: GraphHeader, came: int) -> dict[str, int]:
    change = {
        "node": came - count_rows(db, "gone_node"),
        "edge": count_rows(db, "edge_row") - count_rows(db, "met_edge") - count_rows(db, "touched_edge"),
        "unresolved": count_rows(db, "unresolved") - count_rows(db, "retold"),
        "query": count_rows(db, "(SELECT key FROM query_row UNION SELECT query FROM kept_query)")
        - count_rows(db, "query_before"),
    }
    counts = {kind: before.counts.get(kind, 0) + more for kind, more in change.items()}
    return {kind: count for kind, count in counts.items() if count}
