"""Links past hidden nodes: who is linked with whom through nothing but them.

At the level of columns a node has two numbers: its own, and that plus the count of nodes, which stands for it as a
whole. What comes to a hidden table as a whole leaves by all of its columns, and what comes to a column leaves by its
table too, as a search does (`Topology.reach`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lineage.graph.topology import NONE, Direction, Edges, Mask, Numbers, Topology

Pairs = npt.NDArray[np.int64]


class Excess(NamedTuple):
    """There would be too many links; `weights` says of each node how many steps led away from it."""

    weights: Pairs


@dataclass(frozen=True)
class Links:
    """Links that touch hidden nodes; `edge` is the number of the edge that each is of, NONE within a table."""

    nodes: int
    hidden: Mask
    start: Numbers
    end: Numbers
    edge: Numbers

    @classmethod
    def between_resources(cls, topology: Topology, hidden: Mask) -> Links:
        edges = topology.between_resources
        edges = edges.part(hidden[edges.start] | hidden[edges.end])
        return cls(topology.nodes, hidden, edges.start, edges.end, edges.numbers)

    @classmethod
    def between_columns(cls, topology: Topology, hidden: Mask) -> Links:
        edges, nodes = topology.detailed, topology.nodes
        edges = edges.part(hidden[edges.start] | hidden[edges.end])
        tables = np.flatnonzero(hidden & (topology.table_of == NONE)).astype(np.int32)
        columns = np.flatnonzero(hidden & (topology.table_of != NONE)).astype(np.int32)
        table_of = topology.table_of[columns]
        start, end = (np.where(edges.whole, ends + nodes, ends) for ends in (edges.start, edges.end))
        start = np.where(hidden[edges.start], edges.start, start)  # who leaves a hidden node is no matter
        inside = [(tables + nodes, tables), (table_of + nodes, columns), (columns, table_of)]
        return cls(
            2 * nodes,
            np.concatenate([hidden, hidden]),
            np.concatenate([start, *(one for one, _ in inside)]).astype(np.int32),
            np.concatenate([end, *(one for _, one in inside)]).astype(np.int32),
            np.concatenate([edges.numbers, np.full(sum(len(one) for one, _ in inside), NONE)]).astype(
                np.int32
            ),
        )

    def of(self, direct: Mask) -> Links:
        """Those of direct edges."""
        keep = self.edge == NONE
        keep[~keep] = direct[self.edge[~keep]]
        return Links(self.nodes, self.hidden, self.start[keep], self.end[keep], self.edge[keep])

    @cached_property
    def _places(self) -> Edges:
        everyone = np.arange(len(self.start), dtype=np.int32)
        return Edges(everyone, self.start, self.end, np.ones(len(everyone), np.bool_), self.nodes)

    def bridges(self, most: int) -> Pairs | Excess:
        """The pairs (start * nodes + end) of nodes that are not hidden, with hidden ones alone between them.

        Nothing when more than `most` steps would lead there. A circle is walked once.
        """
        enters = ~self.hidden[self.start] & self.hidden[self.end]
        pairs = np.unique(self.start[enters].astype(np.int64) * self.nodes + self.end[enters])
        found: list[Pairs] = [np.zeros(0, np.int64)]
        seen = set(pairs.tolist())
        steps = 0
        weights = np.zeros(self.nodes, np.int64)
        while len(pairs):
            sources, at = pairs // self.nodes, (pairs % self.nodes).astype(np.int32)
            counts = self._places.degree(at, "downstream")
            np.add.at(weights, at, counts)
            steps += int(counts.sum())
            if steps > most:
                return Excess(weights)
            far = self.end[self._places.at(at, "downstream")]
            reached = np.unique(np.repeat(sources, counts) * self.nodes + far)
            inside = self.hidden[reached % self.nodes]
            found.append(reached[~inside].astype(np.int64))
            fresh = [one for one in reached[inside].tolist() if one not in seen]
            seen.update(fresh)
            pairs = np.array(fresh, np.int64)
        return np.unique(np.concatenate(found))

    def walk(self, node: int, direction: Direction) -> Numbers:
        """The links from a node on, through hidden nodes, up to the first ones that are not."""
        far = self.end if direction == "downstream" else self.start
        seen, frontier, met = {node}, np.array([node], np.int32), [np.zeros(0, np.int32)]
        while len(frontier):
            links = self._places.at(frontier, direction)
            met.append(links)
            ends = np.unique(far[links])
            fresh = [one for one in ends[self.hidden[ends]].tolist() if one not in seen]
            seen.update(fresh)
            frontier = np.array(fresh, np.int32)
        return np.concatenate(met)


class Hops:
    """The edges for which links past hidden nodes stand; `nodes` is their count, however many numbers each has."""

    def __init__(self, links: Links, nodes: int) -> None:
        self._links = links
        self._nodes = nodes
        self._walks: dict[tuple[int, Direction], Numbers] = {}

    def of(self, start: int, end: int) -> list[int]:
        """The numbers of the edges on all ways from one to the other through hidden nodes, nearest to `start` first."""
        ahead = np.concatenate([self._walk(code, "downstream") for code in self._codes(start)])
        back = np.concatenate([self._walk(code, "upstream") for code in self._codes(end)])
        hops = self._links.edge[ahead[np.isin(ahead, back)]]
        return list(dict.fromkeys(hops[hops != NONE].tolist()))

    def _codes(self, node: int) -> range:
        return range(node, self._links.nodes, self._nodes)

    def _walk(self, code: int, direction: Direction) -> Numbers:
        key = (code, direction)
        if key not in self._walks:
            self._walks[key] = self._links.walk(code, direction)
        return self._walks[key]
