"""Where data enters and leaves a graph, what stands alone, and what feeds itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import Resource
from lineage.graph.excerpt import MOST, excerpt_of
from lineage.graph.shape import cycles, leaves, orphans, roots
from tests.lineage.world import Connection, ExternalColumn, ExternalTable, InternalResource, World


def linked(world: World, *links: str, tables: str = "abcdef"):
    """Tables with a column each, and links such as `ab`: from a to b."""
    owner = Connection("w")
    for name in tables:
        owner.table(f"d.s.{name}", "x")
    for start, end in links:
        owner.link(ExternalTable(table=start), ExternalTable(table=end))
    world.run(owner)
    return world.graph()


def names(ids):
    return "".join(one.removeprefix("w/d.s.") for one in ids)


def test_roots_feed_and_leaves_are_fed_and_orphans_neither(world):
    graph = linked(world, "ab", "bc", "dc")
    assert names(roots(graph)) == "ad"
    assert names(leaves(graph)) == "c"
    assert names(orphans(graph)) == "ef"
    assert cycles(graph) == []


def test_a_column_without_a_table_stands_for_itself(world):
    owner = Connection("w")
    for key in ("t.c", "t.alone"):
        owner.writer.resource(
            Resource(entity_type="column", databuilder_id=key, title=key, parent_databuilder_id="t")
        )
    owner.link(InternalResource(databuilder_id="t.c"), owner.chart("x"))
    world.run(owner)
    graph = world.graph()
    assert (roots(graph), leaves(graph), orphans(graph)) == (["w/t.c"], ["w/x"], [])
    assert graph.upstream("w/x").distances == {"w/x": 0, "w/t.c": 1}
    assert graph.downstream("w/t.c").distances == {"w/t.c": 0, "w/x": 1}


def test_a_link_of_columns_is_one_of_their_tables(world):
    owner = Connection("w")
    owner.table("d.s.a", "x", "y")
    owner.table("d.s.b", "x")
    owner.link(ExternalColumn(table="a", column="x"), ExternalColumn(table="b", column="x"))
    world.run(owner)
    graph = world.graph()
    assert (names(roots(graph)), names(leaves(graph)), orphans(graph)) == ("a", "b", [])


def test_what_holds_others_is_no_orphan(world):
    owner = Connection("w")
    for key, parent in (("board", None), ("chart", "board"), ("alone", None)):
        owner.writer.resource(
            Resource(entity_type="chart", databuilder_id=key, parent_databuilder_id=parent, title=key)
        )
    world.run(owner)
    assert orphans(world.graph()) == ["w/alone", "w/chart"]


def test_a_circle_is_told_whole_and_what_hangs_from_it_is_not(world):
    graph = linked(world, "ab", "bc", "ca", "de", "ed", "xa", "cy", tables="abcdexy")
    assert [names(group) for group in cycles(graph)] == ["abc", "de"]
    assert (names(roots(graph)), names(leaves(graph))) == ("x", "y")


def test_circles_that_share_a_resource_are_one_group(world):
    assert [names(group) for group in cycles(linked(world, "ab", "ba", "bc", "cb"))] == ["abc"]


def test_a_table_written_from_itself_alone_is_no_circle(world):
    owner = Connection("w", "duckdb", defaults={"database": "d", "schema": "s"})
    owner.table("d.s.a", "x")
    owner.statement("insert into a select x + 1 from a")
    world.run(owner)
    assert cycles(world.graph()) == []


def test_an_empty_graph_has_no_shape(world):
    world.run(Connection("w"))
    graph = world.graph()
    assert [roots(graph), leaves(graph), orphans(graph), cycles(graph)] == [[], [], [], []]
    assert excerpt_of(graph) is None


@settings(max_examples=10, deadline=None)
@given(st.sets(st.sampled_from([a + b for a in "abcde" for b in "abcde" if a != b]), max_size=12))
def test_the_shape_is_what_its_words_say(tmp_path_factory, links):
    graph = linked(World(tmp_path_factory.mktemp("shape")), *links, tables="abcde")
    starts, ends = {link[0] for link in links}, {link[1] for link in links}
    assert names(roots(graph)) == "".join(sorted(starts - ends))
    assert names(leaves(graph)) == "".join(sorted(ends - starts))
    assert names(orphans(graph)) == "".join(sorted(set("abcde") - starts - ends))
    reached = {one: {one} for one in "abcde"}
    for _ in reached:
        for start, end in links:
            reached[start] |= reached[end]
    groups = {"".join(sorted(o for o in reached[one] if one in reached[o])) for one in reached}
    told = [names(one) for one in cycles(graph)]
    assert told == sorted((one for one in groups if len(one) > 1), key=lambda one: (-len(one), one))


def test_an_excerpt_is_around_what_stands_between_the_most(world):
    found = excerpt_of(linked(world, "ab", "bc", "cd", "ef"))
    assert found.around == "w/d.s.b"
    assert names(one["id"] for one in found.resources) == "abcd"
    assert [(edge["from"], edge["to"]) for edge in found.edges] == [
        ("w/d.s.a", "w/d.s.b"),
        ("w/d.s.b", "w/d.s.c"),
        ("w/d.s.c", "w/d.s.d"),
    ]
    assert found.further == 0


def test_an_excerpt_is_bounded_and_says_what_it_leaves_out(world):
    owner = Connection("w")
    owner.table("d.s.hub")
    for number in range(40):
        owner.table(f"d.s.t{number}")
        owner.link(ExternalTable(table="hub"), ExternalTable(table=f"t{number}"))
    world.run(owner)
    found = excerpt_of(world.graph())
    assert (found.around, len(found.resources), found.further) == ("w/d.s.hub", MOST, 41 - MOST)
    ids = {one["id"] for one in found.resources}
    assert len(found.edges) == MOST - 1
    assert all({edge["from"], edge["to"]} <= ids for edge in found.edges)


@pytest.mark.parametrize(
    ("start", "end", "ways"),
    [("a", "d", ["abd", "acd"]), ("a", "f", []), ("d", "a", []), ("a", "b", ["ab"])],
)
def test_all_shortest_ways(world, start, end, ways):
    graph = linked(world, "ab", "ac", "bd", "cd", "ae", "eb")
    found = graph.paths(f"w/d.s.{start}", f"w/d.s.{end}")
    assert [names([way[0]["from"], *(edge["to"] for edge in way)]) for way in found] == ways
    assert len(graph.paths(f"w/d.s.{start}", f"w/d.s.{end}", limit=1)) == min(1, len(ways))
