"""What differs between two graphs, and what that breaks.

Runs and partitions are no difference: an edge is the same while it links the same, in the same way, for the same
reasons. Something is *broken* when it is still there and has lost a source: what it asks for is no longer found, or
nothing feeds it any longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import duckdb
import numpy as np
import orjson
import pyarrow as pa

from lineage.graph.shown import node_dict, owners_of, reference_name
from lineage.graph.topology import NONE, Numbers
from lineage.graph.traverse import LineageGraph
from lineage.store.engine import cursor

Json = dict[str, Any]
# What there is to an edge's reason, apart from when it was seen.
_REASON = """{'origin': p.origin, 'connection': names[p.source + 1], 'declaration': p.declaration, 'query': p.query,
    'location': p.location, 'matched_by': p.matched_by}"""
_OPEN = frozenset({"not_found", "ambiguous", "ambiguous_column", "undeclared_internal"})


@dataclass(frozen=True)
class Broken:
    """A resource that has lost a source: `lost` are the ids or names of what it drew from, `downstream` what draws from
    it in turn (id, entity_type, title, owners), columns last.
    """

    id: str
    entity_type: str
    title: str | None
    owners: list[str]
    lost: list[str]
    messages: list[str]
    downstream: list[Json] = field(default_factory=list)


@dataclass(frozen=True)
class GraphDiff:
    """From the graph `before` to the graph `after`. Resources are by id, edges by their ends; a changed one is told as
    it is after, with the fields that differ as they were under `before`.
    """

    before: LineageGraph
    after: LineageGraph
    resources_added: list[Json]
    resources_removed: list[Json]
    resources_changed: list[Json]
    edges_added: list[Json]
    edges_removed: list[Json]
    edges_changed: list[Json]
    unresolved_added: list[Json]
    unresolved_removed: list[Json]

    @property
    def is_empty(self) -> bool:
        parts = (self.resources_added, self.resources_removed, self.resources_changed, self.edges_added)
        more = (self.edges_removed, self.edges_changed, self.unresolved_added, self.unresolved_removed)
        return not any((*parts, *more))

    @cached_property
    def broken(self) -> list[Broken]:
        """What has lost a source, by id."""
        lost: dict[str, dict[str, str]] = {}
        for resource, source, message in (*self._asked_in_vain(), *self._cut_off(), *self._dried_up()):
            lost.setdefault(resource, {}).setdefault(source, message)
        topology = self.after.topology
        numbers = {one: number for one in sorted(lost) if (number := self.after.number_of(one)) is not None}
        below = {
            one: topology.reach(number, "downstream", None, columns=False).nodes
            for one, number in numbers.items()
        }
        shown = self._in_short([*below.values()])
        return [
            Broken(
                **shown[numbers[one]],
                lost=sorted(lost[one]),
                messages=sorted({*lost[one].values()}),
                downstream=sorted(
                    (shown[other] for other in reached.tolist() if other != numbers[one]),
                    key=lambda r: (r["entity_type"] == "column", r["entity_type"], r["id"]),
                ),
            )
            for one, reached in below.items()
        ]

    def _in_short(self, nodes: Sequence[Numbers]) -> dict[int, Json]:
        """The resources of numbers, each read once."""
        every = np.unique(np.concatenate(nodes)) if nodes else np.array([], np.int32)
        return dict(zip(every.tolist(), map(_short, self.after.resources_at(every)), strict=True))

    def _asked_in_vain(self) -> Iterator[tuple[str, str, str]]:
        """A resource, the name that it drew from and now asks for in vain, and the message."""
        drew = self._drew_from()
        fed = _fed_by(self.edges_removed) | _fed_by(self.edges_changed)
        still = self._fed_still(
            {str(one["declaration"]) for one in self.unresolved_added if one["declaration"]}
        )
        for one in self.unresolved_added:
            if one["reason"] not in _OPEN or one["side"] != "from":
                continue
            name = reference_name(one)
            targets = fed.get(one["declaration"], set()) | still.get(one["declaration"], set())
            counterpart = one["counterpart"]
            if counterpart and self.after.number_of(counterpart) is not None:
                targets = {counterpart}
            for target in targets:
                if self._source_name(one) in drew.get(target, ()):
                    yield target, name, one["message"]

    def _drew_from(self) -> dict[str, set[str]]:
        """Of ends of edges that went, and of their tables, the ids and lower-case titles of the starts."""
        table_of = self.before.topology.table_of
        starts = self.before.resources({edge["from"] for edge in self.edges_removed})
        titles = {one["id"]: str(one["title"]).lower() for one in starts}
        drew: dict[str, set[str]] = {}
        for edge in self.edges_removed:
            end = self.before.known(edge["to"])
            held = [] if table_of[end] == NONE else self.before.ids_of(table_of[[end]])
            for target in (edge["to"], *held):
                drew.setdefault(target, set()).update((edge["from"], titles[edge["from"]]))
        return drew

    def _source_name(self, unresolved: Json) -> str:
        """What a reference called its source when that was there: an id, or a title in lower case."""
        reference = unresolved["reference"]
        if "databuilder_id" in reference:
            name = reference_name(unresolved)
            return self.before.node_of(name) or name
        return str(reference.get("column") or reference.get("table")).lower()

    def _cut_off(self) -> Iterator[tuple[str, str, str]]:
        """Ends of edges that went with their start, while what said so still stands."""
        gone = {one["id"] for one in self.resources_removed}
        went = [edge for edge in self.edges_removed if edge["from"] in gone]
        declared = {str(why["declaration"]) for edge in went for why in edge["provenance"]}
        still = self._fed_still(declared)
        for edge in went:
            if any(why["declaration"] in still for why in edge["provenance"]):
                yield edge["to"], edge["from"], f"{edge['from']} is gone"

    def _dried_up(self) -> Iterator[tuple[str, str, str]]:
        """What had sources and has none."""
        sources: dict[str, list[str]] = {}
        for edge in self.edges_removed:
            if edge["kind"] == "direct":
                sources.setdefault(edge["to"], []).append(edge["from"])
        links = self.after.topology.edges
        for one, lost in sources.items():
            number = self.after.number_of(one)
            if number is not None and not links.degree(np.array([number], np.int32), "upstream")[0]:
                yield from ((one, source, "nothing feeds it any longer") for source in lost)

    def _fed_still(self, declarations: set[str]) -> dict[str, set[str]]:
        """What each of the declarations feeds in the graph after."""
        fed: dict[str, set[str]] = {}
        if not declarations:
            return fed
        with cursor() as engine:
            self.after.scan(engine, "after_row")
            engine.register("asked", pa.table({"declaration": pa.array(sorted(declarations), pa.string())}))
            for declaration, end in engine.execute("""
                SELECT DISTINCT p.declaration, e.to_id
                FROM (SELECT to_id, unnest(provenance) AS p FROM after_row WHERE kind = 'edge') e
                JOIN asked a ON a.declaration = p.declaration
            """).fetchall():
                fed.setdefault(declaration, set()).add(end)
            engine.unregister("asked")
        return fed

    def to_dict(self) -> Json:
        """As `headwater lineage diff --json` prints it."""
        sides = {name: {"as_of": g.as_of, "partitions": g.header.partitions} for name, g in self._sides()}
        parts = {
            thing: {change: getattr(self, f"{thing}_{change}") for change in changes}
            for thing, changes in (
                ("resources", ("added", "removed", "changed")),
                ("edges", ("added", "removed", "changed")),
                ("unresolved", ("added", "removed")),
            )
        }
        return {**sides, **parts, "broken": [vars(one) for one in self.broken]}

    def _sides(self) -> tuple[tuple[str, LineageGraph], tuple[str, LineageGraph]]:
        return ("before", self.before), ("after", self.after)


def diff(before: LineageGraph, after: LineageGraph) -> GraphDiff:
    """What came, went and changed from one graph to another."""
    with cursor() as engine:
        for name, graph in (("before", before), ("after", after)):
            graph.scan(engine, f"{name}_row")
            _plain_edges(engine, name, graph)
        resources = _resources(engine)
        edges = _edges(engine)
    removed, added = _without(before, after), _without(after, before)
    return GraphDiff(before, after, *resources, *_shown_edges(before, after, edges), added, removed)


def _resources(engine: duckdb.DuckDBPyConnection) -> tuple[list[Json], list[Json], list[Json]]:
    """Those that came, went and changed."""
    fields = "parent_id, body, facets, aliases, inferred, usage, entity_type, title, database, schema"
    ways = {"added": ("after", "before"), "removed": ("before", "after")}
    found = {}
    for change, (there, absent) in ways.items():
        rows = engine.sql(f"""
            SELECT t.* FROM {there}_row t
            ANTI JOIN (SELECT key FROM {absent}_row WHERE kind = 'node') o ON o.key = t.key
            WHERE t.kind = 'node' ORDER BY t.key
        """)
        found[change] = [node_dict(row) for row in rows.to_arrow_table().to_pylist()]
    differ = " OR ".join(f"a.{name} IS DISTINCT FROM b.{name}" for name in fields.split(", "))
    pairs = engine.sql(f"""
        SELECT a AS was, b AS now FROM before_row a JOIN after_row b ON b.key = a.key AND b.kind = 'node'
        WHERE a.kind = 'node' AND ({differ}) ORDER BY a.key
    """).to_arrow_table()
    changed = [_changed(node_dict(row["was"]), node_dict(row["now"])) for row in pairs.to_pylist()]
    return found["added"], found["removed"], [one for one in changed if one["before"]]


def _plain_edges(engine: duckdb.DuckDBPyConnection, name: str, graph: LineageGraph) -> None:
    """Makes `<name>_edge`: edges, their reasons without runs and partitions."""
    connections = [source["connection"] for source in graph.header.sources]
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {name}_name AS SELECT ?::VARCHAR[] AS names", [connections])
    engine.execute(f"""
        CREATE OR REPLACE TEMP VIEW {name}_edge AS
        SELECT from_id, to_id, level, edge_kind, clauses, expression,
               list_sort(list_distinct([{_REASON} FOR p IN provenance])) AS reasons
        FROM {name}_row, {name}_name WHERE kind = 'edge'
    """)


def _edges(engine: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[str, str]]]:
    """The ends of those that came, went and changed."""
    ends = "b.from_id = a.from_id AND b.to_id = a.to_id"
    differ = " OR ".join(
        f"a.{name} IS DISTINCT FROM b.{name}"
        for name in ("level", "edge_kind", "clauses", "expression", "reasons")
    )
    queries = {
        "added": f"SELECT a.from_id, a.to_id FROM after_edge a ANTI JOIN before_edge b ON {ends}",
        "removed": f"SELECT a.from_id, a.to_id FROM before_edge a ANTI JOIN after_edge b ON {ends}",
        "changed": f"SELECT a.from_id, a.to_id FROM before_edge a JOIN after_edge b ON {ends} WHERE {differ}",
    }
    return {name: engine.execute(f"{query} ORDER BY ALL").fetchall() for name, query in queries.items()}


def _shown_edges(
    before: LineageGraph, after: LineageGraph, ends: Mapping[str, list[tuple[str, str]]]
) -> tuple[list[Json], list[Json], list[Json]]:
    was, now = before.edges_between(ends["changed"]), after.edges_between(ends["changed"])
    changed = [_changed_edge(one, other) for one, other in zip(was, now, strict=True)]
    return after.edges_between(ends["added"]), before.edges_between(ends["removed"]), changed


def _changed_edge(was: Json, now: Json) -> Json:
    plain = [{**one, "provenance": _reasons(one)} for one in (was, now)]
    return {**now, "before": {name: was[name] for name in was if plain[0][name] != plain[1][name]}}


def _reasons(edge: Json) -> list[tuple[str, ...]]:
    seen = {
        tuple(str(why[name]) for name in sorted(why) if name not in ("partition", "run_id"))
        for why in edge["provenance"]
    }
    return sorted(seen)


def _changed(was: Json, now: Json) -> Json:
    names = sorted({*was, *now})
    return {**now, "before": {name: was.get(name) for name in names if was.get(name) != now.get(name)}}


def _without(graph: LineageGraph, other: LineageGraph) -> list[Json]:
    """The unresolved references of a graph that another does not have."""
    known = {_same(one) for one in other.unresolved()}
    return [one for one in graph.unresolved() if _same(one) not in known]


def _same(entry: Json) -> bytes:
    """What makes two unresolved references the same: neither their partition nor what else is called so."""
    told = {
        name: value
        for name, value in entry.items()
        if name not in ("partition", "candidates", "guessed", "message")
    }
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)


def _fed_by(edges: Iterable[Json]) -> dict[str, set[str]]:
    """What each declaration fed."""
    fed: dict[str, set[str]] = {}
    for edge in edges:
        for why in edge["provenance"]:
            fed.setdefault(why["declaration"], set()).add(edge["to"])
    return fed


def _short(resource: Json) -> Json:
    return {
        **{name: resource[name] for name in ("id", "entity_type", "title")},
        "owners": owners_of(resource),
    }
