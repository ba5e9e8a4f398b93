"""The examples of the matching rule, and its further sentences, each a test."""

from __future__ import annotations

import pytest

from connectors import Resource
from tests.lineage.world import (
    DAY,
    Connection,
    ExternalColumn,
    ExternalTable,
    InternalResource,
    Query,
    World,
    columns_of,
    ends,
    how,
)


def reference(world: World, tables: list[str], given: ExternalTable, **defaults: str):
    """A chart that reads one declared table; gives the graph."""
    owner = Connection("wh")
    for name in tables:
        owner.table(name)
    bi = Connection("bi", defaults=defaults)
    bi.link(given, bi.chart("c"))
    world.run(owner)
    world.run(bi)
    return world.graph()


def sql(world: World, tables: list[str], text: str, dialect: str | None, **defaults: str):
    owner = Connection("wh")
    for name in tables:
        owner.table(name, "id")
    bi = Connection("bi", dialect, defaults=defaults)
    bi.query(text, bi.chart("c"))
    world.run(owner)
    world.run(bi)
    return world.graph()


def only(graph) -> dict:
    (entry,) = graph.unresolved()
    return entry


def test_another_case_is_found_by_folding(world):
    graph = reference(world, ["shop.sales.orders"], ExternalTable(table="ORDERS"))
    assert how(graph, "wh/shop.sales.orders", "bi/c") == {"casefold"}


def test_two_tables_of_the_name_without_defaults_are_ambiguous(world):
    graph = reference(world, ["shop.sales.orders", "shop.ops.orders"], ExternalTable(table="orders"))
    assert not ends(graph)
    assert only(graph)["reason"] == "ambiguous"
    assert only(graph)["candidates"] == ["wh/shop.ops.orders", "wh/shop.sales.orders"]


def test_defaults_break_the_tie(world):
    tables = ["shop.sales.orders", "shop.ops.orders"]
    graph = reference(world, tables, ExternalTable(table="orders"), schema="sales")
    assert ends(graph) == {("wh/shop.sales.orders", "bi/c")}
    assert how(graph, "wh/shop.sales.orders", "bi/c") == {"defaults"}


def test_a_declared_reference_is_not_filled(world):
    graph = reference(world, ["lake.ops.orders"], ExternalTable(table="orders"), database="shop")
    assert ends(graph) == {("wh/lake.ops.orders", "bi/c")}


def test_sql_is_filled_from_the_defaults(world):
    graph = sql(world, ["lake.ops.orders"], "select * from orders", "duckdb", database="shop", schema="sales")
    assert not ends(graph)
    assert (only(graph)["reason"], only(graph)["candidates"]) == ("not_found", ["wh/lake.ops.orders"])
    assert only(graph)["guessed"]


def test_the_exact_name_goes_before_the_folded_one(world):
    tables = ["shop.sales.Orders", "shop.sales.orders"]
    graph = reference(world, tables, ExternalTable(schema="sales", table="orders"))
    assert ends(graph) == {("wh/shop.sales.orders", "bi/c")}
    assert how(graph, "wh/shop.sales.orders", "bi/c") == {"exact"}


def test_two_folded_matches_are_ambiguous(world):
    tables = ["shop.sales.Orders", "shop.sales.orders"]
    graph = reference(world, tables, ExternalTable(schema="sales", table="ORDERS"))
    assert only(graph)["reason"] == "ambiguous"


def test_one_folded_part_makes_the_whole_match_folded(world):
    graph = reference(
        world, ["shop.Sales.orders", "shop.sales.Orders"], ExternalTable(schema="SALES", table="orders")
    )
    assert only(graph)["reason"] == "ambiguous"


def test_a_quoted_name_is_not_folded(world):
    graph = sql(
        world, ["shop.sales.orders"], 'select * from "Orders"', "postgres", database="shop", schema="sales"
    )
    assert only(graph)["reason"] == "not_found"


def test_an_unquoted_name_is_taken_as_the_dialect_stores_it(world):
    tables = ["shop.sales.Orders", "shop.sales.orders"]
    graph = sql(world, tables, "select * from Orders", "postgres", database="shop", schema="sales")
    assert ("wh/shop.sales.orders", "bi/c") in ends(graph)
    assert ("wh/shop.sales.Orders", "bi/c") not in ends(graph)


def test_snowflake_stores_capitals(world):
    tables = ["SHOP.SALES.ORDERS", "SHOP.SALES.orders"]
    graph = sql(world, tables, "select * from orders", "snowflake", database="SHOP", schema="SALES")
    assert ("wh/SHOP.SALES.ORDERS", "bi/c") in ends(graph)
    assert ("wh/SHOP.SALES.orders", "bi/c") not in ends(graph)


def test_a_describer_is_an_alias_of_its_owner(world):
    owner, dbt, bi = Connection("wh"), Connection("dbt"), Connection("bi")
    owner.table("shop.sales.orders", "id", "Amount")
    dbt.table(
        "shop.sales.orders",
        "ID",
        "amount",
        "extra",
        key="model.shop.orders",
        same_as=ExternalTable(database="shop", schema="sales", table="orders"),
    )
    bi.link(ExternalTable(schema="sales", table="orders"), bi.chart("c"))
    for connection in (owner, dbt, bi):
        world.run(connection)
    graph = world.graph()
    node = graph.resource("wh/shop.sales.orders")
    assert node["aliases"] == ["dbt/model.shop.orders"]
    assert node["facets"]["dbt/model.shop.orders"]["title"] == "orders"
    assert ends(graph) == {("wh/shop.sales.orders", "bi/c")}
    assert graph.find_id("dbt/model.shop.orders") == "wh/shop.sales.orders"
    assert graph.find_id("dbt/model.shop.orders.amount") == "wh/shop.sales.orders.Amount"
    assert columns_of(graph, "wh/shop.sales.orders") == {
        "dbt/model.shop.orders.extra",
        "wh/shop.sales.orders.Amount",
        "wh/shop.sales.orders.id",
    }


def test_an_internal_reference_to_a_describer_reaches_the_owner(world):
    owner, dbt = Connection("wh"), Connection("dbt")
    owner.table("shop.sales.orders")
    dbt.table("shop.sales.orders", key="m", same_as=ExternalTable(table="orders"))
    dbt.link(InternalResource(databuilder_id="m"), dbt.chart("exposure"))
    world.run(owner)
    world.run(dbt)
    assert how(world.graph(), "wh/shop.sales.orders", "dbt/exposure") == {"same_as"}


def test_a_describer_without_an_owner_stands_by_itself(world):
    dbt = Connection("dbt")
    dbt.table("shop.sales.orders", key="m", same_as=ExternalTable(table="orders"))
    world.run(dbt)
    graph = world.graph()
    assert graph.resource("dbt/m")["aliases"] == []
    assert (only(graph)["reason"], only(graph)["counterpart"]) == ("not_found", "dbt/m")


def test_two_describers_of_one_absent_table_do_not_own_each_other(world):
    for name in ("dbt", "bi"):
        connection = Connection(name)
        connection.table("shop.sales.orders", key="m", same_as=ExternalTable(table="orders"))
        world.run(connection)
    graph = world.graph()
    assert {u["counterpart"] for u in graph.unresolved()} == {"dbt/m", "bi/m"}
    assert not any("circle" in u["message"] for u in graph.unresolved())


def test_chains_of_same_as_are_followed(world):
    owner, dbt, bi = Connection("wh"), Connection("dbt"), Connection("bi")
    owner.table("shop.sales.orders")
    dbt.table("x.y.model_orders", key="m", same_as=ExternalTable(schema="sales", table="orders"))
    bi.table("p.q.dataset", key="d", same_as=ExternalTable(table="model_orders"))
    for connection in (owner, dbt, bi):
        world.run(connection)
    assert world.graph().resource("wh/shop.sales.orders")["aliases"] == ["bi/d", "dbt/m"]


def test_same_as_of_the_projects_file_joins_by_id(world):
    owner, bi = Connection("wh"), Connection("bi")
    owner.table("shop.sales.orders", "id")
    bi.table("x.y.Dataset", "ID", key="d")
    world.run(owner)
    world.run(bi)
    graph = world.graph(same_as=[("bi/d", "wh/shop.sales.orders")])
    assert graph.resource("wh/shop.sales.orders")["aliases"] == ["bi/d"]
    assert graph.find_id("bi/d.ID") == "wh/shop.sales.orders.id"


def test_a_circle_of_same_as_is_an_error_of_both(world):
    for name in ("a", "b"):
        connection = Connection(name)
        connection.table(f"d.s.{name}")
        world.run(connection)
    graph = world.graph(same_as=[("a/d.s.a", "b/d.s.b"), ("b/d.s.b", "a/d.s.a")])
    assert {u["counterpart"] for u in graph.unresolved()} == {"a/d.s.a", "b/d.s.b"}
    assert all("circle" in u["message"] for u in graph.unresolved())


def test_a_circle_of_declared_same_as_is_an_error_of_both(world):
    for name, other in (("a", "b"), ("b", "a")):
        connection = Connection(name)
        connection.table(f"d.s.{name}", same_as=ExternalTable(table=other))
        world.run(connection)
    graph = world.graph()
    assert {u["counterpart"] for u in graph.unresolved()} == {"a/d.s.a", "b/d.s.b"}
    assert all("circle" in u["message"] for u in graph.unresolved())


def test_cluster_is_the_instance_of_a_connection(world):
    for name, instance in (("one", "prod"), ("two", "test")):
        owner = Connection(name, instance=instance)
        owner.table("shop.sales.orders")
        world.run(owner)
    bi = Connection("bi")
    bi.link(ExternalTable(cluster="test", table="orders"), bi.chart("c"))
    world.run(bi)
    assert ends(world.graph()) == {("two/shop.sales.orders", "bi/c")}


def test_the_referring_connections_own_tables_go_first(world):
    for name in ("one", "two"):
        owner = Connection(name)
        owner.table("shop.sales.orders")
        if name == "two":
            owner.link(ExternalTable(table="orders"), owner.chart("c"))
        world.run(owner)
    assert ends(world.graph()) == {("two/shop.sales.orders", "two/c")}


def test_a_column_is_found_within_its_table(world):
    owner, bi = Connection("wh"), Connection("bi")
    owner.table("shop.sales.orders", "Amount", "id")
    chart = bi.chart("c")
    bi.link(ExternalColumn(table="orders", column="amount"), chart)
    bi.link(ExternalColumn(table="orders", column="gone"), chart)
    world.run(owner)
    world.run(bi)
    graph = world.graph()
    assert ends(graph) == {("wh/shop.sales.orders.Amount", "bi/c"), ("wh/shop.sales.orders", "bi/c")}
    assert how(graph, "wh/shop.sales.orders.Amount", "bi/c") == {"casefold"}
    assert (only(graph)["reason"], only(graph)["candidates"]) == ("not_found", ["wh/shop.sales.orders"])


def test_folding_two_columns_is_ambiguous(world):
    owner, bi = Connection("wh"), Connection("bi")
    owner.table("shop.sales.orders", "Amount", "amount")
    bi.link(ExternalColumn(table="orders", column="AMOUNT"), bi.chart("c"))
    world.run(owner)
    world.run(bi)
    assert only(world.graph())["reason"] == "ambiguous"


def test_an_internal_reference_wants_the_exact_key(world):
    bi = Connection("bi")
    bi.chart("Chart")
    bi.link(InternalResource(databuilder_id="chart"), InternalResource(databuilder_id="Chart"))
    world.run(bi)
    entry = only(world.graph())
    assert (entry["reason"], entry["side"], entry["counterpart"]) == (
        "undeclared_internal",
        "from",
        "bi/Chart",
    )


def test_a_missing_parent_makes_no_node(world):
    bi = Connection("bi")
    bi.writer.resource(
        Resource(entity_type="column", databuilder_id="t.c", parent_databuilder_id="t", title="c")
    )
    world.run(bi)
    graph = world.graph()
    assert graph.nodes["key"].to_pylist() == ["bi/t.c"]
    assert (only(graph)["reason"], only(graph)["reference"]["databuilder_id"]) == ("undeclared_internal", "t")


@pytest.mark.parametrize(
    ("start", "end", "allowed"),
    [
        (InternalResource(databuilder_id="a"), InternalResource(databuilder_id="b"), True),
        (InternalResource(databuilder_id="a"), ExternalTable(table="orders"), True),
        (ExternalColumn(table="orders", column="id"), InternalResource(databuilder_id="a"), True),
        (InternalResource(databuilder_id="a"), ExternalColumn(table="orders", column="id"), True),
        (ExternalTable(table="orders"), ExternalTable(table="lines"), True),
        (ExternalColumn(table="orders", column="id"), ExternalColumn(table="lines", column="id"), True),
        (Query(sql="select id from orders"), InternalResource(databuilder_id="a"), True),
        (InternalResource(databuilder_id="a"), Query(sql="select 1"), False),
        (Query(sql="select 1"), Query(sql="select 1"), False),
        (Query(sql="select 1"), ExternalTable(table="orders"), False),
        (ExternalTable(table="orders"), ExternalColumn(table="lines", column="id"), False),
    ],
)
def test_pairs_that_have_a_meaning(world, start, end, allowed):
    bi = Connection("bi")
    bi.chart("a")
    bi.chart("b")
    bi.table("d.s.orders", "id")
    bi.table("d.s.lines", "id")
    bi.link(start, end)
    world.run(bi)
    graph = world.graph()
    assert bool(graph.edges()) is allowed
    assert [u["reason"] for u in graph.unresolved()] == ([] if allowed else ["unsupported_pair"])


def test_a_column_of_the_table_pair_brings_the_edge_of_the_tables(world):
    bi = Connection("bi")
    bi.table("d.s.orders", "id")
    bi.table("d.s.lines", "order_id")
    bi.link(ExternalColumn(table="orders", column="id"), ExternalColumn(table="lines", column="order_id"))
    world.run(bi)
    assert ends(world.graph()) == {
        ("bi/d.s.orders.id", "bi/d.s.lines.order_id"),
        ("bi/d.s.orders", "bi/d.s.lines"),
    }


def test_an_id_is_never_taken_apart(world):
    owner, bi = Connection("wh"), Connection("bi")
    owner.writer.resource(
        Resource(entity_type="table", databuilder_id="k1", title="a.b", database="shop", schema="my schema")
    )
    bi.link(ExternalTable(schema="my schema", table="a.b"), bi.chart("c"))
    bi.link(ExternalTable(table="k1"), bi.chart("d"))
    world.run(owner)
    world.run(bi)
    graph = world.graph()
    assert ends(graph) == {("wh/k1", "bi/c")}
    assert only(graph)["reason"] == "not_found"


def test_up_to_twenty_candidates_are_named(world):
    graph = reference(world, [f"shop.s{n:02}.orders" for n in range(30)], ExternalTable(table="orders"))
    assert len(only(graph)["candidates"]) == 20
    assert "30" in only(graph)["message"]


def test_similar_names_are_offered_as_guesses(world):
    graph = reference(world, ["shop.sales.customers", "shop.sales.parcels"], ExternalTable(table="custmers"))
    assert (only(graph)["candidates"], only(graph)["guessed"]) == (["wh/shop.sales.customers"], True)


def test_what_was_unresolved_resolves_when_the_owner_has_synced(world):
    bi = Connection("bi")
    bi.link(ExternalTable(table="orders"), bi.chart("c"))
    world.run(bi)
    assert only(world.graph())["reason"] == "not_found"
    owner = Connection("wh")
    owner.table("shop.sales.orders")
    world.run(owner)
    graph = world.graph()
    assert graph.unresolved() == []
    assert graph.as_of == DAY
