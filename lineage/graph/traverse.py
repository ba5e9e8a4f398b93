"""Questions to a graph: what is upstream, what is downstream, which ways lead from one to the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import LineageError
from lineage.graph.questions import Neighbourhood, Questions, closest
from lineage.graph.search import parse_words, search
from lineage.graph.shown import edge_dict, node_dict, unresolved_dict
from lineage.graph.topology import NONE, Direction, Edges, Mask, Numbers, Topology, tables_of
from lineage.store.engine import cursor
from lineage.store.graphs import GraphHeader

if TYPE_CHECKING:
    from lineage.store import Store

__all__ = ["Direction", "LineageGraph", "Neighbourhood"]

DIRECTIONS: tuple[Direction, ...] = ("upstream", "downstream")
MAX_NAMED = 10
# Of the columns that rows of all kinds share those that a kind has, and that are shown.
_OF_NODES = (
    "key, aliases, connection, entity_type, databuilder_id, parent_id, title, database, schema, body, facets, "
    "inferred, usage"
)
_OF_EDGES = "from_id, to_id, level, edge_kind, clauses, expression, provenance"


class _Links(NamedTuple):
    """A graph's nodes and edges by number: ids in order, the rows of those that have aliases, who is linked with whom,
    each node's parent (NONE where there is none), which ones are columns, who holds others that are none, which edges
    are direct.
    """

    ids: pa.Array
    aliases: pa.Table
    topology: Topology
    parent: Numbers
    is_column: Mask
    holds: Mask
    direct: Mask


class LineageGraph(Questions):
    """A graph as it was stored for a partition. Ids may be given in full, as an alias, or by a unique ending.

    What was asked for is read once; links and ids are arrays, descriptions and reasons are read when they are shown.
    """

    def __init__(self, header: GraphHeader, store: Store) -> None:
        self.header = header
        self._store = store

    @classmethod
    def load(cls, store: Store, as_of: str | None = None) -> LineageGraph:
        """The newest graph at or before the partition `as_of`. Raises LineageError when there is none."""
        header = store.graphs.newest(as_of)
        if header is None:
            when = f" at or before {as_of}" if as_of else ""
            raise LineageError(f"there is no graph yet{when}", hint="run `headwater sync`")
        return cls(header, store)

    @property
    def as_of(self) -> str:
        return self.header.partition

    # -- parts

    def scan(self, engine: duckdb.DuckDBPyConnection, name: str) -> None:
        """Makes the view `name` of the graph's rows as they are stored, in no order."""
        self._store.graphs.scan(engine, name, self.header)

    def _read(self, query: str) -> pa.Table:
        """What a query gives of the graph's rows, `graph_row`."""
        with cursor() as engine:
            self.scan(engine, "graph_row")
            return _table(engine, query)

    @cached_property
    def nodes(self) -> pa.Table:
        """Rows of kind node: key (the id), aliases, connection, entity_type, ..., body (JSON of the set fields)."""
        return self._read(f"SELECT {_OF_NODES} FROM graph_row WHERE kind = 'node' ORDER BY key")

    @cached_property
    def edge_rows(self) -> pa.Table:
        """Rows of kind edge: from_id, to_id, level, edge_kind, clauses, expression, provenance; by ends."""
        return self._read(f"SELECT {_OF_EDGES} FROM graph_row WHERE kind = 'edge' ORDER BY from_id, to_id")

    @cached_property
    def queries(self) -> dict[str, str | None]:
        """SQL text by the key that provenance and unresolved references carry."""
        rows = self._read("SELECT key, sql FROM graph_row WHERE kind = 'query'")
        return dict(zip(rows["key"].to_pylist(), rows["sql"].to_pylist(), strict=True))

    @cached_property
    def _links(self) -> _Links:
        with cursor() as engine:
            self.scan(engine, "graph_row")
            engine.execute("""
                CREATE OR REPLACE TEMP TABLE node AS
                SELECT (row_number() OVER (ORDER BY key) - 1)::INTEGER AS num, key, parent_id,
                       entity_type = 'column' AS is_column
                FROM graph_row WHERE kind = 'node'
            """)
            nodes = _table(
                engine,
                """
                SELECT n.key, n.is_column, coalesce(p.num, -1) AS parent
                FROM node n LEFT JOIN node p ON p.key = n.parent_id ORDER BY n.num
            """,
            )
            edges = _table(
                engine,
                """
                SELECT f.num AS start, t.num AS "end", e.level = 'resource' AS whole, e.edge_kind = 'direct' AS direct
                FROM graph_row e
                JOIN node f ON f.key = e.from_id JOIN node t ON t.key = e.to_id WHERE e.kind = 'edge' ORDER BY 1, 2
            """,
            )
            aliases = _table(
                engine, "SELECT key, aliases FROM graph_row WHERE kind = 'node' AND len(aliases) > 0"
            )
            engine.execute("DROP TABLE node")
        count = nodes.num_rows
        start, end, whole, direct = (_numbers(edges[name]) for name in ("start", "end", "whole", "direct"))
        numbers = np.arange(len(start), dtype=np.int32)
        is_column, parent = _numbers(nodes["is_column"]), _numbers(nodes["parent"])
        links = Topology(count, tables_of(is_column, parent), Edges(numbers, start, end, whole, count))
        holds = np.zeros(count, np.bool_)
        holds[parent[~is_column & (parent != NONE)]] = True
        return _Links(nodes["key"].combine_chunks(), aliases, links, parent, is_column, holds, direct)

    @property
    def topology(self) -> Topology:
        return self._links.topology

    @property
    def is_column(self) -> Mask:
        """Of each node whether it is a column, in a table or not."""
        return self._links.is_column

    @property
    def holds_others(self) -> Mask:
        """Of each node whether it is the parent of others that are no columns."""
        return self._links.holds

    @property
    def parent_of(self) -> Numbers:
        """Of each node its parent, NONE where there is none."""
        return self._links.parent

    @property
    def direct(self) -> Mask:
        """Of each edge of the topology whether it is a direct one."""
        return self._links.direct

    @property
    def shown(self) -> Mask:
        """Of each node whether it is part of answers."""
        return np.ones(self.topology.nodes, np.bool_)

    @cached_property
    def _id_by_alias(self) -> dict[str, str]:
        rows = self._links.aliases
        pairs = zip(rows["key"].to_pylist(), rows["aliases"].to_pylist(), strict=True)
        return {alias: node for node, aliases in pairs for alias in aliases}

    # -- ids

    def ids_of(self, nodes: Numbers) -> list[str]:
        """The ids of numbers."""
        ids: list[str] = self._links.ids.take(pa.array(nodes)).to_pylist()
        return ids

    def node_of(self, node: str) -> str | None:
        """The node that a whole id or an alias is of; None where there is none."""
        return node if self.number_of(node) is not None else self._id_by_alias.get(node)

    def number_of(self, node: str) -> int | None:
        """The number of a whole id; None where there is none."""
        ids = self._links.ids
        low, high = 0, len(ids)
        while low < high:
            middle = (low + high) // 2
            if ids[middle].as_py() < node:
                low = middle + 1
            else:
                high = middle
        return low if low < len(ids) and ids[low].as_py() == node else None

    def numbers_of(self, ids: pa.Array) -> Numbers:
        """The numbers of whole ids, NONE of those that are not in the graph."""
        return _numbers_in(pc.index_in(ids, value_set=self._links.ids))

    def known(self, node: str) -> int:
        """The number of an id that is in the graph."""
        number = self.number_of(node)
        if number is None:
            raise LineageError(f"{node} is not in the graph of {self.as_of}")
        return number

    def find_id(self, text: str) -> str:
        """The node's id for an id, an alias, or a unique ending, whole parts of names before others.

        Raises LineageError when none or several fit.
        """
        if self.number_of(text) is not None:
            return text
        if alias := self._id_by_alias.get(text):
            return str(alias)
        ids = self._links.ids
        known = [
            *(ids.filter(pc.ends_with(ids, text)).to_pylist() if text else ()),
            *(a for a in self._id_by_alias if text and a.endswith(text)),
        ]
        found = sorted({self._id_by_alias.get(one, one) for one in closest(known, text)})
        if len(found) == 1:
            return str(found[0])
        if not found:
            raise LineageError(
                f"nothing in the graph of {self.as_of} is called {text}", hint="try `headwater find`"
            )
        named = ", ".join(found[:MAX_NAMED]) + (", ..." if len(found) > MAX_NAMED else "")
        raise LineageError(
            f"{text} could be {len(found)} resources: {named}", hint="give more of the id", candidates=found
        )

    # -- resources and edges

    def resource(self, text: str) -> dict[str, Any]:
        """One resource with its set fields."""
        return self.resources_at(np.array([self.known(self.find_id(text))], np.int32))[0]

    def resources(self, ids: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """All resources, or those of the ids, by id."""
        if ids is None:
            return [node_dict(row) for row in self.nodes.to_pylist()]
        numbers = (self.number_of(one) for one in ids)
        return self.resources_at(np.array(sorted(n for n in numbers if n is not None), np.int32))

    def resources_at(self, nodes: Numbers) -> list[dict[str, Any]]:
        """The resources of numbers, in their order."""
        return [node_dict(row) for row in self.nodes.take(pa.array(nodes)).to_pylist()]

    def find(self, words: Sequence[str], *, limit: int | None = None) -> list[dict[str, Any]]:
        """Resources that hold every word, whatever its case, in name, id, description, owners or tags; a word may be a
        field and its value, as in `type:chart` (`lineage.graph.search.FIELDS`).

        Those whose title is a word come first, then tables before their columns. Raises LineageError for a field that
        there is not.
        """
        return search(self.nodes, parse_words(words))[:limit]

    def edges(self, numbers: Numbers | None = None) -> list[dict[str, Any]]:
        """Edges with their provenance, by ends; all, or those of the numbers."""
        rows = self.edge_rows if numbers is None else self.edge_rows.take(pa.array(np.sort(numbers)))
        return [edge_dict(row, self.header, self.queries) for row in rows.to_pylist()]

    def edges_between(self, ends: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        """The edges with these ends, (from, to), in the order of ends."""
        if not ends:
            return []
        edges = self.topology.edges
        pairs = edges.start.astype(np.int64) * edges.nodes + edges.end
        wanted = [self.known(start) * edges.nodes + self.known(end) for start, end in ends]
        return self.edges(np.searchsorted(pairs, np.array(sorted(wanted), np.int64)).astype(np.int32))

    def unresolved(self) -> list[dict[str, Any]]:
        """What did not resolve, with its reason and candidates."""
        bodies = self._read("SELECT body FROM graph_row WHERE kind = 'unresolved' ORDER BY body")["body"]
        return [unresolved_dict(orjson.loads(body), self.header, self.queries) for body in bodies.to_pylist()]

    def flows(self) -> list[tuple[str, str, int]]:
        """How many edges between tables, charts and the like lead from each connection to each other one."""
        rows = self._read("""
            SELECT split_part(from_id, '/', 1) AS a, split_part(to_id, '/', 1) AS b, count(*) AS n FROM graph_row
            WHERE kind = 'edge' AND level = 'resource' GROUP BY ALL HAVING a <> b ORDER BY ALL
        """)
        return [(row["a"], row["b"], row["n"]) for row in rows.to_pylist()]

    # -- questions

    def explain(self, start: str, end: str) -> list[dict[str, Any]]:
        """The edges between two nodes (a table's columns included), each with every reason why it exists."""
        ends = []
        for one in (start, end):
            number = np.array([self.known(self.find_id(one))], np.int32)
            ends.append(np.concatenate([number, self.topology.columns.of(number)]))
        edges = self.topology.edges
        leaving = edges.at(ends[0], "downstream")
        return self.edges(leaving[np.isin(edges.end[leaving], ends[1])])

    # -- JSON

    def to_dict(self) -> dict[str, Any]:
        """The whole graph in the JSON of `headwater lineage export`."""
        return {
            "as_of": self.as_of,
            "partitions": self.header.partitions,
            "resources": self.resources(),
            "edges": self.edges(),
            "unresolved": self.unresolved(),
        }

    def around(self, text: str, depth: int, *, columns: bool = False) -> dict[str, Any]:
        """What is at most `depth` hops from a resource, upstream and downstream, as `to_dict`."""
        reached = [self._reach(text, direction, depth, columns) for direction in DIRECTIONS]
        ids = {one for near in reached for one in near.distances}
        if columns:
            ids |= {str(edge["parent_id"]) for edge in self.resources(ids) if edge["parent_id"]}
        edges = {(e["from"], e["to"]): e for near in reached for e in near.edges}
        whole = {"as_of": self.as_of, "partitions": self.header.partitions, "resources": self.resources(ids)}
        named = [u for u in self.unresolved() if u["counterpart"] in ids]
        return whole | {"edges": [edges[ends] for ends in sorted(edges)], "unresolved": named}


def _table(engine: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    return engine.sql(query).to_arrow_table()


def _numbers_in(places: pa.Array | pa.ChunkedArray) -> Numbers:
    found: Numbers = pc.fill_null(places, NONE).to_numpy().astype(np.int32)
    return found


def _numbers(column: pa.ChunkedArray) -> Any:
    return column.combine_chunks().to_numpy(zero_copy_only=False)
