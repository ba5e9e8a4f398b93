"""Where data enters a graph and leaves it, what nothing is linked with, and what feeds itself."""

from __future__ import annotations

import numpy as np

from lineage.graph.topology import Direction, Mask, Numbers
from lineage.graph.traverse import LineageGraph

_PEELED = 10  # layers, before the search for cycles: most of a graph has none


def roots(graph: LineageGraph) -> list[str]:
    """The ids of resources that feed others and are fed by none; columns in tables are not told."""
    fed, feeds = _linked(graph)
    return graph.ids_of(_numbers(feeds & ~fed))


def leaves(graph: LineageGraph) -> list[str]:
    """The ids of resources that are fed and feed none."""
    fed, feeds = _linked(graph)
    return graph.ids_of(_numbers(fed & ~feeds))


def orphans(graph: LineageGraph) -> list[str]:
    """The ids of resources that no edge touches; neither columns nor what only holds other resources."""
    fed, feeds = _linked(graph)
    return graph.ids_of(_numbers(~fed & ~feeds & ~graph.is_column & ~graph.holds_others))


def cycles(graph: LineageGraph) -> list[list[str]]:
    """Groups of resources each of which feeds, through the others, itself; the largest first."""
    import rustworkx

    edges = graph.topology.between_resources
    start, end = edges.start, edges.end
    for _ in range(_PEELED):  # what nothing feeds, or what feeds nothing, is in no cycle
        keep = np.isin(start, end) & np.isin(end, start)
        if keep.all():
            break
        start, end = start[keep], end[keep]
    nodes, places = np.unique(np.concatenate([start, end]), return_inverse=True)
    links: rustworkx.PyDiGraph[int, None] = rustworkx.PyDiGraph()
    links.add_nodes_from(nodes.tolist())
    links.add_edges_from_no_data(list(zip(*np.split(places, 2), strict=True)) if len(nodes) else [])
    groups = [sorted(group) for group in rustworkx.strongly_connected_components(links) if len(group) > 1]
    groups.sort(key=lambda group: (-len(group), group))
    return [graph.ids_of(nodes[np.array(group)].astype(np.int32)) for group in groups]


def _linked(graph: LineageGraph) -> tuple[Mask, Mask]:
    """Of each node whether an edge between resources leads to it, and whether one leads from it."""
    edges = graph.topology.between_resources
    everyone = np.arange(graph.topology.nodes, dtype=np.int32)
    ways: tuple[Direction, Direction] = ("upstream", "downstream")
    fed, feeds = (edges.degree(everyone, way) > 0 for way in ways)
    return fed, feeds


def _numbers(mask: Mask) -> Numbers:
    return np.flatnonzero(mask).astype(np.int32)
