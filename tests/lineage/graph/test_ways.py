"""Ways through the graph: at table level, column by column, and across edges that have no columns."""

from __future__ import annotations

from connectors import Resource
from tests.lineage.world import Connection, ExternalColumn, ExternalTable, InternalResource, ends


def chain(world):
    """a -> b as whole tables, b.x -> c.y by columns, c -> chart as a whole."""
    owner = Connection("wh")
    for name in ("d.s.a", "d.s.b", "d.s.c"):
        owner.table(name, "x", "y")
    owner.link(ExternalTable(table="a"), ExternalTable(table="b"))
    owner.link(ExternalColumn(table="b", column="x"), ExternalColumn(table="c", column="y"))
    owner.link(ExternalTable(table="c"), owner.chart("chart"))
    world.run(owner)
    return world.graph()


def test_a_columns_way_passes_through_whole_tables_and_back(world):
    graph = chain(world)
    way = [(e["from"], e["to"]) for e in graph.path("wh/d.s.a.y", "wh/chart")]
    assert way == [("wh/d.s.a", "wh/d.s.b"), ("wh/d.s.b.x", "wh/d.s.c.y"), ("wh/d.s.c", "wh/chart")]


def test_upstream_by_columns_reaches_what_only_tables_tell(world):
    found = chain(world).upstream("wh/chart", columns=True)
    assert {"wh/d.s.c", "wh/d.s.c.y", "wh/d.s.b.x", "wh/d.s.b", "wh/d.s.a", "wh/d.s.a.x"} <= set(
        found.distances
    )
    assert found.distances["wh/d.s.a"] == 3
    assert "wh/d.s.c.x" in found.distances


def test_another_column_of_a_table_on_the_way_is_not_reached(world):
    owner = Connection("wh")
    for name in ("d.s.a", "d.s.b"):
        owner.table(name, "x", "y")
    owner.link(ExternalColumn(table="a", column="x"), ExternalColumn(table="b", column="x"))
    world.run(owner)
    assert set(world.graph().downstream("wh/d.s.a.y").distances) == {"wh/d.s.a.y"}


def test_circles_end(world):
    owner = Connection("wh")
    owner.table("d.s.a", "x")
    owner.table("d.s.b", "x")
    owner.link(ExternalTable(table="a"), ExternalTable(table="b"))
    owner.link(ExternalTable(table="b"), ExternalTable(table="a"))
    world.run(owner)
    graph = world.graph()
    assert graph.upstream("wh/d.s.a").distances == {"wh/d.s.a": 0, "wh/d.s.b": 1}
    assert graph.path("wh/d.s.a", "wh/d.s.b")


def test_depth_bounds_the_hops(world):
    graph = chain(world)
    assert set(graph.upstream("wh/chart", 1).distances) == {"wh/chart", "wh/d.s.c"}


def test_a_column_within_a_column_belongs_to_the_table(world):
    owner = Connection("wh")
    owner.table("d.s.t", "rec")
    owner.table("d.s.u", "x")
    owner.writer.resource(
        Resource(
            entity_type="column", databuilder_id="d.s.t.rec.f", parent_databuilder_id="d.s.t.rec", title="f"
        )
    )
    owner.link(InternalResource(databuilder_id="d.s.t.rec.f"), ExternalColumn(table="u", column="x"))
    world.run(owner)
    graph = world.graph()
    assert ends(graph) == {("wh/d.s.t.rec.f", "wh/d.s.u.x"), ("wh/d.s.t", "wh/d.s.u")}


def test_an_unknown_and_an_unclear_id_are_errors_that_name_what_fits(world):
    import pytest

    from connectors.errors import LineageError

    graph = chain(world)
    with pytest.raises(LineageError, match="headwater find"):
        graph.resource("nothing")
    with pytest.raises(LineageError, match=r"could be 3 resources: wh/d\.s\.a\.x"):
        graph.resource("x")


def test_words_are_found_in_what_people_read(world):
    owner = Connection("wh")
    owner.table("d.s.orders", "amount")
    owner.writer.resource(
        Resource(entity_type="chart", databuilder_id="c", title="Orders", description="by Ada")
    )
    world.run(owner)
    graph = world.graph()
    assert [r["id"] for r in graph.find(["orders"])] == ["wh/c", "wh/d.s.orders", "wh/d.s.orders.amount"]
    assert [r["id"] for r in graph.find(["ORDERS", "ada"])] == ["wh/c"]
    assert graph.find(["entity_type"]) == []
    assert graph.find([]) == []
