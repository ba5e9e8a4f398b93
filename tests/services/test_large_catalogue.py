"""Two hundred thousand resources, and as many declarations, against the matching rule written once more.

The catalogue holds other cases, namesakes, twins, absent tables, columns and charts: see bench/catalogue.py.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bench.catalogue import write_catalogue
from bench.measure import HEADWATER, run_command, succeed
from lineage import LineageGraph, open_store
from tests.lineage.naive import Reference, Table, resolve

COUNT = 200_000
INSTANCE = {"warehouse": "prod", "bi": "bi"}
DEFAULTS: dict[str, dict[str, str]] = {"warehouse": {}, "bi": {"database": "shop", "schema": "sales"}}
INTERNAL, TABLE, COLUMN = "internal_resource", "external_table", "external_column"


class Found(NamedTuple):
    """What one end of a declaration is: a resource, matched somehow; or None, with the reason and the candidates."""

    id: str | None
    how: str | None
    reason: str | None = None
    candidates: tuple[str, ...] | None = None


class Catalogue:
    """The files read again, and each end looked up in them the naive way, among the tables of its name."""

    def __init__(self, folder: Path) -> None:
        self.ids: dict[str, str] = {}
        self.parents: dict[str, str] = {}
        self.named: dict[str, list[Table]] = defaultdict(list)
        self.columns: dict[str, dict[str, str]] = defaultdict(dict)
        self.declarations: dict[str, tuple[str, Any, Any]] = {}
        for connection in INSTANCE:
            for line in lines(folder / f"{connection}-resources.jsonl"):
                self._take(connection, line)
            for line in lines(folder / f"{connection}-lineage.jsonl"):
                ends = (line["from_identifier"], line["to_identifier"])
                self.declarations[connection + json.dumps(ends, sort_keys=True)] = (connection, *ends)
        self.table = cache(self._table)

    def _take(self, connection: str, line: dict[str, Any]) -> None:
        id = f"{connection}/{line['databuilder_id']}"
        self.ids[id] = line["entity_type"]
        if parent := line.get("parent_databuilder_id"):
            self.parents[id] = f"{connection}/{parent}"
        if line["entity_type"] in ("table", "view"):
            place = (line["database"], line["schema"], line["title"])
            self.named[line["title"].lower()].append(Table(id, connection, INSTANCE[connection], *place))
        elif line["entity_type"] == "column":
            self.columns[f"{connection}/{line['parent_databuilder_id']}"][line["title"]] = id

    def find(self, connection: str, end: dict[str, Any]) -> Found:
        if end["type"] == INTERNAL:
            id = f"{connection}/{end['databuilder_id']}"
            return Found(id, "id") if id in self.ids else Found(None, None, "undeclared_internal", ())
        parts = (end.get("cluster"), end.get("database"), end.get("schema"), end["table"])
        found = self.table(Reference(connection, *parts))
        if end["type"] == TABLE or found.id is None:
            return found
        columns = self.columns[found.id]
        if end["column"] in columns:
            return Found(columns[end["column"]], found.how)
        fit = sorted(id for title, id in columns.items() if title.lower() == end["column"].lower())
        if len(fit) == 1:
            return Found(fit[0], "casefold" if found.how == "exact" else found.how)
        return (
            Found(None, None, "ambiguous", tuple(fit)) if fit else Found(None, None, "not_found", (found.id,))
        )

    def _table(self, reference: Reference) -> Found:
        id, how = resolve(
            reference, self.named.get(reference.title.lower(), []), DEFAULTS[reference.connection]
        )
        if id is not None:
            return Found(id, how)
        if how:
            return Found(None, None, "ambiguous", tuple(how[:20]))
        return Found(None, None, "not_found")

    def expect(self) -> tuple[dict[tuple[str, str], tuple[str, set[tuple[str, str]]]], Counter[Any]]:
        """Edges by their ends, each with its level and (connection, matched by); and what is unresolved, counted."""
        edges: dict[tuple[str, str], tuple[str, set[tuple[str, str]]]] = {}
        unresolved: Counter[Any] = Counter()
        for connection, start, end in self.declarations.values():
            if INTERNAL not in (start["type"], end["type"]) and start["type"] != end["type"]:
                unresolved[connection, "from", name_of(end), plain(start), "unsupported_pair", ()] += 1
                continue
            ends = [self.find(connection, one) for one in (start, end)]
            for side, mine, other, found in (
                ("from", start, ends[1], ends[0]),
                ("to", end, ends[0], ends[1]),
            ):
                if found.id is None:
                    counterpart = other.id or name_of(end if side == "from" else start)
                    unresolved[
                        connection, side, counterpart, plain(mine), found.reason, found.candidates
                    ] += 1
            if ends[0].id and ends[1].id:
                external = start if start["type"] != INTERNAL else end
                how = ends[external is end].how if external["type"] != INTERNAL else "id"
                self._join(edges, ends[0].id, ends[1].id, (connection, str(how)))
        for child, parent in self.parents.items():
            if parent not in self.ids:
                connection, _, key = parent.partition("/")
                reference = plain({"type": INTERNAL, "databuilder_id": key})
                unresolved[connection, "from", child, reference, "undeclared_internal", ()] += 1
        return edges, unresolved

    def _join(self, edges: dict[Any, Any], start: str, end: str, why: tuple[str, str]) -> None:
        """A column's edge comes with the one between the tables; a column and its own table are no edge."""
        whole = [self.parents[id] if self.ids[id] == "column" else id for id in (start, end)]
        if start != end and [start, end] != [whole[0], whole[0]] and end != whole[0]:
            level = "resource" if [start, end] == whole else "column"
            edges.setdefault((start, end), (level, set()))[1].add(why)
        if [start, end] != whole and whole[0] != whole[1]:
            edges.setdefault((whole[0], whole[1]), ("resource", set()))[1].add(why)


def lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def plain(reference: dict[str, Any]) -> str:
    return json.dumps(reference, sort_keys=True)


def name_of(end: dict[str, Any]) -> str:
    if end["type"] == INTERNAL:
        return str(end["databuilder_id"])
    return ".".join(end[p] for p in ("cluster", "database", "schema", "table", "column") if p in end)


def entry(unresolved: dict[str, Any]) -> tuple[Any, ...]:
    """An unresolved reference as the model counts it; guesses are no candidates."""
    guessed = unresolved["guessed"] or (unresolved["reason"] == "not_found" and not unresolved["candidates"])
    candidates = None if guessed else tuple(unresolved["candidates"])
    names = (unresolved["connection"], unresolved["side"], unresolved["counterpart"])
    return (*names, plain(unresolved["reference"]), unresolved["reason"], candidates)


@pytest.fixture(scope="module")
def synced(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    write_catalogue(folder, COUNT)
    return folder, succeed(run_command((*HEADWATER, "sync"), folder))


@pytest.fixture(scope="module")
def graph(synced) -> LineageGraph:
    return open_store(synced[0] / ".headwater").graph()


@pytest.fixture(scope="module")
def catalogue(synced) -> Catalogue:
    return Catalogue(synced[0])


@pytest.fixture(scope="module")
def expected(catalogue):
    return catalogue.expect()


def test_it_takes_at_most_a_minute_and_two_gibibytes(synced):
    assert synced[1].seconds <= 60
    assert synced[1].peak_bytes <= 2 * 2**30


def test_every_resource_is_a_node(graph, catalogue):
    assert graph.nodes.num_rows == len(catalogue.ids) == COUNT
    assert set(graph.nodes["key"].to_pylist()) == set(catalogue.ids)


def test_every_edge_is_the_models(graph, expected):
    found = {
        (edge["from"], edge["to"]): (
            edge["level"],
            {(why["connection"], why["matched_by"]) for why in edge["provenance"]},
        )
        for edge in graph.edges()
    }
    wanted = expected[0]
    assert found.keys() - wanted.keys() == set()
    assert wanted.keys() - found.keys() == set()
    assert {ends: (found[ends], wanted[ends]) for ends in found if found[ends] != wanted[ends]} == {}
    assert {how for _, whys in wanted.values() for _, how in whys} == {"id", "exact", "casefold", "defaults"}


def test_every_unresolved_reference_has_the_models_reason(graph, expected):
    found = Counter(map(entry, graph.unresolved()))
    wanted = expected[1]
    assert list((found - wanted).items())[:5] == []
    assert list((wanted - found).items())[:5] == []
    reasons = {"not_found", "ambiguous", "undeclared_internal", "unsupported_pair"}
    assert {one[4] for one in wanted} == reasons
