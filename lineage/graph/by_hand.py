"""Edges that people add and remove; no run touches them."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from connectors.errors import LineageError
from connectors.model import DeclaredLineage, InternalResource
from lineage.graph.traverse import LineageGraph
from lineage.store import SnapshotWriter, Store
from lineage.store.rows import ROWS


def add_edge(
    store: Store,
    graph: LineageGraph,
    start: str,
    end: str,
    note: str | None = None,
    *,
    renamed: Mapping[str, str] | None = None,
) -> tuple[str, str]:
    """Adds an edge from one resource of the graph to another; gives their ids. It counts from the graph's partition on,
    or from that of the newest edit where that is later: what people have said before stays as it was.

    `note` is shown where the edge is explained. Raises LineageError for an id that no resource or several have, and
    for an edge from a resource to itself. The graph is to be built again to show it.
    """
    ends = graph.find_id(start), graph.find_id(end)
    if ends[0] == ends[1]:
        raise LineageError(f"an edge from {ends[0]} to itself says nothing")
    made = _row(*ends, note)
    store.snapshots.edit_by_hand(
        graph.as_of, lambda rows: pa.concat_tables([_without(graph, rows, *ends, renamed or {}), made])
    )
    return ends


def remove_edge(
    store: Store, graph: LineageGraph, start: str, end: str, *, renamed: Mapping[str, str] | None = None
) -> tuple[str, str]:
    """Removes an edge that was added by hand, from the graph's partition on; gives its ends' ids.

    `renamed` are connections' names by what they were called, under which the edge may have been added. Raises
    LineageError where there is no such edge: one that a connection gives goes when its source no longer says so.
    """
    ends = _end(graph, start), _end(graph, end)

    def edit(rows: pa.Table) -> pa.Table:
        left = _without(graph, rows, *ends, renamed or {})
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
    reasons = [why for edge in graph.explain(start, end) for why in edge["provenance"]]
    given = {why["connection"] for why in reasons if why["origin"] != "manual"}
    if not given:
        return "there is no edge between them"
    return f"it is given by {', '.join(sorted(given))}; it goes when that no longer says so"


def _row(start: str, end: str, note: str | None) -> pa.Table:
    writer = SnapshotWriter(None)
    ends = [InternalResource(databuilder_id=one) for one in (start, end)]
    writer.declaration(DeclaredLineage(from_identifier=ends[0], to_identifier=ends[1], location=note))
    return writer.rows()


def _without(
    graph: LineageGraph, rows: pa.Table, start: str, end: str, renamed: Mapping[str, str]
) -> pa.Table:
    """The rows but those of an edge between these, whatever their ends were called when it was added."""

    def now(key: str) -> str:
        connection, _, rest = key.partition("/")
        named = f"{renamed.get(connection, connection)}/{rest}"
        return graph.node_of(key) or graph.node_of(named) or named

    keys = [[one["key"] for one in rows[side].to_pylist()] for side in ("from_ref", "to_ref")]
    keep = [(now(a), now(b)) != (start, end) and (a, b) != (start, end) for a, b in zip(*keys, strict=True)]
    return rows.filter(pa.array(keep, pa.bool_())).select(ROWS.names)
