"""Questions to a graph: what is upstream, what is downstream, which way leads from one to the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import LineageError
from lineage.store.graphs import GraphHeader

if TYPE_CHECKING:
    from lineage.store import Store

Direction = Literal["upstream", "downstream"]
_DIRECTIONS: tuple[Direction, ...] = ("upstream", "downstream")
MAX_NAMED = 10


@dataclass(frozen=True)
class Neighbourhood:
    """What lies upstream or downstream of a node: each node's distance in hops, and the edges between them.

    At column level a way may pass from a table to its columns (upstream, where the whole table is read) or
    from a column to its table (downstream, likewise); `passed` names, of each node reached so, the one passed
    from.
    """

    start: str
    direction: Direction
    distances: Mapping[str, int]
    edges: list[dict[str, Any]]
    passed: Mapping[str, str]


class LineageGraph:
    """A graph as it was stored for a partition. Ids may be given in full, as an alias, or by a unique ending."""

    def __init__(self, header: GraphHeader, rows: pa.Table) -> None:
        self.header = header
        self._rows = rows

    @classmethod
    def load(cls, store: Store, as_of: str | None = None) -> LineageGraph:
        """The newest graph at or before the partition `as_of`. Raises LineageError when there is none."""
        header = store.graphs.newest(as_of)
        if header is None:
            when = f" at or before {as_of}" if as_of else ""
            raise LineageError(f"there is no graph yet{when}", hint="run `headwater sync`")
        return cls(header, store.graphs.rows(header))

    @property
    def as_of(self) -> str:
        return self.header.partition

    # -- parts

    def _kind(self, kind: str) -> pa.Table:
        return self._rows.filter(pc.equal(self._rows["kind"], kind))

    @cached_property
    def nodes(self) -> pa.Table:
        """Rows of kind node: key (the id), aliases, connection, entity_type, ..., body (JSON of the set
        fields).
        """
        return self._kind("node")

    @cached_property
    def edge_rows(self) -> pa.Table:
        """Rows of kind edge: from_id, to_id, level, edge_kind, clauses, expression, provenance."""
        return self._kind("edge")

    @cached_property
    def queries(self) -> dict[str, str | None]:
        """SQL text by the key that provenance and unresolved references carry."""
        rows = self._kind("query")
        return dict(zip(rows["key"].to_pylist(), rows["sql"].to_pylist(), strict=True))

    @cached_property
    def _id_by_alias(self) -> dict[str, str]:
        rows = self.nodes.filter(pc.greater(pc.list_value_length(self.nodes["aliases"]), 0))
        pairs = zip(rows["key"].to_pylist(), rows["aliases"].to_pylist(), strict=True)
        return {alias: node for node, aliases in pairs for alias in aliases}

    def find_id(self, text: str) -> str:
        """The node's id for an id, an alias, or a unique ending, whole parts of names before others.

        Raises LineageError when none or several fit.
        """
        ids = self.nodes["key"]
        if pc.any(pc.equal(ids, text)).as_py():
            return text
        if alias := self._id_by_alias.get(text):
            return str(alias)
        known = [
            *ids.filter(pc.ends_with(ids, text)).to_pylist(),
            *(a for a in self._id_by_alias if a.endswith(text)),
        ]
        whole = [one for one in known if one[-len(text) - 1] in "/."] or known
        full = [one for one in whole if one.partition("/")[2] == text] or whole
        found = sorted({self._id_by_alias.get(one, one) for one in full})
        if len(found) == 1:
            return str(found[0])
        if not found:
            raise LineageError(
                f"nothing in the graph of {self.as_of} is called {text}", hint="try `headwater find`"
            )
        named = ", ".join(found[:MAX_NAMED]) + (", ..." if len(found) > MAX_NAMED else "")
        raise LineageError(f"{text} could be {len(found)} resources: {named}", hint="give more of the id")

    def resource(self, text: str) -> dict[str, Any]:
        """One resource with its set fields."""
        row = self.nodes.filter(pc.equal(self.nodes["key"], self.find_id(text)))
        return node_dict(row.to_pylist()[0])

    def find(self, words: Sequence[str], *, limit: int | None = None) -> list[dict[str, Any]]:
        """Resources that hold every word, whatever its case, in name, id, description, owners, tags or
        columns.

        Those whose title is a word come first, then tables before their columns.
        """
        rows = self.nodes
        wanted = {word.lower() for word in words}
        text = pc.binary_join_element_wise(
            rows["key"],
            pc.fill_null(rows["title"], ""),
            pc.fill_null(rows["body"], ""),
            pc.fill_null(rows["facets"], ""),
            "\n",
        )
        if not words:
            return []
        hits = [pc.match_substring(text, word, ignore_case=True) for word in words]
        keep = hits[0]
        for hit in hits[1:]:
            keep = pc.and_(keep, hit)
        found = [one for row in rows.filter(keep).to_pylist() if _mentions(one := node_dict(row), wanted)]
        found.sort(
            key=lambda r: ((r["title"] or "").lower() not in wanted, r["entity_type"] == "column", r["id"])
        )
        return found[:limit]

    def resources(self, ids: set[str] | None = None) -> list[dict[str, Any]]:
        """All resources, or those of the ids, by id."""
        rows = (
            self.nodes
            if ids is None
            else self.nodes.filter(pc.is_in(self.nodes["key"], pa.array(sorted(ids))))
        )
        return [node_dict(row) for row in rows.to_pylist()]

    def edges(self, rows: pa.Table | None = None) -> list[dict[str, Any]]:
        """Edges with their provenance, by ends."""
        return [self._edge_dict(row) for row in (self.edge_rows if rows is None else rows).to_pylist()]

    def unresolved(self) -> list[dict[str, Any]]:
        """What did not resolve, with its reason and candidates."""
        return [
            self._unresolved_dict(orjson.loads(body)) for body in self._kind("unresolved")["body"].to_pylist()
        ]

    def flows(self) -> list[tuple[str, str, int]]:
        """How many edges between tables, charts and the like lead from each connection to each other one."""
        rows = self.edge_rows.filter(pc.equal(self.edge_rows["level"], "resource"))
        owner = dict(zip(self.nodes["key"].to_pylist(), self.nodes["connection"].to_pylist(), strict=True))
        ends = zip(rows["from_id"].to_pylist(), rows["to_id"].to_pylist(), strict=True)
        counted = Counter((owner[start], owner[end]) for start, end in ends)
        return [(start, end, count) for (start, end), count in sorted(counted.items()) if start != end]

    # -- questions

    def upstream(self, text: str, depth: int | None = None, *, columns: bool = False) -> Neighbourhood:
        """Where it comes from, `depth` hops far (None: all the way); at column level for a column, or with
        `columns`.
        """
        return self._reach(text, "upstream", depth, columns)

    def downstream(self, text: str, depth: int | None = None, *, columns: bool = False) -> Neighbourhood:
        """What it reaches, as `upstream`."""
        return self._reach(text, "downstream", depth, columns)

    def path(self, start: str, end: str) -> list[dict[str, Any]]:
        """The edges of a shortest way that data takes from one to the other; empty when there is none.

        At column level when one of them is a column.
        """
        first, last = self.find_id(start), self.find_id(end)
        columns = self._is_column(first) or self._is_column(last)
        reached = self._reach(first, "downstream", None, columns)
        if last not in reached.distances:
            return []
        into: dict[str, dict[str, Any]] = {}
        for edge in reached.edges:
            a, b = edge["from"], edge["to"]
            if reached.distances[a] + 1 == reached.distances[b]:
                into.setdefault(b, edge)
        way, at = [], last
        while at != first:
            if at in reached.passed:
                at = reached.passed[at]
            else:
                way.append(into[at])
                at = into[at]["from"]
        return way[::-1]

    def explain(self, start: str, end: str) -> list[dict[str, Any]]:
        """The edges between two nodes (a table's columns included), each with every reason why it exists."""
        first, last = self.find_id(start), self.find_id(end)
        ends = [pa.array([one, *self.columns_of(one)], pa.string()) for one in (first, last)]
        rows = self.edge_rows
        between = pc.and_(pc.is_in(rows["from_id"], ends[0]), pc.is_in(rows["to_id"], ends[1]))
        return self.edges(rows.filter(between))

    def columns_of(self, node: str) -> list[str]:
        """The ids of a table's columns."""
        return self._columns.get(node, [])

    @cached_property
    def _table_of(self) -> dict[str, str]:
        """The table of each column, also of one within another."""
        rows = self.nodes.filter(pc.equal(self.nodes["entity_type"], "column"))
        pairs = zip(rows["key"].to_pylist(), rows["parent_id"].to_pylist(), strict=True)
        parents = {column: parent for column, parent in pairs if parent}
        tables = {}
        for column, parent in parents.items():
            seen = {column}
            while parent in parents and parent not in seen:
                seen.add(parent)
                parent = parents[parent]
            tables[column] = parent
        return tables

    @cached_property
    def _columns(self) -> dict[str, list[str]]:
        columns: dict[str, list[str]] = {}
        for column, table in self._table_of.items():
            columns.setdefault(table, []).append(column)
        return columns

    def _is_column(self, node: str) -> bool:
        return node in self._table_of

    @cached_property
    def _table_edges(self) -> pa.Table:
        return self.edge_rows.filter(pc.equal(self.edge_rows["level"], "resource"))

    @cached_property
    def _column_edges(self) -> pa.Table:
        """Column edges, and of the resource edges those that no column edge explains."""
        rows = self.edge_rows
        is_column = pc.equal(rows["level"], "column")
        detailed = rows.filter(is_column)
        table_of = self._table_of
        explained = {
            (table_of.get(a, a), table_of.get(b, b))
            for a, b in zip(detailed["from_id"].to_pylist(), detailed["to_id"].to_pylist(), strict=True)
        }
        ends = zip(rows["from_id"].to_pylist(), rows["to_id"].to_pylist(), is_column.to_pylist(), strict=True)
        return rows.filter(pa.array([column or (a, b) not in explained for a, b, column in ends], pa.bool_()))

    def _reach(self, text: str, direction: Direction, depth: int | None, columns: bool) -> Neighbourhood:
        start = self.find_id(text)
        near, far = ("to_id", "from_id") if direction == "upstream" else ("from_id", "to_id")
        detailed = columns or self._is_column(start)
        rows = self._column_edges if detailed else self._table_edges
        distances: dict[str, int] = {start: 0}
        passed: dict[str, str] = {}
        frontier, hops = [start], 0
        if columns:
            frontier += _pass_on(dict.fromkeys(self.columns_of(start), start), 0, distances, passed)
        while frontier and (depth is None or hops < depth):
            step = rows.filter(pc.is_in(rows[near], pa.array(frontier, pa.string())))
            if detailed:
                whole = self._whole_edges(rows, frontier, near)
                used = {str(one) for one in whole[near].to_pylist()}
                _pass_on(
                    {self._table_of[c]: c for c in frontier if self._table_of.get(c) in used},
                    hops,
                    distances,
                    passed,
                )
                step = pa.concat_tables([step, whole])
            hops += 1
            frontier = sorted({str(one) for one in step[far].to_pylist()} - distances.keys())
            distances |= dict.fromkeys(frontier, hops)
            if detailed:
                read = step.filter(pc.equal(step["level"], "resource"))[far].to_pylist()
                tables = sorted({str(one) for one in read} & set(frontier))
                columns_of = {column: table for table in tables for column in self.columns_of(table)}
                frontier += _pass_on(columns_of, hops, distances, passed)
        known = pa.array(list(distances), pa.string())
        within = rows.filter(pc.and_(pc.is_in(rows["from_id"], known), pc.is_in(rows["to_id"], known)))
        return Neighbourhood(start, direction, distances, self.edges(within), passed)

    def _whole_edges(self, rows: pa.Table, columns: list[str], near: str) -> pa.Table:
        """The edges of the columns' tables that no column edge explains: they hold for every column."""
        tables = sorted({self._table_of[one] for one in columns if one in self._table_of})
        at_tables = pc.is_in(rows[near], pa.array(tables, pa.string()))
        return rows.filter(pc.and_(at_tables, pc.equal(rows["level"], "resource")))

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
        reached = [self._reach(text, direction, depth, columns) for direction in _DIRECTIONS]
        ids = {one for near in reached for one in near.distances}
        if columns:
            ids |= {str(edge["parent_id"]) for edge in self.resources(ids) if edge["parent_id"]}
        edges = {(e["from"], e["to"]): e for near in reached for e in near.edges}
        whole = {"as_of": self.as_of, "partitions": self.header.partitions, "resources": self.resources(ids)}
        named = [u for u in self.unresolved() if u["counterpart"] in ids]
        return whole | {"edges": [edges[ends] for ends in sorted(edges)], "unresolved": named}

    def _edge_dict(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "from": row["from_id"],
            "to": row["to_id"],
            "level": row["level"],
            "kind": row["edge_kind"],
            "clauses": row["clauses"],
            "expression": row["expression"],
            "provenance": [self._provenance_dict(one) for one in row["provenance"]],
        }

    def _provenance_dict(self, row: Mapping[str, Any]) -> dict[str, Any]:
        source = self.header.sources[row["source"]]
        return {
            "origin": row["origin"],
            "connection": source["connection"],
            "partition": source["partition"],
            "run_id": source["run_id"],
            "declaration": row["declaration"],
            "sql": self.queries.get(row["query"]) if row["query"] else None,
            "location": row["location"],
            "matched_by": row["matched_by"],
        }

    def _unresolved_dict(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        number = entry["source"]
        source = self.header.sources[number] if number is not None else {}
        return {
            "reference": entry["reference"],
            "sql": self.queries.get(entry["query"]) if entry["query"] else None,
            "side": entry["side"],
            "counterpart": entry["counterpart"],
            "reason": entry["reason"],
            "candidates": entry["candidates"],
            "guessed": entry["guessed"],
            "message": entry["message"],
            "declaration": entry["declaration"],
            "connection": source.get("connection"),
            "partition": source.get("partition"),
        }


def node_dict(row: Mapping[str, Any]) -> dict[str, Any]:
    """A node's row in the JSON of `headwater lineage export`."""
    body = orjson.loads(row["body"]) if row["body"] else {}
    body.pop("parent_databuilder_id", None)
    fixed = {"id": row["key"], "aliases": row["aliases"], "connection": row["connection"]}
    names = ("entity_type", "databuilder_id", "parent_id", "title", "database", "schema")
    more = {name: orjson.loads(row[name]) for name in ("facets", "usage") if row[name]}
    return body | fixed | {name: row[name] for name in names} | {"inferred": bool(row["inferred"])} | more


def _mentions(resource: Mapping[str, Any], words: set[str]) -> bool:
    """Whether what people read of a resource holds every word; its other fields do not count."""
    described = [resource, *resource.get("facets", {}).values()]
    names = ("id", "title", "description", "definition", "native_type", "entity_type", "owners", "tags")
    text = "\n".join(str(one.get(name, "")) for one in described for name in names).lower()
    return all(word in text for word in words)


def _pass_on(
    pairs: Mapping[str, str], hops: int, distances: dict[str, int], passed: dict[str, str]
) -> list[str]:
    """Notes nodes that were reached without an edge, each from another one; gives those that are new."""
    new = {to: node for to, node in pairs.items() if to not in distances}
    distances |= dict.fromkeys(new, hops)
    passed |= new
    return list(new)
