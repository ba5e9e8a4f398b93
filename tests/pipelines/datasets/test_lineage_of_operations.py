"""Each operation of a transform, as the edges of the built graph tell it."""

from __future__ import annotations

import pytest

from pipelines.cli.main import run
from tests.pipelines.datasets.flows import flows, same
from tests.pipelines.datasets.warehouse import Warehouse

ORDERS, CUSTOMERS = "wh/wh.main.orders", "wh/wh.main.customers"
OPERATIONS = {
    "whole": ([], same("orders", "id", "customer_id", "amount", "code", "tags", "place")),
    "renamed": (
        [{"rename": {"amount": "price"}}, {"drop": ["tags", "place", "code"]}],
        {*same("orders", "id", "customer_id"), "orders.amount -> price: direct"},
    ),
    "mapped": (
        [{"map": {"id": "order", "amount": "price"}}],
        {"orders.id -> order: direct", "orders.amount -> price: direct"},
    ),
    "swapped": (
        [{"select": ["id", "customer_id"]}, {"rename": {"id": "customer_id", "customer_id": "id"}}],
        {"orders.id -> customer_id: direct", "orders.customer_id -> id: direct"},
    ),
    "computed": (
        [{"select": ["id", "amount"]}, {"compute": {"expression": "amount * id", "as": "x"}}],
        {
            *same("orders", "id", "amount"),
            "orders.amount -> x: direct = amount * id",
            "orders.id -> x: direct = amount * id",
        },
    ),
    "recomputed": (
        [{"select": ["id", "amount"]}, {"compute": {"expression": "amount * 2", "as": "amount"}}],
        {*same("orders", "id"), "orders.amount -> amount: direct = amount * 2"},
    ),
    "chosen": (
        [
            {
                "compute": {
                    "expression": "case when amount > 3 then code else 'none' end",
                    "as": "size",
                }
            },
            {"select": ["size"]},
        ],
        {
            "orders.amount -> size: direct case = CASE  WHEN ((amount > 3)) THEN (code) ELSE 'none' END",
            "orders.code -> size: direct = CASE  WHEN ((amount > 3)) THEN (code) ELSE 'none' END",
        },
    ),
    "constant": ([{"select": ["id"]}, {"compute": {"expression": "1", "as": "one"}}], same("orders", "id")),
    "filtered": (
        [{"select": ["id", "amount"]}, {"filter": "amount > 3 and id < 12"}],
        {
            *same("orders", "id", "amount"),
            "orders.amount -> *: indirect where",
            "orders.id -> *: indirect where",
        },
    ),
    "filtered_by_what_is_dropped": (
        [{"filter": "amount > 3"}, {"select": ["id"]}],
        {*same("orders", "id"), "orders.amount -> *: indirect where"},
    ),
    "typed": (
        [{"select": ["id", "code"]}, {"typecast": {"code": "int"}}],
        {*same("orders", "id"), "orders.code -> code: direct = CAST(code AS INTEGER)"},
    ),
    "selected": ([{"select": ["code", "id"]}], same("orders", "code", "id")),
    "dropped": ([{"drop": ["tags", "place", "code"]}], same("orders", "id", "customer_id", "amount")),
    "fields": (
        [{"select": ["id", "place"]}, {"flatten": {"path": "place", "alias": "p"}}],
        {
            *same("orders", "id"),
            "orders.place -> p_city: direct = place.city",
            "orders.place -> p_zip: direct = place.zip",
        },
    ),
    "elements": (
        # `case`: a list that is null or empty gives one record all the same.
        [{"select": ["id", "tags"]}, {"flatten": {"path": "tags", "alias": "tag"}}],
        {*same("orders", "id"), "orders.tags -> tag: direct = unnest(tags)"},
    ),
    "one_of_a_key": (
        # Every other column breaks ties.
        [{"select": ["id", "amount"]}, {"deduplicate": ["id"]}],
        {
            *same("orders", "id", "amount"),
            "orders.id -> *: indirect qualify",
            "orders.amount -> *: indirect qualify",
        },
    ),
    "distinct": ([{"select": ["id", "amount"]}, {"deduplicate": []}], same("orders", "id", "amount")),
    "newest_of_a_key": (
        [
            {"select": ["customer_id", "amount"]},
            {"deduplicate": {"by": ["customer_id"], "order_by": ["amount desc"]}},
            {"drop": ["amount"]},
        ],
        {
            *same("orders", "customer_id"),
            "orders.customer_id -> *: indirect qualify",
            "orders.amount -> *: indirect qualify",
        },
    ),
    "looked_up": (
        [
            {"select": ["id", "customer_id"]},
            {"lookup": {"dataset": CUSTOMERS, "on": {"customer_id": "id"}, "take": {"name": "who"}}},
        ],
        {
            *same("orders", "id", "customer_id"),
            "customers -> *: direct",
            "customers.name -> who: direct",
            "orders.customer_id -> *: indirect join",
            "customers.id -> *: indirect join",
        },
    ),
    "chained": (
        [
            {"rename": {"amount": "price"}},
            {"compute": {"expression": "price * 2", "as": "twice"}},
            {"compute": {"expression": "twice + id", "as": "sum"}},
            {"typecast": {"sum": "varchar"}},
            {"filter": "twice > 1"},
            {"lookup": {"dataset": CUSTOMERS, "on": {"customer_id": "id"}, "take": ["name"]}},
            {"compute": {"expression": "name || sum", "as": "label"}},
            {"map": {"label": "text"}},
        ],
        {
            "customers -> *: direct",
            *(
                f'{start} -> text: direct = lookup_1."name" || CAST(((amount * 2) + id) AS VARCHAR)'
                for start in ("orders.amount", "orders.id", "customers.name")
            ),
            "orders.amount -> *: indirect where",
            "orders.customer_id -> *: indirect join",
            "customers.id -> *: indirect join",
        },
    ),
}
NAMES = """
create table odd ("Order No" bigint, "a.b" varchar, "select" int, "Ünï" int);
insert into odd values (1, 'x', 2, 3);
"""


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    """The graph of a project with a dataset for each case."""
    shop = Warehouse(tmp_path_factory.mktemp("operations") / "project")
    shop.write(
        {
            name: {"from": ORDERS, "transform": {"operations": operations}}
            for name, (operations, _) in OPERATIONS.items()
        }
    )
    shop.extract()
    for name in OPERATIONS:
        shop.made(name)
    found = shop.graph()
    assert found.unresolved() == []
    return found


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_graph_tells_where_each_column_comes_from(graph, name):
    assert flows(graph, name) == {"orders -> *: direct", *OPERATIONS[name][1]}


def test_names_that_are_no_plain_ones_lead_from_the_table_through_two_datasets(shop):
    shop.execute(NAMES)
    shop.write(
        {
            "odd": {
                "from": "wh/wh.main.odd",
                "transform": {
                    "operations": [
                        {"rename": {"a.b": "c d"}},
                        {"compute": {"expression": '"Order No" + "select"', "as": "sum.of"}},
                        {"drop": ["Order No"]},
                    ]
                },
            },
            "next": {
                "from": "datasets/odd",
                "transform": {"operations": [{"map": {"c d": "one", "sum.of": "two", "Ünï": "ünï 2"}}]},
            },
        }
    )
    shop.extract()
    shop.made("odd")
    shop.made("next")
    graph = shop.graph()
    assert flows(graph, "odd") == {
        "odd -> *: direct",
        'odd."a.b" -> "c d": direct',
        'odd."Order No" -> "sum.of": direct = "Order No" + "select"',
        'odd.select -> "sum.of": direct = "Order No" + "select"',
        "odd.select -> select: direct",
        "odd.Ünï -> Ünï: direct",
    }
    assert flows(graph, "next") == {
        "odd -> *: direct",
        'odd."c d" -> one: direct',
        'odd."sum.of" -> two: direct',
        'odd.Ünï -> "ünï 2": direct',
    }


def test_a_chain_of_datasets_is_upstream_of_the_last_one(shop):
    shop.write(
        {
            # The file's order is no matter.
            "last": {
                "from": "datasets/middle",
                "transform": {
                    "operations": [
                        {"lookup": {"dataset": "datasets/people", "on": ["customer_id"], "take": ["name"]}},
                        {"select": ["twice", "name"]},
                    ]
                },
            },
            "middle": {
                "from": ORDERS,
                "transform": {"operations": [{"compute": {"expression": "amount * 2", "as": "twice"}}]},
            },
            "people": {
                "from": CUSTOMERS,
                "transform": {"operations": [{"map": {"id": "customer_id", "name": "name"}}]},
            },
        }
    )
    assert list(shop.project.datasets)[-1] == "last"
    shop.extract()
    for name in shop.project.datasets:
        shop.made(name)
    graph = shop.graph()
    assert flows(graph, "last") == {
        "middle -> *: direct",
        "people -> *: direct",
        "middle.twice -> twice: direct",
        "people.name -> name: direct",
        "middle.customer_id -> *: indirect join",
        "people.customer_id -> *: indirect join",
    }
    ends = {(edge["from"], edge["to"]) for edge in graph.around("datasets/last", 9)["edges"]}
    assert ends == {
        (ORDERS, "datasets/middle"),
        (CUSTOMERS, "datasets/people"),
        ("datasets/middle", "datasets/last"),
        ("datasets/people", "datasets/last"),
    }
    ends = {
        (edge["from"], edge["to"]) for edge in graph.around("datasets/last.twice", 9, columns=True)["edges"]
    }
    assert ends == {
        (f"{ORDERS}.amount", "datasets/middle.twice"),
        ("datasets/middle.twice", "datasets/last.twice"),
    }


def test_the_command_line_explains_an_edge_by_its_expression(shop, capsys):
    operations = [{"compute": {"expression": "amount * 2", "as": "twice"}}, {"filter": "id > 1"}]
    shop.write({"doubled": {"from": ORDERS, "transform": {"operations": operations}}})
    shop.extract()
    shop.made("doubled")
    shop.graph()
    explain = ["--project", str(shop.folder), "lineage", "explain"]
    assert run([*explain, f"{ORDERS}.amount", "datasets/doubled.twice"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "wh/wh.main.orders.amount -> datasets/doubled.twice" in told
    assert "amount * 2" in told
    assert "transform by datasets at datasets.doubled.transform" in told
    assert run([*explain, ORDERS, "datasets/doubled"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "wh/wh.main.orders.id -> datasets/doubled" in told
    assert "where" in told


def test_a_shared_transform_is_named_by_where_it_stands_in_the_file(shop):
    shop.write(
        {"one": {"from": ORDERS, "transform": "keys"}, "two": {"from": CUSTOMERS, "transform": "keys"}},
        transforms={"keys": {"operations": [{"select": ["id"]}]}},
    )
    shop.extract()
    for name in ("one", "two"):
        shop.made(name)
    edges = [edge for edge in shop.graph().edges() if edge["to"].startswith("datasets/")]
    assert len(edges) == 4
    assert {one["location"] for edge in edges for one in edge["provenance"]} == {"transforms.keys"}
