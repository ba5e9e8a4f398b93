"""A graph with its intermediate resources left out: what feeds them is linked with what they feed.

The stored graph stays as it is. Nodes keep their numbers, so every question is asked of the other arrays as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from lineage.graph.bypass import Excess, Hops, Links, Pairs
from lineage.graph.topology import NONE, Edges, Mask, Numbers, Topology
from lineage.graph.traverse import LineageGraph
from lineage.store.engine import cursor

MOST_STEPS = 1_000_000  # that may be walked to find the new links of a graph
_MARKED = """
    contains(lower(body), 'temp') AND (body->>'$.properties.temporary' = 'true'
        OR regexp_matches(lower(body->>'$.native_type'), '(^|[^a-z])temp(orary)?([^a-z]|$)'))
"""


def collapsed(
    graph: LineageGraph,
    patterns: Sequence[str] = (),
    *,
    keep: Iterable[str] = (),
    marked: bool = True,
    most: int = MOST_STEPS,
) -> LineageGraph:
    """The graph without its intermediate resources and their columns; the graph itself when it has none.

    Intermediate is what a pattern matches: `*`, `?` and `[...]` over whole ids of resources other than columns, where
    case counts and `*` stands for dots too. So is, when `marked`, what its connector says is temporary: by the
    `native_type` (`TEMPORARY TABLE`), or by the property `temporary: "true"`. What `keep` names stays, and so do its
    columns.

    Where more than `most` steps through intermediate resources would be needed, those that need most of them stay, and
    are named by `left_open`. Raises LineageError for an id in `keep` that none or several have.
    """
    hidden = _intermediate(graph, patterns, marked)
    for one in keep:
        number = graph.known(graph.find_id(one))
        table = int(graph.topology.table_of[number])
        hidden[number if table == NONE else table] = False
    if not hidden.any():
        return graph
    return CollapsedGraph(graph, _bypass(graph, hidden, most))


def _intermediate(graph: LineageGraph, patterns: Sequence[str], marked: bool) -> Mask:
    """Of each node whether it is an intermediate resource; of columns nothing is said."""
    hidden = np.zeros(graph.topology.nodes, np.bool_)
    conditions = ["key GLOB ?"] * len(patterns) + ([_MARKED] if marked else [])
    if not conditions:
        return hidden
    with cursor() as engine:
        graph.scan(engine, "graph_row")
        found = engine.execute(
            f"""
            SELECT key FROM graph_row
            WHERE kind = 'node' AND entity_type <> 'column' AND ({" OR ".join(f"({one})" for one in conditions)})
            """,
            list(patterns),
        ).fetchall()
    hidden[graph.numbers_of(pa.array([key for (key,) in found], pa.string()))] = True
    return hidden


@dataclass(frozen=True)
class _Bypass:
    """The arrays of a graph without its hidden nodes.

    `origin` is the number of the edge that each edge was before, NONE for a new one; `bridged` says which ones stand
    for ways through hidden nodes, `opened` which tables were to be hidden and are not.
    """

    topology: Topology
    hidden: Mask
    origin: Numbers
    bridged: Mask
    direct: Mask
    opened: Numbers
    resources: Hops
    columns: Hops


def _bypass(graph: LineageGraph, tables: Mask, most: int) -> _Bypass:
    topology = graph.topology
    asked, opening = tables, 1
    while True:
        hidden = _with_columns(topology, tables)
        kinds = (Links.between_resources(topology, hidden), Links.between_columns(topology, hidden))
        found: list[Pairs] = []
        for links in (*kinds, *(one.of(graph.direct) for one in kinds)):
            bridges = links.bridges(most)
            if isinstance(bridges, Excess):
                break
            found.append(bridges)
        else:
            opened = np.flatnonzero(asked & ~tables).astype(np.int32)
            resources, columns = (Hops(links, topology.nodes) for links in kinds)
            return _Bypass(*_merge(graph, hidden, found), opened, resources, columns)
        tables = _without_heaviest(topology, tables, bridges, opening)
        opening *= 2


def _with_columns(topology: Topology, tables: Mask) -> Mask:
    return np.where(topology.table_of == NONE, tables, tables[topology.table_of])


def _without_heaviest(topology: Topology, tables: Mask, excess: Excess, count: int) -> Mask:
    """The hidden tables but for those from which most steps led."""
    nodes = np.arange(len(excess.weights)) % topology.nodes
    table = np.where(topology.table_of == NONE, np.arange(topology.nodes), topology.table_of)[nodes]
    weights = np.bincount(table, excess.weights, minlength=topology.nodes)
    weights[~tables] = -1
    rest = tables.copy()
    rest[np.argsort(-weights, kind="stable")[:count]] = False
    return rest


def _merge(
    graph: LineageGraph, hidden: Mask, found: Sequence[Pairs]
) -> tuple[Topology, Mask, Numbers, Mask, Mask]:
    """The edges that stay and the new ones, one for each pair of ends; none from a node to itself is new."""
    topology, nodes = graph.topology, graph.topology.nodes
    edges = topology.edges
    resources, direct_resources = (_apart(one, nodes) for one in found[::2])
    (columns, wholes), (direct_columns, _) = (_plain(one, nodes) for one in found[1::2])
    stay = np.flatnonzero(~hidden[edges.start] & ~hidden[edges.end]).astype(np.int32)
    old = edges.start[stay].astype(np.int64) * nodes + edges.end[stay]
    keys = np.unique(np.concatenate([old, resources, columns]))

    def those(*parts: Pairs) -> Mask:
        mask = np.zeros(len(keys), np.bool_)
        for part in parts:
            mask[np.searchsorted(keys, part)] = True
        return mask

    start, end = (one.astype(np.int32) for one in np.divmod(keys, nodes))
    whole = those(old[edges.whole[stay]], resources, columns[wholes])
    of_columns = those(old[np.isin(stay, topology.detailed.numbers)], columns)
    direct = those(old[graph.direct[stay]], direct_resources, direct_columns)
    origin = np.full(len(keys), NONE, np.int32)
    origin[np.searchsorted(keys, old)] = stay
    numbers = np.arange(len(keys), dtype=np.int32)
    links = Topology(nodes, topology.table_of, Edges(numbers, start, end, whole, nodes), of_columns)
    return links, hidden, origin, those(resources, columns), direct


def _apart(pairs: Pairs, nodes: int) -> Pairs:
    """Those of two different nodes."""
    apart: Pairs = pairs[pairs // nodes != pairs % nodes]
    return apart


def _plain(pairs: Pairs, nodes: int) -> tuple[Pairs, Mask]:
    """Pairs of numbers at the level of columns as pairs of nodes, and which ones hold for a node as a whole."""
    start, end = np.divmod(pairs, 2 * nodes)
    plain = start % nodes * nodes + end % nodes
    apart = plain // nodes != plain % nodes
    wholes = (start >= nodes) | (end >= nodes)
    return plain[apart], wholes[apart]


class CollapsedGraph(LineageGraph):
    """A graph without its intermediate resources. Edges that stand for ways through them hold `via`, the ids of those,
    nearest to `from` first.

    Such an edge is direct when data of one end is in the other by one of these ways; its reasons and clauses are those
    of all edges on them. `find`, `resource`, `unresolved` and `flows` tell of the whole graph.
    """

    def __init__(self, graph: LineageGraph, bypass: _Bypass) -> None:
        super().__init__(graph.header, graph._store)
        self._whole = graph
        self._bypass = bypass

    @property
    def left_open(self) -> list[str]:
        """The ids of resources that were to be left out, and are here because too many links would lead past them."""
        return self.ids_of(self._bypass.opened)

    @cached_property
    def nodes(self) -> pa.Table:
        return self._whole.nodes

    @property
    def _links(self) -> Any:
        return self._whole._links

    @property
    def topology(self) -> Topology:
        return self._bypass.topology

    @property
    def direct(self) -> Mask:
        return self._bypass.direct

    @property
    def shown(self) -> Mask:
        return ~self._bypass.hidden

    def resources(self, ids: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """All resources that are not left out, or those of the ids, by id."""
        if ids is not None:
            return self._whole.resources(ids)
        return self.resources_at(np.flatnonzero(self.shown).astype(np.int32))

    def edges(self, numbers: Numbers | None = None) -> list[dict[str, Any]]:
        """Edges with their provenance, by ends; all, or those of the numbers."""
        wanted = self.topology.edges.numbers if numbers is None else np.sort(numbers)
        origin = self._bypass.origin[wanted]
        ways = {int(edge): self._ways_of(edge) for edge in wanted[self._bypass.bridged[wanted]]}
        needed = {hop for way in ways.values() for hop in way} | set(origin[origin != NONE].tolist())
        numbered = sorted(needed)
        stored = dict(zip(numbered, self._whole.edges(np.array(numbered, np.int32)), strict=True))
        ends = [self.ids_of(one[wanted]) for one in (self.topology.edges.start, self.topology.edges.end)]
        found = []
        for edge, before, start, end in zip(wanted.tolist(), origin.tolist(), *ends, strict=True):
            if edge not in ways:
                found.append(stored[before])
                continue
            own = [] if before == NONE else [before]
            told = _merged([stored[one] for one in own + ways[edge]])
            of_columns = bool((self.topology.table_of[list(self._ends(edge))] != NONE).any())
            named = {"from": start, "to": end, "level": "column" if of_columns else "resource"}
            how = {
                "kind": "direct" if self._bypass.direct[edge] else "indirect",
                "expression": stored[before]["expression"] if own else None,
            }
            found.append(named | how | told | {"via": self._via(ways[edge], stored)})
        return found

    def _ends(self, edge: int) -> tuple[int, int]:
        edges = self.topology.edges
        return int(edges.start[edge]), int(edges.end[edge])

    def _ways_of(self, edge: int) -> list[int]:
        """The stored edges that lead through hidden nodes from one end of an edge to the other."""
        resources = self._bypass.resources.of(*self._ends(edge))
        return resources or self._bypass.columns.of(*self._ends(edge))

    def _via(self, way: Sequence[int], stored: Mapping[int, Mapping[str, Any]]) -> list[str]:
        edges, hidden = self._whole.topology.edges, self._bypass.hidden
        ends = [(side, one) for one in way for side in ("from", "to")]
        numbers = {"from": edges.start, "to": edges.end}
        return list(dict.fromkeys(stored[one][side] for side, one in ends if hidden[numbers[side][one]]))


def _merged(edges: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The clauses and reasons of several edges, each once."""
    clauses = sorted({clause for edge in edges for clause in edge["clauses"]})
    reasons = {tuple(why.values()): why for edge in edges for why in edge["provenance"]}
    return {"clauses": clauses, "provenance": list(reasons.values())}
