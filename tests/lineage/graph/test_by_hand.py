"""Edges that people add: they stay until people remove them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.errors import LineageError
from lineage.graph.by_hand import add_edge, remove_edge
from tests.lineage.world import DAY, Connection, InternalResource, World, ends


def shop(world: World, *tables: str, name: str = "wh", day: str = DAY, **spec) -> Connection:
    owner = Connection(name, **spec)
    for table in tables:
        owner.table(f"d.s.{table}", "id")
    world.run(owner, day)
    return owner


def test_an_edge_by_hand_is_shown_with_its_note(world):
    shop(world, "a", "b")
    add_edge(world.store, world.graph(), "s.a", "d.s.b", "Ada says so")
    (edge,) = world.graph().edges()
    assert (edge["from"], edge["to"]) == ("wh/d.s.a", "wh/d.s.b")
    (why,) = edge["provenance"]
    assert (why["origin"], why["matched_by"], why["location"]) == ("manual", "id", "Ada says so")


def test_runs_do_not_touch_it_and_it_comes_back_with_its_ends(world):
    shop(world, "a", "b")
    add_edge(world.store, world.graph(), "s.a", "s.b")
    shop(world, "a", "b", "c")
    assert ends(world.graph()) == {("wh/d.s.a", "wh/d.s.b")}
    shop(world, "a", "c")
    graph = world.graph()
    assert ends(graph) == set()
    (lost,) = graph.unresolved()
    assert (lost["reason"], lost["counterpart"]) == ("undeclared_internal", "wh/d.s.a")
    assert lost["message"] == "wh/d.s.b is not declared by any connection"
    shop(world, "a", "b")
    assert ends(world.graph()) == {("wh/d.s.a", "wh/d.s.b")}


def test_the_past_is_as_it_was(world):
    shop(world, "a", "b", day="2026-11-18")
    graph = world.graph("2026-11-18")
    assert ends(graph) == set()
    shop(world, "a", "b", day="2026-11-19")
    add_edge(world.store, world.graph("2026-11-19"), "s.a", "s.b")
    shop(world, "a", "b")
    remove_edge(world.store, world.graph(), "s.a", "s.b")
    assert [ends(world.graph(day)) for day in ("2026-11-18", "2026-11-19", DAY)] == [
        set(),
        {("wh/d.s.a", "wh/d.s.b")},
        set(),
    ]


def test_what_is_said_and_added_has_both_reasons_and_loses_one(world):
    owner = Connection("wh")
    for table in ("a", "b"):
        owner.table(f"d.s.{table}")
    owner.link(InternalResource(databuilder_id="d.s.a"), InternalResource(databuilder_id="d.s.b"))
    world.run(owner)
    add_edge(world.store, world.graph(), "s.a", "s.b")
    origins = {why["origin"] for edge in world.graph().edges() for why in edge["provenance"]}
    assert origins == {"declared", "manual"}
    remove_edge(world.store, world.graph(), "s.a", "s.b")
    assert [why["origin"] for edge in world.graph().edges() for why in edge["provenance"]] == ["declared"]
    with pytest.raises(
        LineageError, match=r"no edge from wh/d\.s\.a to wh/d\.s\.b was added by hand"
    ) as error:
        remove_edge(world.store, world.graph(), "s.a", "s.b")
    assert error.value.hint == "it is given by wh; it goes when that no longer says so"


def test_added_twice_is_there_once(world):
    shop(world, "a", "b")
    for note in (None, "again"):
        add_edge(world.store, world.graph(), "s.a", "s.b", note)
    (edge,) = world.graph().edges()
    assert [why["location"] for why in edge["provenance"]] == ["again"]


def test_columns_can_be_linked_by_hand(world):
    shop(world, "a", "b")
    add_edge(world.store, world.graph(), "d.s.a.id", "d.s.b.id")
    assert ends(world.graph()) == {("wh/d.s.a.id", "wh/d.s.b.id"), ("wh/d.s.a", "wh/d.s.b")}


def test_a_renamed_connection_takes_it_along(world):
    shop(world, "a", "b")
    add_edge(world.store, world.graph(), "s.a", "s.b")
    del world.specs["wh"]
    shop(world, "a", "b", name="lake", renamed_from="wh")
    assert ends(world.graph()) == {("lake/d.s.a", "lake/d.s.b")}


def test_an_edge_to_itself_is_refused(world):
    shop(world, "a")
    with pytest.raises(LineageError, match="to itself"):
        add_edge(world.store, world.graph(), "s.a", "s.a")


def test_a_connection_may_keep_its_lineage_to_itself(world):
    owner = Connection("wh")
    owner.table("d.s.a")
    owner.table("d.s.b")
    owner.link(InternalResource(databuilder_id="d.s.a"), InternalResource(databuilder_id="gone"))
    owner.link(InternalResource(databuilder_id="d.s.a"), InternalResource(databuilder_id="d.s.b"))
    owner.statement("insert into d.s.b select * from d.s.a")
    world.run(owner)
    world.specs["wh"] = replace(world.specs["wh"], emit_lineage=False)
    graph = world.graph()
    assert (len(graph.resources()), graph.edges(), graph.unresolved()) == (2, [], [])
