"""Builds the graph of a partition: snapshots in, nodes, edges and unresolved references out.

One pass, in this order: choose the snapshots, make nodes, collect every reference (declared ones, and the
tables that SQL names), match them all at once, turn declarations and bound SQL into raw edges, merge those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from lineage.graph.declarations import (
    RAW_EDGE,
    collect_references,
    declared_edges,
    resolve_ends,
    unresolved_declarations,
)
from lineage.graph.edges import merge_edges
from lineage.graph.inferred import infer_tables
from lineage.graph.inputs import ConnectionSpec, Source, load, select_sources
from lineage.graph.nodes import build_nodes, index_columns
from lineage.graph.queries import query_edges
from lineage.graph.traverse import LineageGraph
from lineage.graph.unresolved import Unresolved
from lineage.graph.usage import collect_usage
from lineage.graph.uses import Uses
from lineage.resolve import REFERENCE_COLUMNS, guess_names, match_references
from lineage.store import Store
from lineage.store.graphs import GRAPH_ROWS, GraphHeader


def build_graph(
    store: Store,
    partition: str,
    connections: Sequence[ConnectionSpec],
    *,
    same_as: Sequence[tuple[str, str]] = (),
    run_id: str = "",
) -> LineageGraph:
    """Builds and stores the graph of a partition from what is stored of the connections; gives it as stored.

    `same_as` are pairs (describer's id, owner's id). Raises StoreError where the store cannot be read or written.
    """
    sources = select_sources(store.snapshots, connections, partition)
    unresolved: list[Unresolved] = []
    with duckdb.connect() as db:
        load(db, store.snapshots, sources, connections)
        build_nodes(db, same_as, unresolved)
        db.execute(f"CREATE TABLE reference ({REFERENCE_COLUMNS})")
        db.execute(f"CREATE TABLE raw_edge ({RAW_EDGE})")
        collect_references(db)
        uses = Uses(db)
        uses.collect()
        match_references(db, "reference", "owner", "match")
        if infer_tables(db, uses):
            index_columns(db)
            match_references(db, "reference", "owner", "match")
        guesses = guess_names(db, "reference", "owner", "match")
        resolve_ends(db)
        declared_edges(db)
        unresolved += unresolved_declarations(db, guesses)
        unresolved += query_edges(db, uses, guesses)
        collect_usage(db, uses)
        unresolved += _missing_parents(db)
        merge_edges(db)
        rows = _rows(db, _newest(unresolved, sources))
    counts = pa.compute.value_counts(rows["kind"]).to_pylist()
    header = GraphHeader(
        partition=partition,
        run_id=run_id,
        built_at=datetime.now(UTC).isoformat(timespec="seconds"),
        sources=[
            {"connection": s.connection, "partition": s.header.partition, "run_id": s.header.run_id}
            for s in sources
        ],
        counts={str(c["values"]): int(c["counts"]) for c in counts},
        coverage=uses.coverage,
    )
    return LineageGraph(store.graphs.put(header, rows), rows)


def _missing_parents(db: duckdb.DuckDBPyConnection) -> list[Unresolved]:
    rows = db.execute("""
        SELECT r.id, r.parent_key, r.source FROM resource r
        WHERE r.parent_key IS NOT NULL AND r.parent NOT IN (SELECT id FROM resource) ORDER BY r.id
    """).fetchall()
    return [
        Unresolved(
            {"type": "internal_resource", "databuilder_id": parent},
            "from",
            child,
            "undeclared_internal",
            f"{parent}, the parent of {child}, is not declared by this connection",
            source,
        )
        for child, parent, source in rows
    ]


def _newest(unresolved: Sequence[Unresolved], sources: Sequence[Source]) -> list[Unresolved]:
    """Of what the same SQL of one connection cannot resolve in several snapshots, the newest one's."""
    out: dict[tuple[str | None, str], Unresolved] = {}
    for entry in sorted(unresolved, key=lambda u: -1 if u.source is None else u.source):
        if entry.source is None or entry.query is None:
            out[None, entry.to_json()] = entry
        else:
            anywhere = replace(entry, source=None, declaration=None)
            out[sources[entry.source].connection, anywhere.to_json()] = entry
    return list(out.values())


def _rows(db: duckdb.DuckDBPyConnection, unresolved: Sequence[Unresolved]) -> pa.Table:
    nodes = db.sql("""
        WITH described AS (
            SELECT n.node, list(r.id ORDER BY r.id) AS aliases,
                   to_json(map(list(r.id ORDER BY r.id), list(r.body::JSON ORDER BY r.id)))::VARCHAR AS facets
            FROM resource r JOIN node_of n ON n.id = r.id WHERE n.node <> r.id GROUP BY n.node
        )
        SELECT 'node' AS kind, r.id AS key, r.connection, r.entity_type, r.key AS databuilder_id, p.node AS
        parent_id,
               r.title, r.database, r.schema, r.body, d.facets, coalesce(d.aliases, []) AS aliases, r.inferred,
               u.usage
        FROM resource r JOIN node_of n ON n.id = r.id AND n.node = r.id LEFT JOIN node_of p ON p.id = r.parent
        LEFT JOIN described d ON d.node = r.id LEFT JOIN usage u ON u.node = r.id
        ORDER BY key
    """).to_arrow_table()
    edges = db.sql("""
        SELECT 'edge' AS kind, from_id || chr(10) || to_id AS key, from_id, to_id, level, edge_kind,
        clauses, expression,
               provenance
        FROM edge ORDER BY key
    """).to_arrow_table()
    entries = sorted({u.to_json() for u in unresolved})
    missing = pa.table(
        {
            "kind": pa.repeat(pa.scalar("unresolved"), len(entries)),
            "key": pa.array([f"{n:08d}" for n in range(len(entries))], pa.string()),
            "body": pa.array(entries, pa.string()),
        }
    )
    db.register(
        "named_query",
        pa.table({"key": pa.array(sorted({u.query for u in unresolved if u.query}), pa.string())}),
    )
    queries = db.sql("""
        SELECT DISTINCT 'query' AS kind, key, sql FROM fact
        WHERE kind = 'query' AND (key IN (SELECT key FROM named_query) OR key IN (SELECT query FROM raw_edge))
        ORDER BY key
    """).to_arrow_table()
    return pa.concat_tables([_as_rows(t) for t in (edges, nodes, queries, missing)])


def _as_rows(table: pa.Table) -> pa.Table:
    arrays = [
        table[f.name].cast(f.type) if f.name in table.column_names else pa.nulls(table.num_rows, f.type)
        for f in GRAPH_ROWS
    ]
    return pa.table(arrays, schema=GRAPH_ROWS)
