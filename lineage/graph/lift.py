"""The same graph at another level: columns as their tables, tables as schemas, databases, connections; charts as
dashboards, those as groups.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import LineageError
from lineage.graph.levels import LEVELS, Level, Targets, targets_of
from lineage.graph.questions import Neighbourhood, Questions, closest
from lineage.graph.topology import NONE, Direction, Edges, Numbers, Topology
from lineage.graph.traverse import MAX_NAMED, LineageGraph

__all__ = ["LEVELS", "Level", "Lifted", "lifted"]

Counts = npt.NDArray[np.int64]


def lifted(graph: LineageGraph, level: Level) -> Lifted:
    """The graph at a level.

    A resource lifts to its table (a column), its schema and its database (what has one), its connection. What has none
    of these lifts to what contains it: at the level of schemas to the nearest resource (a chart to its dashboard), at
    that of databases to the outermost (its group). What nothing contains lifts to the place that it has, a database at
    the level of schemas and the other way round, or to itself.

    An edge of the answer stands for the column edges between what its ends stand for, and for the edges between
    resources that no column edge explains. None leads from a node to itself.
    """
    return Lifted(graph, level, targets_of(graph, level))


class Lifted(Questions):
    """A graph at a level: its nodes are resources, or schemas, databases and connections by name."""

    def __init__(self, graph: LineageGraph, level: Level, targets: Targets) -> None:
        self.graph = graph
        self.level = level
        self._targets = targets

    @property
    def as_of(self) -> str:
        return self.graph.as_of

    @cached_property
    def _lifted_edges(self) -> tuple[Topology, Counts, Counts]:
        """The links, and of how many direct and indirect edges each one stands for."""
        of, count = self._targets.of, len(self._targets.ids)
        below = self.graph.topology
        edges = below.edges if self.level == "column" else below.detailed
        direct = self.graph.direct[edges.numbers]
        if self.level == "column":
            return below, direct.astype(np.int64), (~direct).astype(np.int64)
        start, end = of[edges.start].astype(np.int64), of[edges.end]
        between = start != end
        keys, which = np.unique(start[between] * count + end[between], return_inverse=True)
        counts = [np.bincount(which[one], minlength=len(keys)) for one in (direct[between], ~direct[between])]
        first, last = (one.astype(np.int32) for one in np.divmod(keys, max(count, 1)))
        numbers, whole = np.arange(len(keys), dtype=np.int32), np.ones(len(keys), np.bool_)
        no_table = np.full(count, NONE, np.int32)
        return Topology(count, no_table, Edges(numbers, first, last, whole, count)), counts[0], counts[1]

    @property
    def topology(self) -> Topology:
        return self._lifted_edges[0]

    # -- ids

    def ids_of(self, nodes: Numbers) -> list[str]:
        """The ids of numbers."""
        ids: list[str] = self._targets.ids.take(pa.array(nodes)).to_pylist()
        return ids

    def known(self, node: str) -> int:
        """The number of an id of this level."""
        number = int(pc.index(self._targets.ids, node).as_py())
        if number == NONE:
            raise LineageError(f"{node} is not in the graph of {self.as_of} at the level of {self.level}")
        return number

    def find_id(self, text: str) -> str:
        """The id of this level for an id of it, its unique ending, or what the graph calls one of its resources.

        Raises LineageError when none or several fit.
        """
        ids = self._targets.ids
        if pc.index(ids, text).as_py() != NONE:
            return text
        inside = self.graph.number_of(text)
        if inside is None and text:
            found = closest(ids.filter(pc.ends_with(ids, text)).to_pylist(), text)
            if len(found) == 1:
                return found[0]
            if found:
                named = ", ".join(found[:MAX_NAMED]) + (", ..." if len(found) > MAX_NAMED else "")
                raise LineageError(
                    f"{text} could be {len(found)}: {named}", hint="give more of the id", candidates=found
                )
        number = self.graph.known(self.graph.find_id(text))
        return self.ids_of(self._targets.of[[number]])[0]

    def _reach(self, text: str, direction: Direction, depth: int | None, columns: bool) -> Neighbourhood:
        return super()._reach(text, direction, depth, self.level == "column")

    # -- JSON

    def edges(self, numbers: Numbers | None = None) -> list[dict[str, Any]]:
        """Edges by ends, with how many `direct` and `indirect` ones each stands for; all, or those of the numbers."""
        topology, direct, indirect = self._lifted_edges
        if numbers is None:
            numbers = (topology.detailed if self.level == "column" else topology.edges).numbers
        wanted = np.sort(numbers)
        ends = (self.ids_of(one[wanted]) for one in (topology.edges.start, topology.edges.end))
        rows = zip(*ends, direct[wanted].tolist(), indirect[wanted].tolist(), strict=True)
        return [
            {"from": a, "to": b, "kind": "direct" if n else "indirect", "direct": n, "indirect": m}
            for a, b, n, m in rows
        ]

    def nodes(self, ids: Collection[str] | None = None) -> list[dict[str, Any]]:
        """Nodes by id, with `counts` of what each stands for by kind, itself included; all, or those of the ids."""
        every: list[str] = self._targets.ids.to_pylist()
        chosen = range(len(every)) if ids is None else sorted(self.known(one) for one in ids)
        return [self._node(number, every[number]) for number in chosen]

    def _node(self, number: int, node: str) -> dict[str, Any]:
        kinds, real = self._targets.kinds, int(self._targets.real[number])
        kind = self.level if real == NONE else kinds.word(real)
        connection, _, name = node.partition("/")
        counts = dict(self._counts.get(number, ()))
        return {
            "id": node,
            "connection": connection,
            "entity_type": kind,
            "title": name or node,
            "counts": counts,
        }

    @cached_property
    def _counts(self) -> dict[int, list[tuple[str, int]]]:
        """Of each node how many resources of each kind it stands for."""
        kinds, there = self._targets.kinds, self._targets.of != NONE
        keys = self._targets.of[there].astype(np.int64) * len(kinds.words) + kinds.of[there]
        found: dict[int, list[tuple[str, int]]] = {}
        for key, count in zip(*(one.tolist() for one in np.unique(keys, return_counts=True)), strict=True):
            node, kind = divmod(key, len(kinds.words))
            found.setdefault(node, []).append((kinds.words[kind], count))
        return {node: sorted(counts) for node, counts in found.items()}

    def to_dict(self) -> dict[str, Any]:
        """The whole level: `nodes` and `edges`."""
        return {"as_of": self.as_of, "level": self.level, "nodes": self.nodes(), "edges": self.edges()}

    def around(self, text: str, depth: int) -> dict[str, Any]:
        """What is at most `depth` hops from a node, upstream and downstream, as `to_dict`."""
        reached = [self.upstream(text, depth), self.downstream(text, depth)]
        ids = {one for near in reached for one in near.distances}
        edges = {(edge["from"], edge["to"]): edge for near in reached for edge in near.edges}
        told = {"nodes": self.nodes(ids), "edges": [edges[ends] for ends in sorted(edges)]}
        return {"as_of": self.as_of, "level": self.level} | told
