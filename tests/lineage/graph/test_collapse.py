"""Intermediate resources left out: what is linked past them, at the level of tables and at that of columns."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from connectors import Resource
from lineage.graph.collapse import CollapsedGraph, collapsed
from lineage.graph.impact import impact_of
from lineage.graph.topology import Topology
from tests.lineage.world import Connection, ExternalColumn, ExternalTable, ends

SHOP = {"database": "d", "schema": "s"}


def pipeline(world, *names: str, sql: tuple[str, ...] = ()):
    """Tables of two columns each, in one connection, and statements over them."""
    owner = Connection("wh", "duckdb", defaults=SHOP)
    for name in names:
        owner.table(f"d.s.{name}", "x", "y")
    for text in sql:
        owner.statement(text)
    world.run(owner)
    return world.graph()


def two_steps(world):
    return pipeline(
        *(world, "a", "tmp_1", "tmp_2", "b"),
        sql=(
            "insert into tmp_1 (x) select x from a where y > 0",
            "insert into tmp_2 (x) select x from tmp_1",
            "insert into b (x) select x + 1 from tmp_2",
        ),
    )


def test_what_feeds_it_is_linked_with_what_it_feeds_through_several(world):
    graph = collapsed(two_steps(world), ["wh/*.tmp_*"])
    assert graph.upstream("b").distances == {"wh/d.s.b": 0, "wh/d.s.a": 1}
    (edge,) = graph.upstream("b").edges
    assert (edge["from"], edge["to"], edge["level"], edge["kind"]) == (
        *("wh/d.s.a", "wh/d.s.b", "resource", "direct"),
    )
    assert edge["via"] == ["wh/d.s.tmp_1", "wh/d.s.tmp_2"]
    assert len(edge["provenance"]) == 3
    assert graph.path("a", "b") == [edge]


def test_columns_are_linked_and_an_edge_is_indirect_when_a_hop_is(world):
    owner = Connection("wh", "duckdb", defaults=SHOP)
    for name in ("a", "tmp"):
        owner.table(f"d.s.{name}", "x", "y")
    owner.statement("insert into tmp (x, y) select x, y from a")
    owner.query("select sum(x) from tmp where y > 0", owner.chart("chart"))
    world.run(owner)
    found = {edge["from"]: edge for edge in collapsed(world.graph(), ["*.tm?"]).edges()}
    assert found.keys() == {"wh/d.s.a", "wh/d.s.a.x", "wh/d.s.a.y"}
    assert (found["wh/d.s.a.x"]["kind"], found["wh/d.s.a.x"]["via"]) == ("direct", ["wh/d.s.tmp.x"])
    assert (found["wh/d.s.a.y"]["kind"], found["wh/d.s.a.y"]["clauses"]) == ("indirect", ["where"])
    assert {edge["level"] for edge in found.values()} == {"resource", "column"}


def test_a_whole_answer_has_neither_the_resource_nor_its_columns(world):
    graph = two_steps(world)
    whole = collapsed(graph, ["*.tmp_*"]).to_dict()
    assert {one["id"] for one in whole["resources"]} == {
        *("wh/d.s.a", "wh/d.s.a.x", "wh/d.s.a.y", "wh/d.s.b", "wh/d.s.b.x", "wh/d.s.b.y"),
    }
    assert {(edge["from"], edge["to"]) for edge in whole["edges"]} == {
        *(("wh/d.s.a", "wh/d.s.b"), ("wh/d.s.a.x", "wh/d.s.b.x")),
    }
    assert len(graph.to_dict()["resources"]) == 12


def test_an_edge_that_also_leads_past_says_what_it_leads_past(world):
    graph = pipeline(
        *(world, "a", "tmp", "b"),
        sql=(
            "insert into b (x) select a.y from a",
            "insert into tmp (x) select x from a",
            "insert into b (y) select x from tmp",
        ),
    )
    (edge,) = collapsed(graph, ["*.tmp"]).upstream("b").edges
    assert (edge["via"], len(edge["provenance"])) == (["wh/d.s.tmp"], 3)
    assert set(edge) - set(graph.path("a", "b")[0]) == {"via"}


def test_what_is_asked_for_stays(world):
    graph = two_steps(world)
    kept = collapsed(graph, ["*.tmp_*"], keep=["tmp_2"])
    assert kept.upstream("tmp_2").distances == {"wh/d.s.tmp_2": 0, "wh/d.s.a": 1}
    assert collapsed(graph, ["*.tmp_1"], keep=["tmp_1.x"]) is graph


def test_what_a_connector_marks_is_left_out_and_a_likely_name_is_not(world):
    owner = Connection("wh")
    marks = {
        "t1": {"native_type": "LOCAL TEMPORARY"},
        "t2": {"native_type": "temp_table"},
        "t3": {"properties": {"temporary": "true"}},
        "t4": {"native_type": "template"},
        "t5": {"description": "temporary", "properties": {"temporary": "false"}},
    }
    for key, marked in marks.items():
        owner.writer.resource(
            Resource(entity_type="table", databuilder_id=key, title=key, database="d", schema="s", **marked)
        )
    world.run(owner)
    graph = world.graph()
    assert {one["id"] for one in collapsed(graph).resources()} == {"wh/t4", "wh/t5"}
    assert collapsed(graph, marked=False) is graph
    assert collapsed(graph, ["wh/t[45]", "no match"], marked=False).resources(["wh/t4"])


def test_circles_of_intermediate_resources_end(world):
    graph = pipeline(
        *(world, "a", "tmp_1", "tmp_2", "b"),
        sql=(
            "insert into tmp_1 (x) select x from a",
            "insert into tmp_1 (x) select x from tmp_2",
            "insert into tmp_2 (x) select x from tmp_1",
            "insert into b (x) select x from tmp_2",
            "insert into a (y) select x from tmp_2",
        ),
    )
    found = collapsed(graph, ["*.tmp_*"])
    assert ends(found) == {
        *(("wh/d.s.a", "wh/d.s.b"), ("wh/d.s.a.x", "wh/d.s.b.x"), ("wh/d.s.a.x", "wh/d.s.a.y")),
    }


def test_a_way_passes_whole_tables_to_columns_and_back(world):
    """a -> tmp as wholes, tmp.x -> b.y by columns, b -> tmp_b as wholes, tmp_b -> chart."""
    owner = Connection("wh")
    for name in ("a", "tmp", "b", "tmp_b"):
        owner.table(f"d.s.{name}", "x", "y")
    owner.link(ExternalTable(table="a"), ExternalTable(table="tmp"))
    owner.link(ExternalColumn(table="tmp", column="x"), ExternalColumn(table="b", column="y"))
    owner.link(ExternalTable(table="b"), ExternalTable(table="tmp_b"))
    owner.link(ExternalColumn(table="tmp_b", column="x"), owner.chart("chart"))
    world.run(owner)
    graph = world.graph()
    for start, columns in (("wh/chart", True), ("wh/d.s.b.y", False), ("wh/d.s.b.x", False)):
        seen = {one for one in graph.upstream(start, columns=columns).distances if ".tmp" not in one}
        assert set(collapsed(graph, ["*.tmp*"]).upstream(start, columns=columns).distances) == seen
    for start in ("wh/d.s.a.x", "wh/d.s.b.y"):
        seen = {one for one in graph.downstream(start).distances if ".tmp" not in one}
        assert set(collapsed(graph, ["*.tmp*"]).downstream(start).distances) == seen


def test_too_many_links_leave_the_busiest_open_and_say_so(world):
    owner = Connection("wh")
    many = range(8)
    for name in ("hub", "tmp_small", *(f"in_{n}" for n in many), *(f"out_{n}" for n in many)):
        owner.table(f"d.s.{name}")
    for n in many:
        owner.link(ExternalTable(table=f"in_{n}"), ExternalTable(table="hub"))
        owner.link(ExternalTable(table="hub"), ExternalTable(table=f"out_{n}"))
    owner.link(ExternalTable(table="out_0"), ExternalTable(table="tmp_small"))
    owner.link(ExternalTable(table="tmp_small"), ExternalTable(table="in_1"))
    world.run(owner)
    graph = world.graph()
    found = collapsed(graph, ["*.hub", "*.tmp_*"], most=20)
    assert isinstance(found, CollapsedGraph)
    assert found.left_open == ["wh/d.s.hub"]
    assert found.upstream("in_1", 1).distances == {"wh/d.s.in_1": 0, "wh/d.s.out_0": 1}
    enough = collapsed(graph, ["*.hub", "*.tmp_*"])
    assert isinstance(enough, CollapsedGraph)
    assert enough.left_open == []
    assert len(enough.edges()) == 8 * 8 + 1


def test_impact_counts_hops_between_what_is_left(world):
    graph = collapsed(two_steps(world), ["*.tmp_*"])
    assert [(one["id"], one["distance"]) for one in impact_of(graph, ["a"]).affected] == [("wh/d.s.b", 1)]


def reached_columns(topology: Topology, start: int, way: str) -> set[int]:
    """The columns, and what has none, that a search at the level of columns comes to: for reading, not for speed."""
    edges = topology.detailed
    links = list(zip(edges.start.tolist(), edges.end.tolist(), edges.whole.tolist(), strict=True))
    if way == "upstream":
        links = [(end, begin, whole) for begin, end, whole in links]
    todo, seen = [start], {start}
    while todo:
        at = todo.pop()
        table = int(topology.table_of[at])
        met = [(end, whole) for begin, end, whole in links if begin == at or (begin == table and whole)]
        for end, whole in met:
            inside = topology.columns.of(np.array([end], np.int32)).tolist() if whole else []
            fresh = {end, *inside} - seen
            todo += fresh
            seen |= fresh
    return {one for one in seen if not len(topology.columns.of(np.array([one], np.int32)))}


@pytest.mark.parametrize("seed", range(12))
def test_what_is_reached_is_what_was_reached_without_the_intermediate(world, seed):
    """The law: leaving nodes out of the arrays is leaving them out of the answers, at both levels."""
    chance = random.Random(seed)
    owner = Connection("wh")
    tables = [f"{'tmp_' if n % 2 else 't_'}{n}" for n in range(8)]
    for name in tables:
        owner.table(f"d.s.{name}", "x", "y")
    for start, end in itertools.combinations(chance.sample(tables, len(tables)), 2):
        if chance.random() < 0.12:
            owner.link(ExternalTable(table=start), ExternalTable(table=end))
        elif chance.random() < 0.4:
            owner.link(*(ExternalColumn(table=one, column=chance.choice("xy")) for one in (start, end)))
    owner.link(ExternalTable(table="tmp_1"), owner.chart("c"))
    world.run(owner)
    graph = world.graph()
    less = collapsed(graph, ["*.tmp_*"])
    visible = np.flatnonzero(less.shown).tolist()
    for node, way in itertools.product(visible, ("upstream", "downstream")):
        whole = reached_columns(graph.topology, node, way)
        assert reached_columns(less.topology, node, way) == whole & set(visible)
    for node, way in itertools.product(less.ids_of(np.array(visible, np.int32)), ("upstream", "downstream")):
        if "." not in node[len("wh/d.s.") :]:
            found = set(getattr(graph, way)(node).distances)
            assert set(getattr(less, way)(node).distances) == {one for one in found if "tmp_" not in one}
    assert all(edge["provenance"] and edge["via"] for edge in less.edges() if "via" in edge)
