"""One graph, read whole, and what the server keeps of it: each question is answered by one of these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from hashlib import blake2b
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import numpy as np
import orjson
import pyarrow.compute as pc
from anyio import to_thread

from lineage.graph.collapse import collapsed
from lineage.graph.lift import Level, Lifted, lifted
from lineage.graph.traverse import LineageGraph

T = TypeVar("T")
SMALL = 50_000  # nodes and edges: questions to such a graph are answered within milliseconds


class UnresolvedEntry(NamedTuple):
    """An unresolved reference under a place in the order of all: it stays where it is when another graph lands."""

    place: tuple[str, str, str, int]
    told: dict[str, Any]


class Reading:
    """A graph with everything in memory that answers need; safe to use from many threads.

    `patterns` are those of the project that say what is intermediate.
    """

    def __init__(self, graph: LineageGraph, patterns: Sequence[str] = ()) -> None:
        self.graph = graph
        self.patterns = tuple(patterns)
        self._lifts: dict[Level, Lifted] = {}
        self._lock = Lock()
        self._read_all()

    def _read_all(self) -> None:
        """Makes the graph read and put in order what it otherwise would at the first question."""
        graph = self.graph
        self.unresolved: list[UnresolvedEntry] = _ordered(graph.unresolved())
        self.size: int = graph.nodes.num_rows + graph.edge_rows.num_rows
        self.shown = collapsed(graph, self.patterns)
        for one in {id(each): each for each in (graph, self.shown)}.values():
            if one.topology.nodes:
                first = one.ids_of(np.array([0], np.int32))[0]
                one.explain(first, first)
                one.node_of("")
                for columns in (False, True):
                    for found in (
                        one.upstream(first, 1, columns=columns),
                        one.downstream(first, 1, columns=columns),
                    ):
                        _ = found.edges

    @property
    def as_of(self) -> str:
        return self.graph.as_of

    @property
    def is_small(self) -> bool:
        return self.size <= SMALL

    async def ask(self, work: Callable[[], T], *, quick: bool = True) -> T:
        """What `work` gives; in a thread where that may take long, so that it keeps nobody waiting."""
        return work() if quick and self.is_small else await to_thread.run_sync(work)

    # -- views

    def around(self, ids: Sequence[str], *, is_open: bool) -> LineageGraph:
        """The graph as questions see it: without what is intermediate, but for these. With `is_open`, whole.

        Raises LineageError for an id that none or several have.
        """
        if is_open or self.shown is self.graph:
            return self.graph
        numbers = [self.graph.known(self.graph.find_id(one)) for one in ids]
        if self.shown.shown[numbers].all():
            return self.shown
        return collapsed(self.graph, self.patterns, keep=ids)

    def has_view(self, *, is_open: bool) -> bool:
        """Whether `around` has what it gives already, and makes none."""
        return is_open or (self.shown is self.graph)

    def lifted(self, view: LineageGraph, level: Level) -> Lifted:
        """A view at a level; of those that are kept, made once."""
        if view is not self.shown:
            return lifted(view, level)
        with self._lock:
            if level not in self._lifts:
                self._lifts[level] = lifted(view, level)
            return self._lifts[level]

    # -- counts

    @property
    def counts(self) -> Mapping[str, int]:
        """How many nodes, edges and unresolved references there are."""
        graph = self.graph
        return {
            "nodes": graph.nodes.num_rows,
            "edges": graph.edge_rows.num_rows,
            "unresolved": len(self.unresolved),
        }

    @cached_property
    def resources_of(self) -> Mapping[str, int]:
        """How many resources other than columns each connection has."""
        nodes = self.graph.nodes
        whole = nodes.filter(pc.not_equal(nodes["entity_type"], "column"))
        return Counter(whole["connection"].to_pylist())

    @cached_property
    def unresolved_of(self) -> Mapping[str, int]:
        """How many unresolved references each connection has."""
        return Counter(str(one.told["connection"]) for one in self.unresolved)


def _ordered(entries: Sequence[dict[str, Any]]) -> list[UnresolvedEntry]:
    """By connection, reason and what is the same in every graph; alike ones are numbered."""
    seen: Counter[tuple[str, str, str]] = Counter()
    found = []
    for entry in entries:
        lasting = {
            k: v for k, v in entry.items() if k not in ("partition", "candidates", "guessed", "message")
        }
        text = orjson.dumps(lasting, option=orjson.OPT_SORT_KEYS).decode()
        group = (str(entry["connection"] or ""), str(entry["reason"]), text)
        found.append((group, entry))
    found.sort(key=lambda one: one[0])
    ordered = []
    for group, entry in found:
        ordered.append(UnresolvedEntry((*group[:2], _digest(group[2]), seen[group]), entry))
        seen[group] += 1
    ordered.sort(key=lambda one: one.place)
    return ordered


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=12).hexdigest()
