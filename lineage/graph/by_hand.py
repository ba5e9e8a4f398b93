"""Edges that people add and remove; no run touches them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import LineageError
from connectors.model import DeclaredLineage, InternalResource
from lineage.graph.traverse import LineageGraph
from lineage.store import SnapshotWriter, Store
from lineage.store.rows import ROWS


def add_edge(
    store: Store, graph: LineageGraph, start: str, end: str, note: str | None = None
) -> tuple[str, str]:
    """Adds an edge from one resource of the graph to another, from the graph's partition on; gives their ids.

    `note` is shown where the edge is explained. Raises LineageError for an id that no resource or several have, and
    for an edge from a resource to itself. The graph is to be built again to show it.
    """
    ends = graph.find_id(start), graph.find_id(end)
    if ends[0] == ends[1]:
        raise LineageError(f"an edge from {ends[0]} to itself says nothing")
    made = _row(*ends, note)
    store.snapshots.edit_by_hand(graph.as_of, lambda rows: pa.concat_tables([_without(rows, *ends), made]))
    return ends


def remove_edge(store: Store, graph: LineageGraph, start: str, end: str) -> tuple[str, str]:
    """Removes an edge that was added by hand, from the graph's partition on; gives its ends' ids.

    Raises LineageError where there is no such edge: one that a connection gives goes when the connection's source no
    longer says it.
    """
    ends = _end(graph, start), _end(graph, end)

    def edit(rows: pa.Table) -> pa.Table:
        left = _without(rows, *ends)
        if left.num_rows == rows.num_rows:
            raise LineageError(
                f"no edge from {ends[0]} to {ends[1]} was added by hand", hint=_who(graph, *ends)
            )
        return left

    store.snapshots.edit_by_hand(graph.as_of, edit)
    return ends


def _end(graph: LineageGraph, text: str) -> str:
    """The id; one that the graph no longer has as it was written."""
    try:
        return graph.find_id(text)
    except LineageError:
        if "/" in text:
            return text
        raise


def _who(graph: LineageGraph, start: str, end: str) -> str:
    if graph.number_of(start) is None or graph.number_of(end) is None:
        return "`headwater lineage explain` tells who gives an edge"
    given = {why["connection"] for edge in graph.explain(start, end) for why in edge["provenance"]}
    if not given:
        return "there is no edge between them"
    return f"it is given by {', '.join(sorted(given))}; it goes when that no longer says so"


def _row(start: str, end: str, note: str | None) -> pa.Table:
    writer = SnapshotWriter(None)
    ends = [InternalResource(databuilder_id=one) for one in (start, end)]
    writer.declaration(DeclaredLineage(from_identifier=ends[0], to_identifier=ends[1], location=note))
    return writer.rows()


def _without(rows: pa.Table, start: str, end: str) -> pa.Table:
    keys = [pc.struct_field(rows[side], "key") for side in ("from_ref", "to_ref")]
    same = pc.and_(pc.equal(keys[0], start), pc.equal(keys[1], end))
    left = rows.filter(pc.invert(pc.fill_null(same, False))) if rows.num_rows else rows
    return left.select(ROWS.names)
