"""A graph as arrays: who is linked with whom, in both directions, at the level of tables and at that of columns.

Nodes and edges are numbers. A search touches what it reaches and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Direction = Literal["upstream", "downstream"]
NONE = -1
_DEEPEST = 100  # columns within columns


class Lists:
    """Of each number from 0 to `count`, a list of numbers: one array for all of them."""

    def __init__(self, keys: Numbers, values: Numbers, count: int) -> None:
        order = np.argsort(keys, kind="stable")
        self._values = values[order]
        self._starts = np.zeros(count + 1, np.int64)
        np.cumsum(np.bincount(keys, minlength=count), out=self._starts[1:])

    def of(self, keys: Numbers) -> Numbers:
        """The lists of several, one after the other."""
        starts = self._starts[keys]
        lengths = self._starts[keys + 1] - starts
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        found: Numbers = self._values[np.arange(total) + np.repeat(starts - ends + lengths, lengths)]
        return found

    def lengths(self, keys: Numbers) -> npt.NDArray[np.int64]:
        return self._starts[keys + 1] - self._starts[keys]


@dataclass(frozen=True)
class Edges:
    """Edges by their ends: `numbers` are those of all edges of the graph, of which this may be a part."""

    numbers: Numbers
    start: Numbers
    end: Numbers
    whole: Mask  # between resources as such, not between columns
    nodes: int

    def part(self, mask: Mask) -> Edges:
        return Edges(self.numbers[mask], self.start[mask], self.end[mask], self.whole[mask], self.nodes)

    @cached_property
    def _out(self) -> Lists:
        return Lists(self.start, np.arange(len(self.start), dtype=np.int32), self.nodes)

    @cached_property
    def _into(self) -> Lists:
        return Lists(self.end, np.arange(len(self.end), dtype=np.int32), self.nodes)

    def at(self, nodes: Numbers, direction: Direction) -> Numbers:
        """The places here of the edges that leave the nodes in a direction."""
        return (self._out if direction == "downstream" else self._into).of(nodes)

    def far(self, direction: Direction) -> Numbers:
        return self.end if direction == "downstream" else self.start

    def degree(self, nodes: Numbers, direction: Direction) -> npt.NDArray[np.int64]:
        return (self._out if direction == "downstream" else self._into).lengths(nodes)


class Reached(NamedTuple):
    """What a search has come to: nodes in the order of distance, and for those come to without an edge (a table from
    its column, or the other way) the node `passed` from, else NONE.
    """

    nodes: Numbers
    distances: Numbers
    passed: Numbers
    detailed: bool


@dataclass(frozen=True)
class Topology:
    """`table_of` is each column's table, NONE for what is no column (and for a column without one).

    `of_columns` says which edges count at the level of columns, where the edges do not tell by themselves.
    """

    nodes: int
    table_of: Numbers
    edges: Edges
    of_columns: Mask | None = None

    @cached_property
    def columns(self) -> Lists:
        """Of each table its columns."""
        held = np.flatnonzero(self.table_of != NONE).astype(np.int32)
        return Lists(self.table_of[held], held, self.nodes)

    @cached_property
    def between_resources(self) -> Edges:
        """Edges none of whose ends is in a table; a column without one stands for itself."""
        ends = (self.table_of[self.edges.start], self.table_of[self.edges.end])
        return self.edges.part((ends[0] == NONE) & (ends[1] == NONE))

    @cached_property
    def detailed(self) -> Edges:
        """Column edges, and of those between resources the ones that no column edge explains."""
        if self.of_columns is not None:
            return self.edges.part(self.of_columns)
        tables = np.where(self.table_of == NONE, np.arange(self.nodes, dtype=np.int32), self.table_of)
        pairs = tables[self.edges.start].astype(np.int64) * self.nodes + tables[self.edges.end]
        explained = np.isin(pairs, pairs[~self.edges.whole])
        return self.edges.part(~(self.edges.whole & explained))

    @cached_property
    def _unexplained(self) -> Edges:
        """Of the detailed edges those between resources: they hold for every column."""
        return self.detailed.part(self.detailed.whole)

    def reach(self, start: int, direction: Direction, depth: int | None, *, columns: bool) -> Reached:
        """Everything at most `depth` hops away; of a column, and with `columns`, at the level of columns."""
        if columns or self.table_of[start] != NONE:
            return self._reach_columns(start, direction, depth, columns=columns)
        edges = self.between_resources
        far = edges.far(direction)
        seen = np.zeros(self.nodes, np.bool_)
        frontier = np.array([start], np.int32)
        seen[frontier] = True
        layers = [frontier]
        while len(frontier) and (depth is None or len(layers) <= depth):
            frontier = _new(far[edges.at(frontier, direction)], seen)
            layers.append(frontier)
        nodes = np.concatenate(layers)
        distances = np.repeat(np.arange(len(layers), dtype=np.int32), [len(layer) for layer in layers])
        return Reached(nodes, distances, np.full(len(nodes), NONE, np.int32), False)

    def _reach_columns(
        self, start: int, direction: Direction, depth: int | None, *, columns: bool
    ) -> Reached:
        """At the level of columns a way may pass from a column to its table, and on by an edge that no column edge
        explains; or from a table that is come to by such an edge to all of its columns.
        """
        edges, unexplained = self.detailed, self._unexplained
        seen = np.zeros(self.nodes, np.bool_)
        found: list[tuple[Numbers, int, Numbers]] = []

        def note(nodes: Numbers, hops: int, passed: Numbers | None = None) -> None:
            found.append((nodes, hops, np.full(len(nodes), NONE, np.int32) if passed is None else passed))

        # A table may be passed on the way before an edge leads to it: only then it is followed, and opened.
        followed, opened = np.zeros(self.nodes, np.bool_), np.zeros(self.nodes, np.bool_)
        frontier = np.array([start], np.int32)
        seen[start] = followed[start] = True
        note(frontier, 0)
        hops = 0
        if columns:
            opened[start] = True
            inside = _new(self.columns.of(frontier), seen)
            note(inside, 0, self.table_of[inside])
            frontier = np.concatenate([frontier, inside])
        while len(frontier) and (depth is None or hops < depth):
            held = frontier[self.table_of[frontier] != NONE]
            held = held[unexplained.degree(self.table_of[held], direction) > 0]
            tables, first = np.unique(self.table_of[held], return_index=True)
            fresh = ~seen[tables]
            seen[tables[fresh]] = True
            note(tables[fresh], hops, held[first[fresh]])
            step = edges.at(frontier, direction)
            by_table = unexplained.at(tables, direction)
            far = edges.far(direction)[step]
            read_whole = far[edges.whole[step]]
            further = unexplained.far(direction)[by_table]
            hops += 1
            frontier = _new(np.concatenate([far, further]), followed)
            note(_new(frontier, seen), hops)
            inside = _new(self.columns.of(_new(np.concatenate([read_whole, further]), opened)), seen)
            followed[inside] = True
            note(inside, hops, self.table_of[inside])
            frontier = np.concatenate([frontier, inside])
        nodes, counts, passed = zip(*found, strict=True)
        distances = np.repeat(np.array(counts, np.int32), [len(one) for one in nodes])
        order = np.argsort(distances, kind="stable")
        return Reached(np.concatenate(nodes)[order], distances[order], np.concatenate(passed)[order], True)

    def within(self, reached: Reached) -> Numbers:
        """The edges, of the level of a search, both of whose ends it has come to."""
        edges = self.detailed if reached.detailed else self.between_resources
        there = np.zeros(self.nodes, np.bool_)
        there[reached.nodes] = True
        step = edges.at(np.sort(reached.nodes), "downstream")
        return edges.numbers[step[there[edges.end[step]]]]


def _new(nodes: Numbers, seen: Mask) -> Numbers:
    """Those not seen yet, each once; they are seen from now on."""
    fresh = nodes[~seen[nodes]]
    if len(fresh) > 1:
        fresh = np.unique(fresh)
    seen[fresh] = True
    return fresh


def tables_of(is_column: Mask, parent: Numbers) -> Numbers:
    """The table of each column, also of one within another; NONE where there is none."""
    table = np.where(is_column, parent, NONE).astype(np.int32)
    for _ in range(_DEEPEST):
        inner = (table != NONE) & is_column[table]
        if not inner.any():
            return table
        table[inner] = parent[table[inner]]
    table[(table != NONE) & is_column[table]] = NONE  # columns that hold each other in a circle
    return table
