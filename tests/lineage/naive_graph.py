"""What is stored and what comes of it once more, written for reading and not for speed: what histories are judged
against.

It knows declared references (internal, external table, external column), edges by hand, owners and describers, columns
of both, partitions, partial runs, windows and renames; it knows no SQL.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from tests.lineage.naive import Reference, Table, resolve

MANUAL = "by hand"
INTERNAL, TABLE, COLUMN = "internal_resource", "external_table", "external_column"


class Ref(NamedTuple):
    """How a declaration names one end. A part that is None is open."""

    type: str
    key: str | None = None
    cluster: str | None = None
    database: str | None = None
    schema: str | None = None
    table: str | None = None
    column: str | None = None

    def json(self) -> dict[str, str]:
        given = {name: value for name, value in self._asdict().items() if value is not None}
        if "key" in given:
            given["databuilder_id"] = given.pop("key")
        return given

    def __str__(self) -> str:
        parts = (self.cluster, self.database, self.schema, self.table, self.column)
        return self.key or ".".join(part for part in parts if part)


class Thing(NamedTuple):
    """A resource as a connection declares it."""

    key: str
    type: str
    title: str
    database: str | None = None
    schema: str | None = None
    parent: str | None = None
    description: str | None = None
    same_as: Ref | None = None


class Link(NamedTuple):
    """Lineage as a connection declares it."""

    start: Ref
    end: Ref
    kind: str = "direct"
    clauses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What one run says: things by their keys, and links."""

    things: dict[str, Thing] = field(default_factory=dict)
    links: frozenset[Link] = frozenset()

    def over(self, older: Facts | None) -> Facts:
        """These laid over older ones."""
        return Facts(older.things | self.things, older.links | self.links) if older else self


@dataclass(frozen=True)
class Spec:
    """What the project's file says of a connection."""

    name: str
    instance: str
    defaults: dict[str, str] = field(default_factory=dict)
    renamed_from: str | None = None
    windowed: bool = False
    lookback_days: int = 30


@dataclass
class Day:
    """What is stored of one connection's partition: what its last complete run said, and partial runs since."""

    complete: Facts | None = None
    partial: Facts | None = None


class Node(NamedTuple):
    """A node as the graph shows it."""

    type: str
    title: str
    database: str | None
    schema: str | None
    description: str | None
    parent: str | None
    aliases: tuple[str, ...]


class Graph(NamedTuple):
    """Nodes by their ids; edges (level, kind, clauses, reasons) by their ends, each reason being origin, connection,
    partition and how it matched; and what is unresolved.
    """

    nodes: dict[str, Node]
    edges: dict[tuple[str, str], tuple[Any, ...]]
    unresolved: set[tuple[Any, ...]]


class NaiveStore:
    """What runs and people have said."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Day]] = {}
        self.by_hand: dict[str, set[tuple[str, str]]] = {}

    # -- what happens

    def sync(
        self, spec: Spec, day: str, said: Facts, *, complete: bool, keep_missing: bool, max_drop: float | None
    ) -> None:
        """A run has ended, and did not fail: a failed one changes nothing."""
        before = self.newest_complete(spec, day)
        if complete and before and max_drop is not None:
            had, has = len(before[2].things), len(said.things)
            complete = had - has <= had * max_drop
        stands = self.stored.setdefault(spec.name, {}).setdefault(day, Day())
        if not complete:
            stands.partial = said.over(stands.partial)
        else:
            stands.complete = said.over(before[2]) if keep_missing and before else said
            stands.partial = None

    def forget(self, name: str) -> None:
        self.stored.pop(name, None)

    def newest_complete(self, spec: Spec, day: str) -> tuple[str, str, Facts] | None:
        """The last complete state at or before a day: under which name, of which day."""
        found = [one for one in self._history(spec, day) if one[3]]
        return found[-1][:3] if found else None

    def edit(self, day: str, edge: tuple[str, str], *, there: bool) -> None:
        edges = self.edges_by_hand(day)
        self.by_hand[day] = edges | {edge} if there else edges - {edge}

    def edges_by_hand(self, day: str) -> set[tuple[str, str]]:
        days = [one for one in self.by_hand if one <= day]
        return set(self.by_hand[max(days)]) if days else set()

    def last_edit(self) -> str:
        return max(self.by_hand, default="")

    # -- what stands

    def _history(self, spec: Spec, day: str) -> list[tuple[str, str, Facts, bool]]:
        """All that is stored until a day, oldest first, with its name and day, and whether it is complete."""
        names = [name for name in (spec.renamed_from, spec.name) if name]
        found = []
        for key in sorted({key for name in names for key in self.stored.get(name, {}) if key <= day}):
            for name in names:
                stands = self.stored.get(name, {}).get(key, Day())
                for facts, complete in ((stands.complete, True), (stands.partial, False)):
                    if facts is not None:
                        found.append((name, key, facts, complete))
        return found

    def sources(self, spec: Spec, day: str) -> list[tuple[str, Facts]]:
        """What takes part in the graph of a day, in the order of laying."""
        history = self._history(spec, day)
        if spec.windowed:
            today = date.fromisoformat(day)
            history = [
                one for one in history if (today - date.fromisoformat(one[1])).days <= spec.lookback_days
            ]
        else:
            while any(complete for *_, complete in history[1:]):
                del history[0]
        return [(key, facts) for _, key, facts, _ in history]

    def graph(self, specs: list[Spec], day: str) -> Graph:
        return _Builder(self, specs, day).graph()


class _Found(NamedTuple):
    """What an end is: a node, matched somehow; or None, with the reason, and the candidates where they are certain."""

    id: str | None
    how: str | None = None
    reason: str | None = None
    candidates: tuple[str, ...] | None = ()


class _Builder:
    """Builds one graph."""

    def __init__(self, store: NaiveStore, specs: list[Spec], day: str) -> None:
        self.specs = {spec.name: spec for spec in specs}
        self.things: dict[str, Thing] = {}
        self.said_by: dict[str, tuple[str, str]] = {}  # by id: connection and partition
        self.links: list[tuple[str, str, Link]] = []
        for spec in specs:
            for partition, facts in store.sources(spec, day):
                for key, thing in facts.things.items():
                    self.things[f"{spec.name}/{key}"] = thing
                    self.said_by[f"{spec.name}/{key}"] = spec.name, partition
                self.links += [(spec.name, partition, link) for link in facts.links]
        self.by_hand = store.edges_by_hand(day)
        self.by_hand_since = max((one for one in store.by_hand if one <= day), default="")
        self.unresolved: set[tuple[Any, ...]] = set()
        self.edges: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
        self.alias: dict[str, str] = {}

    def graph(self) -> Graph:
        self._join_describers()
        self._join_columns()
        self._report_orphans()
        for connection, partition, link in self.links:
            self._declared(connection, partition, link)
        self._added()
        edges = {}
        for ends, reasons in sorted(self.edges.items()):
            level = "column" if any(self.things[end].type == "column" for end in ends) else "resource"
            kind = "direct" if any(kind == "direct" for kind, *_ in reasons) else "indirect"
            clauses = tuple(sorted({clause for _, clauses, _ in reasons for clause in clauses}))
            edges[ends] = (level, kind, clauses, frozenset(why for *_, why in reasons))
        return Graph(self._nodes(), edges, self.unresolved)

    # -- nodes

    def _parent(self, id: str) -> str | None:
        """The id of the parent, if it is there."""
        thing = self.things[id]
        parent = f"{self.said_by[id][0]}/{thing.parent}"
        return parent if thing.parent is not None and parent in self.things else None

    def _placed(self, id: str) -> Table:
        thing, connection = self.things[id], self.said_by[id][0]
        place = (thing.database, thing.schema, thing.title)
        return Table(id, connection, self.specs[connection].instance, *place)

    def _match(self, connection: str, ref: Ref, tables: list[str]) -> tuple[str | None, Any]:
        wanted = Reference(connection, ref.cluster, ref.database, ref.schema, str(ref.table))
        return resolve(wanted, [self._placed(id) for id in tables], self.specs[connection].defaults)

    def _join_describers(self) -> None:
        """A describer is its owner's alias, or that of a describer that has found one."""
        tables = [id for id, thing in self.things.items() if thing.type == "table"]
        asked = {id: same for id in tables if (same := self.things[id].same_as)}
        self.owners = offered = [id for id in tables if id not in asked]
        several: dict[str, tuple[str, ...]] = {}
        lost = dict(asked)
        while offered:
            found = {}
            for id, same in list(lost.items()):
                one, others = self._match(self.said_by[id][0], same, offered)
                if one is not None:
                    found[id] = one
                elif others:
                    several[id] = tuple(others[:20])
                if one is not None or others:
                    del lost[id]
            for id, one in found.items():
                self.alias[id] = self.alias.get(one, one)
            offered = list(found)
        for id in asked.keys() - self.alias.keys():
            reason = "ambiguous" if id in several else "not_found"
            self._missed(self.said_by[id], "to", id, asked[id], _Found(None, None, reason, several.get(id)))

    def _join_columns(self) -> None:
        """A describer's columns are those of the owner that are called so; the rest hang from the owner."""
        parents = {id: self._parent(id) for id, thing in self.things.items() if thing.type == "column"}
        for id, parent in parents.items():
            if parent not in self.alias:
                continue
            own = [one for one, holder in parents.items() if holder == self.alias[parent]]
            title = self.things[id].title
            exact = [one for one in own if self.things[one].title == title]
            folded = [one for one in own if self.things[one].title.lower() == title.lower()]
            if len(exact or folded) == 1:
                self.alias[id] = (exact or folded)[0]
        self.fields: dict[str, list[str]] = {}
        for id, parent in parents.items():
            if parent is not None and id not in self.alias:
                self.fields.setdefault(self.alias.get(parent, parent), []).append(id)

    def _nodes(self) -> dict[str, Node]:
        nodes = {}
        for id, thing in self.things.items():
            if id in self.alias:
                continue
            parent = self._parent(id)
            aliases = tuple(sorted(one for one, node in self.alias.items() if node == id))
            place = (thing.type, thing.title, thing.database, thing.schema, thing.description)
            nodes[id] = Node(*place, parent and self.alias.get(parent, parent), aliases)
        return nodes

    def _report_orphans(self) -> None:
        for id, thing in self.things.items():
            if thing.parent is not None and self._parent(id) is None:
                missing = _Found(None, None, "undeclared_internal")
                self._missed(self.said_by[id], "from", id, Ref(INTERNAL, thing.parent), missing)

    # -- edges

    def _find(self, connection: str, ref: Ref) -> _Found:
        if ref.type == INTERNAL:
            return self._by_id(f"{connection}/{ref.key}")
        table, how = self._match(connection, ref, self.owners)
        if table is None:
            if how:
                return _Found(None, None, "ambiguous", tuple(how[:20]))
            return _Found(None, None, "not_found", None)
        if ref.type == TABLE:
            return _Found(table, how)
        name, fields = str(ref.column), self.fields.get(table, [])
        exact = [one for one in fields if self.things[one].title == name]
        folded = [one for one in fields if self.things[one].title.lower() == name.lower()]
        fit = exact or folded
        if len(fit) == 1:
            return _Found(fit[0], "casefold" if how == "exact" and not exact else how)
        if fit:
            return _Found(None, None, "ambiguous", tuple(sorted(fit)[:20]))
        return _Found(None, None, "not_found", (table,))

    def _by_id(self, id: str) -> _Found:
        if id not in self.things:
            return _Found(None, None, "undeclared_internal")
        return _Found(self.alias.get(id, id), "same_as" if id in self.alias else "id")

    def _declared(self, connection: str, partition: str, link: Link) -> None:
        ends = (link.start, link.end)
        types = {end.type for end in ends}
        if len(types) == 2 and INTERNAL not in types:
            meaningless = _Found(None, None, "unsupported_pair")
            self._missed((connection, partition), "from", str(link.end), link.start, meaningless)
            return
        found = [self._find(connection, end) for end in ends]
        for side, mine, other in (("from", 0, 1), ("to", 1, 0)):
            if found[mine].id is None:
                counterpart = found[other].id or str(ends[other])
                self._missed((connection, partition), side, counterpart, ends[mine], found[mine])
        hows = [one.how for end, one in zip(ends, found, strict=True) if end.type != INTERNAL]
        if not hows:
            hows = ["same_as" if "same_as" in (found[0].how, found[1].how) else "id"]
        self._edge(found, link.kind, link.clauses, ("declared", connection, partition, hows[0]))

    def _added(self) -> None:
        """What people have added names ids; of a connection that was renamed, perhaps by its old name."""
        renamed = {s.renamed_from: s.name for s in self.specs.values() if s.renamed_from}
        for ends in self.by_hand:
            found = []
            for end in ends:
                connection, _, key = end.partition("/")
                if connection not in self.specs:
                    connection = renamed.get(connection, connection)
                found.append(self._by_id(f"{connection}/{key}"))
            said = (MANUAL, self.by_hand_since)
            for side, mine, other in (("from", 0, 1), ("to", 1, 0)):
                if found[mine].id is None:
                    counterpart = found[other].id or ends[other]
                    self._missed(said, side, counterpart, Ref(INTERNAL, ends[mine]), found[mine])
            how = "same_as" if "same_as" in (found[0].how, found[1].how) else "id"
            self._edge(found, "direct", (), ("manual", *said, how))

    def _edge(self, found: list[_Found], kind: str, clauses: tuple[str, ...], why: tuple[str, ...]) -> None:
        """A column's edge comes with the one between the tables; a column and its own table are no edge."""
        start, end = (one.id for one in found)
        if start is None or end is None:
            return
        of_column = [self.things[id].type == "column" for id in (start, end)]
        whole = [self._table_of(id) for id in (start, end)]
        if start != end and whole[0] != end:
            self.edges.setdefault((start, end), []).append((kind, clauses, why))
        if any(of_column) and None not in whole and whole[0] != whole[1]:
            self.edges.setdefault((str(whole[0]), str(whole[1])), []).append((kind, (), why))

    def _table_of(self, id: str) -> str | None:
        if self.things[id].type != "column":
            return id
        parent = self._parent(id)
        return parent and self.alias.get(parent, parent)

    def _missed(self, said: tuple[str, str], side: str, counterpart: str, ref: Ref, found: _Found) -> None:
        """Guesses are not foretold: a reference that found nothing at all has no certain candidates."""
        reference = json.dumps(ref.json(), sort_keys=True)
        self.unresolved.add((*said, side, counterpart, reference, found.reason, found.candidates or None))


def as_the_model_says(graph: dict[str, Any]) -> Graph:
    """A graph's JSON in the model's form. Runs are left out, and declarations that say the same are one."""
    nodes = {}
    for one in graph["resources"]:
        assert set(one.get("facets", {})) == set(one["aliases"])
        names = ("entity_type", "title", "database", "schema")
        place = [one[name] for name in names]
        nodes[one["id"]] = Node(*place, one.get("description"), one["parent_id"], tuple(one["aliases"]))
    edges = {}
    for one in graph["edges"]:
        reasons = frozenset(
            (why["origin"], why["connection"], why["partition"], why["matched_by"])
            for why in one["provenance"]
        )
        edges[one["from"], one["to"]] = (one["level"], one["kind"], tuple(one["clauses"]), reasons)
    unresolved = set()
    for one in graph["unresolved"]:
        certain = () if one["guessed"] else tuple(one["candidates"])
        names = ("connection", "partition", "side", "counterpart")
        reference = json.dumps(one["reference"], sort_keys=True)
        unresolved.add((*(one[name] for name in names), reference, one["reason"], certain or None))
    assert len(nodes) == len(graph["resources"])
    assert len(edges) == len(graph["edges"])
    return Graph(nodes, edges, unresolved)
