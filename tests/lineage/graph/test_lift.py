"""The graph at the levels of schemas, databases and connections."""

from __future__ import annotations

import pytest

from connectors import Resource
from connectors.errors import LineageError
from lineage.graph.collapse import collapsed
from lineage.graph.lift import LEVELS, lifted
from tests.lineage.world import Connection, ExternalColumn, ExternalTable, InternalResource


def declare(
    connection: Connection, kind: str, key: str, parent: str | None = None, **more: str
) -> InternalResource:
    connection.writer.resource(
        Resource(entity_type=kind, databuilder_id=key, parent_databuilder_id=parent, title=key, **more)
    )
    return InternalResource(databuilder_id=key)


def company(world):
    """raw -> mart by two columns, one of them indirect; mart -> chart in a dashboard in a group; alone -> chart."""
    owner = Connection("wh", "duckdb", defaults={"database": "shop", "schema": "raw"})
    owner.table("shop.raw.orders", "id", "amount")
    owner.table("shop.mart.revenue", "total", "n")
    owner.table("shop.mart.copy", "total")
    owner.statement("insert into shop.mart.revenue select sum(amount), count(id) from shop.raw.orders")
    owner.statement("insert into shop.mart.copy select total from shop.mart.revenue")
    world.run(owner)
    tool = Connection("bi", "duckdb", defaults={"database": "shop", "schema": "mart"})
    declare(tool, "dashboard_group", "finance")
    declare(tool, "dashboard", "board", "finance")
    chart = declare(tool, "chart", "chart", "board")
    tool.query("select sum(total) from revenue where n > 1", chart)
    world.run(tool)
    return world.graph()


def links(found) -> dict[tuple[str, str], tuple[int, int]]:
    return {(edge["from"], edge["to"]): (edge["direct"], edge["indirect"]) for edge in found.edges()}


def test_columns_roll_up_to_schemas_and_charts_to_dashboards(world):
    found = lifted(company(world), "schema")
    assert links(found) == {("wh/shop.raw", "wh/shop.mart"): (2, 0), ("wh/shop.mart", "bi/board"): (1, 1)}
    nodes = {node["id"]: node for node in found.nodes()}
    assert nodes["wh/shop.mart"]["counts"] == {"column": 3, "table": 2}
    assert nodes["wh/shop.mart"]["entity_type"] == "schema"
    assert nodes["bi/board"]["counts"] == {"chart": 1, "dashboard": 1}
    assert nodes.keys() == {"wh/shop.raw", "wh/shop.mart", "bi/board", "bi/finance"}


def test_schemas_roll_up_to_databases_and_dashboards_to_groups(world):
    found = lifted(company(world), "database")
    assert links(found) == {("wh/shop", "bi/finance"): (1, 1)}
    assert [node["counts"] for node in found.nodes()] == [
        {"chart": 1, "dashboard": 1, "dashboard_group": 1},
        {"column": 5, "table": 3},
    ]


def test_all_rolls_up_to_connections(world):
    found = lifted(company(world), "connection").to_dict()
    assert [node["id"] for node in found["nodes"]] == ["bi", "wh"]
    assert found["edges"] == [{"from": "wh", "to": "bi", "kind": "direct", "direct": 1, "indirect": 1}]


def test_columns_roll_up_to_tables(world):
    found = lifted(company(world), "resource")
    assert links(found)["wh/shop.raw.orders", "wh/shop.mart.revenue"] == (2, 0)
    assert links(found)["wh/shop.mart.revenue", "bi/chart"] == (1, 1)


@pytest.mark.parametrize("level", LEVELS)
def test_each_level_has_every_resource_once_and_no_edge_to_itself(world, level):
    graph = company(world)
    found = lifted(graph, level)
    assert sum(sum(node["counts"].values()) for node in found.nodes()) == len(graph.resources())
    assert all(edge["from"] != edge["to"] for edge in found.edges())
    between = sum(edge["direct"] + edge["indirect"] for edge in found.edges())
    assert between <= len(graph.topology.detailed.numbers)


def test_a_level_answers_the_questions_of_a_graph(world):
    found = lifted(company(world), "schema")
    assert found.upstream("board").distances == {"bi/board": 0, "wh/shop.mart": 1, "wh/shop.raw": 2}
    assert found.upstream("bi/chart", 1).distances == {"bi/board": 0, "wh/shop.mart": 1}
    assert found.downstream("orders.amount", 1).distances == {"wh/shop.raw": 0, "wh/shop.mart": 1}
    assert [edge["to"] for edge in found.path("shop.raw", "board")] == ["wh/shop.mart", "bi/board"]
    assert {node["id"] for node in found.around("board", 1)["nodes"]} == {"bi/board", "wh/shop.mart"}
    with pytest.raises(LineageError, match="nothing in the graph"):
        found.upstream("nowhere")


def test_the_level_of_columns_is_the_graphs_own(world):
    graph = company(world)
    found = lifted(graph, "column")
    assert found.upstream("bi/chart").distances == graph.upstream("bi/chart", columns=True).distances
    assert len(found.edges()) == len(graph.topology.detailed.numbers)


def test_a_declared_schema_or_database_is_the_node_whatever_its_key(world):
    owner = Connection("wh")
    declare(owner, "database", "db-1")
    declare(owner, "schema", "schema-1", "db-1", database="shop")
    for name in ("a", "b"):
        declare(owner, "table", name, "schema-1" if name == "a" else None, database="shop", schema="raw")
    declare(owner, "schema", "shop.mart", database="shop")
    declare(owner, "table", "c", database="shop", schema="mart")
    owner.link(InternalResource(databuilder_id="b"), InternalResource(databuilder_id="c"))
    world.run(owner)
    graph = world.graph()
    assert links(lifted(graph, "schema")) == {("wh/schema-1", "wh/shop.mart"): (1, 0)}
    assert [node["id"] for node in lifted(graph, "database").nodes()] == ["wh/db-1"]
    (node,) = [one for one in lifted(graph, "schema").nodes() if one["id"] == "wh/schema-1"]
    assert node["counts"] == {"schema": 1, "table": 2}


def test_names_with_dots_are_quoted_and_databases_stand_in_for_schemas(world):
    owner = Connection("wh")
    declare(owner, "table", "a", database="my.db")
    declare(owner, "table", "b", schema="s")
    declare(owner, "job", "c")
    world.run(owner)
    graph = world.graph()
    assert [node["id"] for node in lifted(graph, "schema").nodes()] == ['wh/"my.db"', "wh/c", "wh/s"]
    assert [node["id"] for node in lifted(graph, "database").nodes()] == ['wh/"my.db"', "wh/c", "wh/s"]


def test_what_is_collapsed_is_neither_counted_nor_in_the_way(world):
    owner = Connection("wh")
    for name in ("shop.raw.a", "shop.tmp.b", "shop.mart.c"):
        owner.table(name, "x")
    for start, end in (("a", "b"), ("b", "c")):
        owner.link(ExternalColumn(table=start, column="x"), ExternalColumn(table=end, column="x"))
    owner.link(ExternalTable(table="b"), owner.chart("unused"))
    world.run(owner)
    found = lifted(collapsed(world.graph(), ["wh/shop.tmp.*"]), "schema")
    assert [node["id"] for node in found.nodes()] == ["wh/shop.mart", "wh/shop.raw", "wh/unused"]
    assert links(found)["wh/shop.raw", "wh/shop.mart"] == (1, 0)
