"""Resources by words and by fields."""

from __future__ import annotations

import pytest

from connectors import Resource
from connectors.errors import LineageError
from lineage.graph.search import FIELDS, parse_words
from tests.lineage.world import Connection, ExternalTable, World


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("search"))
    owner = Connection("wh")
    owner.table("shop.sales.orders", "id", "amount")
    owner.table("shop.ops.orders", "id", "amount_cents")
    world.run(owner)
    bi = Connection("bi")
    for key, more in {
        "c1": {"title": "Orders", "owners": ["Ada <ada@example.com>"], "tags": ["pii"], "native_type": "pie"},
        "c2": {"title": "Late orders", "owners": ["bob"], "description": 'He said "soon"'},
        "c3": {"title": "odd: [x] 100%", "description": "kept in s3://lake/orders"},
    }.items():
        bi.writer.resource(Resource(entity_type="chart", databuilder_id=key, **more))
    described = ExternalTable(table="orders", schema="ops")
    bi.table("x.y.view_of_orders", same_as=described, key="described")
    world.run(bi)
    return world.graph()


@pytest.mark.parametrize(
    ("words", "found"),
    {
        "orders type:chart": "bi/c1 bi/c2 bi/c3",
        "type:PIE": "bi/c1",
        "type:char": "",
        "type:ch*": "bi/c1 bi/c2 bi/c3",
        "owner:ada": "bi/c1",
        "owner:ada*com": "bi/c1",
        "type:chart owner:ada tag:pii title:orders": "bi/c1",
        "type:chart owner:bob tag:pii": "",
        "tag:pi": "",
        "column:amount": "wh/shop.sales.orders wh/shop.sales.orders.amount",
        "column:amount*": "wh/shop.ops.orders wh/shop.sales.orders wh/shop.ops.orders.amount_cents "
        "wh/shop.sales.orders.amount",
        "column:amount type:table": "wh/shop.sales.orders",
        "column:ID type:table schema:ops": "wh/shop.ops.orders",
        "column:nothing": "",
        "database:shop schema:sales type:table": "wh/shop.sales.orders",
        "schema:sal": "",
        "connection:wh type:table": "wh/shop.ops.orders wh/shop.sales.orders",
        "connection:bi type:table": "wh/shop.ops.orders",
        "title:late": "bi/c2",
        "id:ops.orders type:table": "wh/shop.ops.orders",
        "id:bi/described": "wh/shop.ops.orders",
        "text:late": "bi/c2",
        "TITLE:late": "bi/c2",
        "title:[x]": "bi/c3",
        "title:*?*": "",
        "s3://lake": "bi/c3",
        "text:odd:": "bi/c3",
        '"soon"': "bi/c2",
        "title:100%": "bi/c3",
    }.items(),
)
def test_words_and_fields(graph, words, found):
    assert [one["id"] for one in graph.find(words.split())] == found.split()


def test_a_title_that_is_the_word_comes_first_and_columns_last(graph):
    found = [one["id"] for one in graph.find(["orders"])]
    assert found[:3] == ["bi/c1", "wh/shop.ops.orders", "wh/shop.sales.orders"]
    assert graph.find(["orders"], limit=1)[0]["id"] == "bi/c1"


@pytest.mark.parametrize("word", ["colour:red", "urn:li:dataset"])
def test_an_unknown_field_is_an_error_that_names_the_fields(graph, word):
    with pytest.raises(LineageError, match=rf"'text:{word}'") as error:
        graph.find([word])
    assert all(name in error.value.message for name in FIELDS)


def test_a_field_without_a_value_is_an_error():
    with pytest.raises(LineageError, match="no value"):
        parse_words(["type:"])


def test_every_field_can_be_asked_for_in_an_empty_graph(world):
    world.run(Connection("wh"))
    graph = world.graph()
    assert [graph.find([f"{name}:x"]) for name in FIELDS] == [[]] * len(FIELDS)
