"""What can be asked of any graph of numbered nodes: what is upstream, what is downstream, which ways lead where."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from lineage.graph.topology import NONE, Direction, Numbers, Reached, Topology

MOST_PATHS = 100


class Questions(ABC):
    """Nodes have ids and numbers, links are the arrays of `topology`, and edges are shown by their numbers there."""

    @property
    @abstractmethod
    def topology(self) -> Topology: ...

    @abstractmethod
    def ids_of(self, nodes: Numbers) -> list[str]:
        """The ids of numbers."""

    @abstractmethod
    def find_id(self, text: str) -> str:
        """The node's id for what someone calls it. Raises LineageError when none or several fit."""

    @abstractmethod
    def known(self, node: str) -> int:
        """The number of an id. Raises LineageError where there is none."""

    @abstractmethod
    def edges(self, numbers: Numbers | None = None) -> list[dict[str, Any]]:
        """Edges as they are shown, by ends; all, or those of the numbers."""

    def upstream(self, text: str, depth: int | None = None, *, columns: bool = False) -> Neighbourhood:
        """Where it comes from, `depth` hops far (None: all the way); at column level for a column, or with
        `columns`.
        """
        return self._reach(text, "upstream", depth, columns)

    def downstream(self, text: str, depth: int | None = None, *, columns: bool = False) -> Neighbourhood:
        """What it reaches, as `upstream`."""
        return self._reach(text, "downstream", depth, columns)

    def _reach(self, text: str, direction: Direction, depth: int | None, columns: bool) -> Neighbourhood:
        start = self.find_id(text)
        reached = self.topology.reach(self.known(start), direction, depth, columns=columns)
        return Neighbourhood(self, start, direction, reached)

    def path(self, start: str, end: str) -> list[dict[str, Any]]:
        """The edges of a shortest way that data takes from one to the other; empty when there is none.

        At column level when one of them is a column.
        """
        return next(iter(self.paths(start, end, limit=1)), [])

    def paths(self, start: str, end: str, *, limit: int = MOST_PATHS) -> list[list[dict[str, Any]]]:
        """All shortest ways from one to the other, at most `limit`: the edges of each, as `path`."""
        first, last = self.known(self.find_id(start)), self.known(self.find_id(end))
        of_columns = bool((self.topology.table_of[[first, last]] != NONE).any())
        reached = self.topology.reach(first, "downstream", None, columns=of_columns)
        ways = self._ways(reached, first, last) if last in reached.nodes else iter(())
        found = [way for way, _ in zip(ways, range(limit), strict=False)]
        numbers = sorted({edge for way in found for edge in way})
        shown = dict(zip(numbers, self.edges(np.array(numbers, np.int32)), strict=True))
        return [[shown[edge] for edge in way] for way in found]

    def _ways(self, reached: Reached, first: int, last: int) -> Iterator[list[int]]:
        """The numbers of the edges of each shortest way, from the end backwards through what was reached."""
        distance = dict(zip(reached.nodes.tolist(), reached.distances.tolist(), strict=True))
        passed = dict(zip(reached.nodes.tolist(), reached.passed.tolist(), strict=True))
        edges = self.topology.edges
        into: dict[int, list[tuple[int, int]]] = {}
        for edge in self.topology.within(reached).tolist():
            into.setdefault(int(edges.end[edge]), []).append((edge, int(edges.start[edge])))
        todo: list[tuple[int, int, list[int]]] = [(last, distance[last], [])]
        while todo:
            at, hops, way = todo.pop()
            # A table that was passed before an edge led to it has two distances: the columns that it then opened tell.
            while at != first and passed[at] != NONE and distance[at] == hops:
                at = passed[at]
            if at == first:
                yield way
                continue
            before = [
                (start, hops - 1, [edge, *way])
                for edge, start in into.get(at, ())
                if distance[start] == hops - 1
            ]
            todo += reversed(before)


class Neighbourhood:
    """What lies upstream or downstream of a node: each node's distance in hops, and the edges between them.

    At column level a way may pass from a table to its columns (upstream, where the whole table is read) or
    from a column to its table (downstream, likewise); `passed` names, of each node reached so, the one passed
    from.
    """

    def __init__(self, graph: Questions, start: str, direction: Direction, reached: Reached) -> None:
        self._graph = graph
        self._reached = reached
        self.start = start
        self.direction = direction

    @property
    def nodes(self) -> Numbers:
        """The numbers of what was reached, in the order of `distances`: the nearest first."""
        return self._reached.nodes

    @cached_property
    def distances(self) -> Mapping[str, int]:
        ids = self._graph.ids_of(self._reached.nodes)
        return dict(zip(ids, self._reached.distances.tolist(), strict=True))

    @cached_property
    def edges(self) -> list[dict[str, Any]]:
        return self._graph.edges(self._graph.topology.within(self._reached))

    @cached_property
    def passed(self) -> Mapping[str, str]:
        by_edge = self._reached.passed == NONE
        ends = [self._graph.ids_of(one[~by_edge]) for one in (self._reached.nodes, self._reached.passed)]
        return dict(zip(*ends, strict=True))


def closest(ids: Iterable[str], text: str) -> list[str]:
    """Of ids that end in a text those that it names best: by all that follows the connection, else by whole parts of
    the name, else by anything.
    """
    known = list(ids)
    whole = [one for one in known if one[-len(text) - 1] in "/."] or known
    return [one for one in whole if one.partition("/")[2] == text] or whole
