"""A graph as OpenLineage events: what there is, and what comes from what."""

from __future__ import annotations

import json

import pytest

from connectors import Resource
from lineage.formats.openlineage import PRODUCER, graph_events, own_namespace, to_line
from tests.lineage.world import Connection, ExternalColumn, ExternalTable
from tests.openlineage_schema import validate

SQL = """
insert into shop.public.summary
select sum(o.amount) as total, c.name, case when o.id > 3 then 'late' end as state
from shop.public.orders o join shop.public.customers c on c.id = o.cid
where o.id > 3 and o.note = '"quoted" & <odd>' group by c.name order by c.name
"""
PLACE = "postgres://db.example.com:5432"


@pytest.fixture
def graph(world):
    warehouse = Connection("warehouse", "postgres")
    warehouse.table("shop.public.orders", "id", "amount", "cid", "note")
    warehouse.table("shop.public.customers", "id", "name")
    warehouse.table("shop.public.summary", "total", "who", "state")
    warehouse.writer.resource(
        Resource(
            entity_type="view",
            databuilder_id="shop.public.odd",
            title="odd.one",
            database="shop",
            schema="public",
            description="An odd one",
            owners=["ada@example.com"],
            tags=["pii"],
        )
    )
    warehouse.statement(SQL)
    world.run(warehouse)
    bi = Connection("bi")
    bi.table("shop.public.orders", key="dataset.orders", same_as=ExternalTable(table="orders"))
    bi.link(
        ExternalColumn(database="shop", schema="public", table="summary", column="total"), bi.chart("revenue")
    )
    world.run(bi)
    return world.graph().to_dict()


@pytest.fixture
def events(graph):
    found = graph_events(
        graph, producer=PRODUCER, namespaces={"warehouse": PLACE}, job_namespace=own_namespace("shop")
    )
    return [json.loads(to_line(event)) for event in found]


def datasets(events):
    named = [event["dataset"] for event in events if "dataset" in event]
    return {(one["namespace"], one["name"]): one["facets"] for one in named}


def jobs(events):
    return {event["job"]["name"]: event for event in events if "job" in event}


def test_every_event_is_what_openlineage_demands(events):
    for event in events:
        validate(event)
    assert {event["schemaURL"].rpartition("/")[2] for event in events} == {"DatasetEvent", "JobEvent"}
    assert {event["producer"] for event in events} == {PRODUCER}


def test_tables_have_their_platforms_names_and_others_their_keys(events):
    assert set(datasets(events)) == {
        (PLACE, "shop.public.orders"),
        (PLACE, "shop.public.customers"),
        (PLACE, "shop.public.summary"),
        (PLACE, 'shop.public."odd.one"'),
        ("headwater://shop/bi", "revenue"),
    }


def test_a_table_has_its_schema_documentation_owners_tags_and_aliases(events):
    orders = datasets(events)[PLACE, "shop.public.orders"]
    assert [(one["name"], one["ordinal_position"]) for one in orders["schema"]["fields"]] == [
        ("id", 1),
        ("amount", 2),
        ("cid", 3),
        ("note", 4),
    ]
    alias = {"namespace": "headwater://shop/bi", "name": "dataset.orders", "type": "TABLE"}
    assert orders["symlinks"]["identifiers"] == [alias]
    odd = datasets(events)[PLACE, 'shop.public."odd.one"']
    assert odd["documentation"]["description"] == "An odd one"
    assert odd["ownership"]["owners"] == [{"name": "ada@example.com"}]
    assert odd["tags"]["tags"] == [{"key": "pii", "value": "true", "source": "HEADWATER"}]
    assert odd["datasetType"]["datasetType"] == "VIEW"


def test_what_makes_a_table_is_a_job_with_its_statement_and_both_ends(events):
    made = jobs(events)
    assert set(made) == {"warehouse/shop.public.summary", "bi/revenue"}
    job = made["warehouse/shop.public.summary"]
    assert job["job"]["namespace"] == "headwater://shop"
    assert job["job"]["facets"]["sql"]["query"].strip() == SQL.strip()
    assert [(one["namespace"], one["name"]) for one in job["inputs"]] == [
        (PLACE, "shop.public.customers"),
        (PLACE, "shop.public.orders"),
    ]
    assert [(one["namespace"], one["name"]) for one in job["outputs"]] == [(PLACE, "shop.public.summary")]
    assert "sql" not in made["bi/revenue"]["job"]["facets"]


def lineage_of(events, job):
    (output,) = jobs(events)[job]["outputs"]
    return output["facets"]["columnLineage"]


def told(inputs):
    return {
        (one["name"].rpartition(".")[2], one["field"]): {
            (how["type"], how.get("subtype")) for how in one["transformations"]
        }
        for one in inputs
    }


def test_column_lineage_says_how_each_column_is_made(events):
    fields = lineage_of(events, "warehouse/shop.public.summary")["fields"]
    assert told(fields["total"]["inputFields"]) == {("orders", "amount"): {("DIRECT", "TRANSFORMATION")}}
    assert told(fields["who"]["inputFields"]) == {("customers", "name"): {("DIRECT", "IDENTITY")}}
    assert told(fields["state"]["inputFields"]) == {
        ("orders", "id"): {("DIRECT", "TRANSFORMATION"), ("INDIRECT", "CONDITIONAL")}
    }
    (made,) = fields["total"]["inputFields"]
    assert made["transformations"][0]["description"] == "sum(o.amount)"


def test_what_decides_over_rows_stands_beside_the_columns(events):
    assert told(lineage_of(events, "warehouse/shop.public.summary")["dataset"]) == {
        ("orders", "id"): {("INDIRECT", "FILTER")},
        ("orders", "note"): {("INDIRECT", "FILTER")},
        ("orders", "cid"): {("INDIRECT", "JOIN")},
        ("customers", "id"): {("INDIRECT", "JOIN")},
        ("customers", "name"): {("INDIRECT", "GROUP_BY"), ("INDIRECT", "SORT")},
    }


def test_a_declaration_says_that_a_column_is_used_and_not_how(events):
    assert told(lineage_of(events, "bi/revenue")["dataset"]) == {("summary", "total"): {("DIRECT", None)}}


def test_a_part_of_a_graph_names_only_what_is_in_it(graph):
    kept = [one for one in graph["resources"] if one["entity_type"] != "column"][:2]
    part = graph | {"resources": kept}
    for event in graph_events(part, producer=PRODUCER, namespaces={}):
        validate(json.loads(to_line(event)))


def test_a_column_within_itself_ends():
    columns = [
        {"id": f"w/{a}", "entity_type": "column", "parent_id": f"w/{b}", "title": a, "connection": "w"}
        for a, b in (("a", "b"), ("b", "a"), ("c", "t"), ("d", "c"))
    ]
    rest = {"aliases": [], "databuilder_id": "x", "database": None, "schema": None}
    table = {"id": "w/t", "entity_type": "table", "parent_id": None, "title": "t", "connection": "w"}
    why = [{"origin": "declared", "sql": None}]
    edge = {"level": "column", "kind": "direct", "clauses": [], "expression": None, "provenance": why}
    graph = {
        "resources": [one | rest for one in (table, *columns)],
        "edges": [edge | {"from": "w/a", "to": "w/d"}, edge | {"from": "w/c", "to": "w/d"}],
    }
    events = [json.loads(to_line(one)) for one in graph_events(graph, producer=PRODUCER, namespaces={})]
    for event in events:
        validate(event)
    (fields,) = [one["dataset"]["facets"]["schema"]["fields"] for one in events if "dataset" in one]
    assert [(one["name"], [inner["name"] for inner in one["fields"]]) for one in fields] == [("c", ["d"])]
    assert set(lineage_of(events, "w/t")["fields"]) == {"c.d"}


@pytest.mark.parametrize("broken", ["dataset", "producer", "schemaURL"])
def test_the_schema_of_these_tests_refuses_what_lacks_a_part(events, broken):
    event = next(one for one in events if "dataset" in one)
    with pytest.raises((ValueError, KeyError)):
        validate({name: part for name, part in event.items() if name != broken})


def test_the_schema_of_these_tests_refuses_an_unknown_field_of_a_facet(events):
    event = next(one for one in events if "dataset" in one)
    event["dataset"]["facets"]["datasetType"]["kind"] = "TABLE"
    with pytest.raises(ValueError, match="kind"):
        validate(event)
