"""One table is one node, however many systems describe it and however they write its name; two tables are two."""

from __future__ import annotations

import itertools

import pytest

from tests.lineage.observers import PARTITION, Observers, key_of, nodes_titled
from tests.lineage.world import columns_of, ends, how

ORDERS, JOBS = "pg/shop.sales.orders", key_of("shop", "orders")
SEEN = ["dbt/model.shop.m0", JOBS]
READ, WRITE = "select Amount from Orders", "insert into SALES.daily (amount) select amount from orders"


@pytest.fixture
def seen(world, tmp_path):
    return Observers(world, tmp_path)


def all_but(seen: Observers, left_out: str = "") -> dict:
    """What happens, by who sees it."""
    steps = {
        "catalogue": lambda: seen.catalogue("orders", "daily"),
        "dbt": lambda: seen.dbt("orders"),
        "bi": lambda: seen.bi("ORDERS"),
        "log": lambda: seen.log(READ, WRITE),
        "events": lambda: seen.events("orders"),
    }
    return {name: step for name, step in steps.items() if name != left_out}


@pytest.mark.parametrize("first", [0, 1, 2, 3, 4])
def test_the_same_table_seen_by_five_systems_is_one_node(seen, first):
    steps = list(all_but(seen).values())
    for step in itertools.islice(itertools.cycle(steps), first, first + len(steps)):
        step()
    graph = seen.world.graph(PARTITION)
    assert graph.unresolved() == []
    assert nodes_titled(graph, "orders") == {ORDERS: SEEN}
    node = graph.resource(ORDERS)
    assert node["facets"]["dbt/model.shop.m0"]["description"] == "the model of orders"
    assert (node["usage"]["queries"], node["usage"]["users"]) == (2, 1)
    assert all(graph.find_id(alias) == ORDERS for alias in SEEN)


def test_each_systems_lineage_starts_at_that_node(seen):
    for step in all_but(seen).values():
        step()
    graph = seen.world.graph(PARTITION)
    daily = "pg/shop.sales.daily"
    assert {pair for pair in ends(graph) if "sales.orders" in pair[0]} == {
        (ORDERS, "bi/chart of ORDERS"),
        (ORDERS, daily),
        (f"{ORDERS}.amount", f"{daily}.amount"),
    }
    (edge,) = [edge for edge in graph.explain(ORDERS, daily) if edge["level"] == "resource"]
    assert {why["connection"]: why["origin"] for why in edge["provenance"]} == {
        "log": "sql",
        "jobs": "openlineage",
    }
    assert how(graph, ORDERS, "bi/chart of ORDERS") == {"casefold"}


def test_columns_that_are_called_alike_are_one_too(seen):
    for step in all_but(seen).values():
        step()
    graph = seen.world.graph(PARTITION)
    columns = {one: graph.resource(one)["aliases"] for one in columns_of(graph, ORDERS)}
    assert columns == {
        f"{ORDERS}.amount": ["dbt/model.shop.m0.AMOUNT", f"{JOBS}.amount"],
        f"{ORDERS}.id": [],
    }


def test_without_its_owner_each_describer_stands_by_itself_until_that_comes(seen):
    for step in all_but(seen, "catalogue").values():
        step()
    graph = seen.world.graph(PARTITION)
    assert nodes_titled(graph, "orders") == {SEEN[0]: [], SEEN[1]: []}
    assert {one["counterpart"] for one in graph.unresolved()} >= {*SEEN, "bi/chart of ORDERS"}
    seen.catalogue("orders", "daily")
    assert nodes_titled(seen.world.graph(PARTITION), "orders") == {ORDERS: SEEN}


def test_two_quoted_tables_that_differ_in_case_are_two(seen):
    seen.catalogue("orders", "Orders", "daily")
    seen.dbt("orders", "Orders")
    seen.events("orders", "Orders")
    seen.log(
        "select id from ORDERS",
        'select amount from "Orders"',
        'insert into daily (amount) select amount from "Orders"',
        'insert into daily (id) select id from "oRDERS"',
    )
    seen.bi("Orders", "ORDERS")
    graph = seen.world.graph(PARTITION)
    other = "pg/shop.sales.Orders"
    assert nodes_titled(graph, "orders") == {
        ORDERS: SEEN,
        other: ["dbt/model.shop.m1", key_of("shop", "Orders")],
    }
    assert [graph.resource(one)["usage"]["queries"] for one in (ORDERS, other)] == [1, 2]
    assert (f"{other}.amount", "pg/shop.sales.daily.amount") in ends(graph)
    assert not [pair for pair in ends(graph) if pair[0].startswith(f"{ORDERS}.")]
    found = {one["counterpart"]: (one["reason"], one["candidates"]) for one in graph.unresolved()}
    # SHOP.Sales is not exact in any part: neither of the two is nearer.
    both = ("ambiguous", [other, ORDERS])
    assert found["bi/chart of Orders"] == found["bi/chart of ORDERS"] == both
    lost = [one for one in graph.unresolved() if one["connection"] == "log"]
    assert {(one["reason"], one["reference"]["table"], one["guessed"]) for one in lost} == {
        ("not_found", "oRDERS", True)
    }
