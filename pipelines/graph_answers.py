"""What the command line and the server say of a graph, for machines."""

from __future__ import annotations

from typing import Any

from lineage.graph.lift import Lifted
from lineage.graph.questions import Neighbourhood
from lineage.graph.traverse import LineageGraph


def reached_dict(graph: LineageGraph, higher: Lifted | None, found: Neighbourhood) -> dict[str, Any]:
    """What lies upstream or downstream, each with its distance, nearest first; `higher` is the graph at a level above
    resources, where that was asked.
    """
    answer = {"id": found.start, "direction": found.direction, "as_of": graph.as_of}
    nodes = graph.resources_at(found.nodes) if higher is None else higher.nodes(set(found.distances))
    told = [{**one, "distance": found.distances[one["id"]]} for one in nodes]
    told.sort(key=lambda one: (one["distance"], one["id"]))
    if higher is not None:
        return {**answer, "level": higher.level, "nodes": told, "edges": found.edges}
    return {**answer, "resources": told, "edges": found.edges}
