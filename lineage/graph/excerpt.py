"""A piece of a graph that is worth a look: what lies around the resource that stands between the most others."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from lineage.graph.topology import Numbers
from lineage.graph.traverse import DIRECTIONS, LineageGraph

MOST = 24  # resources; more of them no one reads at a glance
_TRIED = 20  # resources with the most edges, of which one is taken
_FURTHEST = 3  # hops


@dataclass(frozen=True)
class Excerpt:
    """`around` is a resource's id, `further` the number of others within a few hops that are left out."""

    around: str
    resources: list[dict[str, Any]]
    edges: list[dict[str, Any]]
    further: int


def excerpt_of(graph: LineageGraph) -> Excerpt | None:
    """Around the resource, of those with the most edges, with the most pairs of one upstream and one downstream; None
    for a graph without edges. The nearest are taken, upstream and downstream in turn.
    """
    links = graph.topology.between_resources
    if not len(links.start):
        return None
    ends = np.unique(links.start)
    degrees = links.degree(ends, "downstream") + links.degree(ends, "upstream")
    tried = ends[np.lexsort((ends, -degrees))][:_TRIED]
    between = [
        prod(len(graph.topology.reach(one, way, None, columns=False).nodes) for way in DIRECTIONS)
        for one in tried.tolist()
    ]
    centre = int(tried[between.index(max(between))])
    near = _near(graph, centre)
    chosen = near[:MOST]
    step = links.at(np.sort(chosen), "downstream")
    inside = links.numbers[step[np.isin(links.end[step], chosen)]]
    (around,) = graph.ids_of(np.array([centre], np.int32))
    return Excerpt(
        around, graph.resources(graph.ids_of(chosen)), graph.edges(inside), len(near) - len(chosen)
    )


def _near(graph: LineageGraph, centre: int) -> Numbers:
    """The nodes within a few hops, nearest first; of one distance, those of either side in turn."""
    order: dict[int, tuple[int, int]] = {}
    for direction in DIRECTIONS:
        found = graph.topology.reach(centre, direction, _FURTHEST, columns=False)
        for place, (node, hops) in enumerate(
            zip(found.nodes.tolist(), found.distances.tolist(), strict=True)
        ):
            order.setdefault(node, (hops, place))
    return np.array(sorted(order, key=lambda node: order[node]), np.int32)
