"""Builds the graph of a partition: snapshots in, nodes, edges and unresolved references out.

One pass, in this order: choose the snapshots, make nodes, collect every reference (declared ones, and the
tables that SQL names), match them all at once, turn declarations and bound SQL into raw edges, merge those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import duckdb

from lineage.graph.declarations import (
    RAW_EDGE,
    REASON,
    collect_references,
    declared_edges,
    resolve_ends,
    unresolved_declarations,
)
from lineage.graph.edges import merge_edges
from lineage.graph.inferred import infer_tables
from lineage.graph.inputs import ConnectionSpec, Source, inputs_hash, load, select_sources
from lineage.graph.nodes import build_nodes, find_parents, place_references
from lineage.graph.queries import query_edges
from lineage.graph.rows import graph_rows
from lineage.graph.traverse import LineageGraph
from lineage.graph.unresolved import MISSING, tell
from lineage.graph.usage import collect_usage
from lineage.graph.uses import Uses
from lineage.resolve import REFERENCE_COLUMNS, guess_names, match_references
from lineage.store import Store
from lineage.store.graphs import GraphHeader
from lineage.store.tables import Rows


def build_graph(
    store: Store,
    partition: str,
    connections: Sequence[ConnectionSpec],
    *,
    same_as: Sequence[tuple[str, str]] = (),
    run_id: str = "",
    else_from: Sequence[Store] = (),
) -> LineageGraph:
    """Builds and stores the graph of a partition from what is stored of the connections; gives it as stored.

    What is already stored of the same inputs is not built again. `same_as` are pairs (describer's id, owner's id). Of
    connections of which the store has nothing, the stores of `else_from` are asked in turn. Raises StoreError where a
    store cannot be read or written.
    """
    others = [one.snapshots for one in else_from]
    sources = select_sources(store.snapshots, connections, partition, others)
    header = GraphHeader(
        partition=partition,
        run_id=run_id,
        built_at=datetime.now(UTC).isoformat(timespec="seconds"),
        content=inputs_hash(sources, connections, same_as),
        sources=[
            {"connection": s.connection, "partition": s.header.partition, "run_id": s.header.run_id}
            for s in sources
        ],
    )
    if same := store.graphs.same(header.content):
        header = replace(header, counts=same.counts, coverage=same.coverage)
        store.graphs.put(header, lambda: _built(sources, connections, same_as)[1])
    else:
        made, rows = _built(sources, connections, same_as)
        header = replace(header, counts=made.counts, coverage=made.coverage)
        store.graphs.put(header, lambda: rows)
    return LineageGraph(header, store)


def _built(
    sources: Sequence[Source],
    connections: Sequence[ConnectionSpec],
    same_as: Sequence[tuple[str, str]],
) -> tuple[GraphHeader, Rows]:
    """What there is to count of a graph, and its rows."""
    db = duckdb.connect()
    # The order of rows means nothing here, and keeping it costs memory.
    db.execute("SET preserve_insertion_order = false")
    load(db, sources, connections)
    db.execute(f"CREATE TABLE missing ({MISSING})")
    build_nodes(db, same_as)
    uses = resolve(db)
    counts, rows = graph_rows(db)
    return GraphHeader("", counts=counts, coverage=uses.coverage), rows


def resolve(db: duckdb.DuckDBPyConnection) -> Uses:
    """References in, edges out: makes `edge` and `usage`, and adds to `missing`."""
    db.execute(f"CREATE TABLE reference ({REFERENCE_COLUMNS})")
    db.execute(f"CREATE TABLE raw_edge ({RAW_EDGE})")
    db.execute(f"CREATE TABLE reason ({REASON})")
    collect_references(db)
    uses = Uses(db)
    uses.collect()
    place_references(db, "reference")
    match_references(db, "reference", "owner", "match")
    if infer_tables(db, uses):
        find_parents(db)
        match_references(db, "reference", "owner", "match")
    guess_names(db, "reference", "owner", "match")
    resolve_ends(db)
    declared_edges(db)
    unresolved_declarations(db)
    tell(db, query_edges(db, uses))
    collect_usage(db, uses)
    _missing_parents(db)
    merge_edges(db)
    return uses


def _missing_parents(db: duckdb.DuckDBPyConnection) -> None:
    db.execute("""
        INSERT INTO missing
        SELECT r.source, NULL, NULL, to_json({
            'candidates': [], 'counterpart': i.id, 'guessed': false,
            'message': r.parent_key || ', the parent of ' || i.id || ', is not declared by this connection',
            'reason': 'undeclared_internal', 'side': 'from',
            'reference': {'databuilder_id': r.parent_key, 'type': 'internal_resource'}})
        FROM resource r JOIN resource_id i USING (num) ANTI JOIN parent p USING (num)
        WHERE r.parent_key IS NOT NULL
    """)
