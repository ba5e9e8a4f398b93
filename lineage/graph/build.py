"""Builds the graph of a partition: snapshots in, nodes, edges and unresolved references out.

One pass, in this order: choose the snapshots, make nodes, collect every reference (declared ones, and the
tables that SQL names), match them all at once, turn declarations and bound SQL into raw edges, merge those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from lineage.graph.inputs import (
    ConnectionSpec,
    Source,
    inputs_hash,
    load,
    read_facts,
    select_sources,
    setting_hash,
)
from lineage.graph.linking import link_resources
from lineage.graph.nodes import build_nodes
from lineage.graph.patch import USUAL, PatchLimits, patch_graph
from lineage.graph.rows import graph_rows
from lineage.graph.traverse import LineageGraph
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
    limits: PatchLimits = USUAL,
) -> LineageGraph:
    """Builds and stores the graph of a partition from what is stored of the connections; gives it as stored.

    What is already stored of the same inputs is not built again. `same_as` are pairs (describer's id, owner's id). Of
    connections of which the store has nothing, the stores of `else_from` are asked in turn. Within `limits` a graph is
    made of an earlier one. Raises StoreError where a store cannot be read or written.
    """
    others = [one.snapshots for one in else_from]
    sources = select_sources(store.snapshots, connections, partition, others)
    header = GraphHeader(
        partition=partition,
        run_id=run_id,
        built_at=datetime.now(UTC).isoformat(timespec="seconds"),
        content=inputs_hash(sources, connections, same_as),
        setting=setting_hash(sources, connections, same_as),
        sources=[source.told for source in sources],
    )
    if same := store.graphs.same(header.content):
        header = replace(header, counts=same.counts, coverage=same.coverage)
        store.graphs.put(header, lambda: _built(sources, connections, same_as)[1])
    elif patch := patch_graph(store, header, sources, connections, same_as, limits):
        header = replace(
            header, counts=patch.counts, coverage=patch.before.coverage, patched=patch.before.content
        )
        store.graphs.put(header, lambda: _built(sources, connections, same_as)[1], (patch.before, patch.rows))
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
    db = load(sources, connections)
    read_facts(db, sources)
    build_nodes(db, same_as)
    uses = link_resources(db)
    counts, rows = graph_rows(db)
    return GraphHeader("", counts=counts, coverage=uses.coverage), rows
