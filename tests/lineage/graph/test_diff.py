"""What differs between two graphs, and what that breaks."""

from __future__ import annotations

import pytest

from lineage import diff
from lineage.graph.impact import impact_of
from tests.lineage.world import DAY, Connection, ExternalTable, World

BEFORE = "2026-11-19"
SHOP = {"database": "shop", "schema": "sales"}


def bi(world: World, day: str, sql: str = "select sum(amount) from orders") -> None:
    tool = Connection("bi", "duckdb", defaults=SHOP)
    tool.query(sql, tool.chart("revenue"))
    board = tool.chart("board")
    tool.link(tool.chart("revenue"), board)
    world.run(tool, day)


def warehouse(world: World, day: str, *columns: str, table: str = "orders") -> None:
    owner = Connection("wh", "duckdb", defaults=SHOP)
    owner.table(f"shop.sales.{table}", *columns)
    world.run(owner, day)


def two(world: World, before: tuple[str, ...], after: tuple[str, ...], **kw):
    warehouse(world, BEFORE, *before)
    bi(world, BEFORE)
    first = world.graph(BEFORE)
    warehouse(world, DAY, *after, **kw)
    return first, world.graph(DAY)


def test_a_graph_does_not_differ_from_itself(world):
    warehouse(world, DAY, "id", "amount")
    bi(world, DAY)
    graph = world.graph()
    found = diff(graph, world.graph())
    assert found.is_empty
    assert found.broken == []


def test_another_run_of_the_same_is_no_difference(world):
    first, second = two(world, ("id", "amount"), ("id", "amount"))
    assert first.header.partitions != second.header.partitions
    assert diff(first, second).is_empty


def test_a_new_column_breaks_nothing(world):
    first, second = two(world, ("id", "amount"), ("id", "amount", "note"))
    found = diff(first, second)
    assert [one["id"] for one in found.resources_added] == ["wh/shop.sales.orders.note"]
    assert found.broken == []


def test_a_renamed_column_breaks_what_asks_for_it_and_names_what_hangs_from_that(world):
    first, second = two(world, ("id", "amount"), ("id", "total"))
    found = diff(first, second)
    assert [one["id"] for one in found.resources_removed] == ["wh/shop.sales.orders.amount"]
    assert [(e["from"], e["to"]) for e in found.edges_removed] == [
        ("wh/shop.sales.orders.amount", "bi/revenue")
    ]
    (broken,) = found.broken
    assert (broken.id, broken.lost) == ("bi/revenue", ["wh/shop.sales.orders.amount"])
    assert broken.downstream == [{"id": "bi/board", "entity_type": "chart", "title": "board", "owners": []}]
    assert "no column amount" in " ".join(broken.messages)


def test_a_table_that_is_gone_breaks_what_asks_for_it(world):
    first, second = two(world, ("id", "amount"), ("id", "amount"), table="purchases")
    assert [one.id for one in diff(first, second).broken] == ["bi/revenue"]


def test_what_no_longer_asks_is_not_broken(world):
    first, _ = two(world, ("id", "amount"), ("id", "total"))
    bi(world, DAY, "select sum(total) from orders")
    found = diff(first, world.graph())
    assert found.broken == []
    assert [(e["from"], e["to"]) for e in found.edges_added] == [("wh/shop.sales.orders.total", "bi/revenue")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("select a from orders join nowhere on true", "select a, b from orders join nowhere on true"),
        ("select a from orders, nowhere", "select a from orders, nowhere -- as agreed"),
        ("select a from orders", "select a from orders union all select b from nowhere"),
    ],
)
def test_what_was_never_found_is_not_lost(world, before, after):
    for day, sql in ((BEFORE, before), (DAY, after)):
        warehouse(world, day, "a", "b")
        bi(world, day, sql)
        world.graph(day)
    found = diff(world.store.graph(BEFORE), world.store.graph(DAY))
    assert found.unresolved_added
    assert found.broken == []


def test_what_is_new_is_not_broken(world):
    first, _ = two(world, ("a", "amount"), ("a", "amount"))
    tool = Connection("other")
    tool.link(ExternalTable(table="nowhere"), tool.chart("new"))
    world.run(tool, DAY)
    assert diff(first, world.graph(DAY)).broken == []


def test_what_could_now_be_several_is_lost(world):
    for day in (BEFORE, DAY):
        owner, tool = Connection("wh"), Connection("bi")
        for schema in ("s1", "s2") if day == DAY else ("s1",):
            owner.table(f"d.{schema}.orders")
        tool.link(ExternalTable(table="ORDERS"), tool.chart("c"))
        world.run(owner, day)
        world.run(tool, day)
        world.graph(day)
    (broken,) = diff(world.store.graph(BEFORE), world.store.graph(DAY)).broken
    assert (broken.id, broken.lost) == ("bi/c", ["ORDERS", "wh/d.s1.orders"])


def test_what_is_cut_off_under_a_star_is_broken(world):
    for day, columns in ((BEFORE, ("id", "amount")), (DAY, ("id",))):
        owner = Connection("wh", "duckdb", defaults=SHOP)
        owner.table("shop.sales.orders", *columns)
        owner.table("shop.sales.copy", "id", "amount")
        owner.statement("insert into copy select * from orders")
        world.run(owner, day)
    found = diff(world.graph(BEFORE), world.graph(DAY))
    assert [one.id for one in found.broken] == ["wh/shop.sales.copy.amount"]


def test_a_changed_reason_is_a_changed_edge(world):
    for day, sql in ((BEFORE, "select amount from orders"), (DAY, "select max(amount) from orders")):
        warehouse(world, day, "amount")
        bi(world, day, sql)
    found = diff(world.graph(BEFORE), world.graph(DAY))
    assert [(e["from"], e["to"], sorted(e["before"])) for e in found.edges_changed] == [
        ("wh/shop.sales.orders", "bi/revenue", ["provenance"]),
        ("wh/shop.sales.orders.amount", "bi/revenue", ["expression", "provenance"]),
    ]
    assert [*found.edges_added, *found.edges_removed, *found.broken] == []


def test_a_changed_description_is_told_with_what_it_was(world):
    from connectors import Resource

    for day, text in ((BEFORE, "old"), (DAY, "new")):
        owner = Connection("wh")
        owner.writer.resource(Resource(entity_type="chart", databuilder_id="c", title="C", description=text))
        world.run(owner, day)
    (changed,) = diff(world.graph(BEFORE), world.graph(DAY)).resources_changed
    assert (changed["description"], changed["before"]) == ("new", {"description": "old"})


def test_impact_counts_by_kind_and_owner(world):
    from connectors import Resource

    warehouse(world, DAY, "id")
    tool = Connection("bi")
    for key, owners in (("one", ["ada"]), ("two", ["ada", "bob"]), ("three", None)):
        owned = {"owners": owners} if owners else {}
        tool.writer.resource(Resource(entity_type="chart", databuilder_id=key, title=key, **owned))
        from connectors import InternalResource

        tool.link(ExternalTable(table="orders"), InternalResource(databuilder_id=key))
    world.run(tool)
    found = impact_of(world.graph(), ["sales.orders"])
    assert (found.by_type, found.by_owner) == ({"chart": 3}, {"ada": 2, "": 1, "bob": 1})
    assert {one["id"]: one["distance"] for one in found.affected} == {"bi/one": 1, "bi/two": 1, "bi/three": 1}
