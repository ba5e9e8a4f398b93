"""What leaves a project by a sink, as the edges of the built graph tell it."""

from __future__ import annotations

from pipelines.cli.main import run
from tests.pipelines.datasets.flows import flows

ORDERS = "wh/wh.main.orders"
DOUBLED = {
    "from": ORDERS,
    "transform": {"operations": [{"map": {"id": "id", "amount": "a.b"}}]},
    "sinks": ["out", "lake"],
}
SINKS = {
    "out": {"connector": "duckdb", "config": {"path": "./out.duckdb", "schema": "mart"}},
    "lake": {"connector": "files", "config": {"path": "./lake", "format": "csv"}},
}
READER = {"connector": "duckdb", "allow_late": True, "max_drop": 1, "config": {"path": "./out.duckdb"}}


def edges_from(graph, dataset):
    """The edges from a dataset and its columns: ends, kind and who says so."""
    ids = {dataset, *(one["id"] for one in graph.resources() if one["parent_id"] == dataset)}
    return {
        (
            edge["from"],
            edge["to"],
            edge["level"],
            edge["kind"],
            *sorted({(one["origin"], one["connection"], one["matched_by"]) for one in edge["provenance"]}),
        )
        for edge in graph.edges()
        if edge["from"] in ids
    }


def told(start, end, matched_by):
    by = ("sink", "sinks", matched_by)
    return {
        (start, end, "resource", "direct", by),
        (f"{start}.id", f"{end}.id", "column", "direct", by),
        (f'{start}."a.b"', f'{end}."a.b"', "column", "direct", by),
    }


def test_a_dataset_leads_to_what_each_sink_has_of_it_column_by_column(shop):
    shop.write({"doubled": DOUBLED}, sinks=SINKS)
    shop.extract()
    shop.made("doubled")
    for sink in SINKS:
        shop.delivered(sink, "doubled")
    graph = shop.graph()
    assert edges_from(graph, "datasets/doubled") == (
        told("datasets/doubled", "sinks/out/doubled", "id")
        | told("datasets/doubled", "sinks/lake/doubled", "id")
    )
    assert graph.unresolved() == []
    (target,) = [one for one in graph.resources() if one["id"] == "sinks/out/doubled"]
    assert (target["title"], target["database"], target["schema"]) == ("doubled", "out", "mart")


def test_a_target_that_a_connection_reads_is_that_connections_table_after_its_next_sync(shop):
    shop.write({"doubled": DOUBLED}, sinks=SINKS)
    shop.extract()
    shop.made("doubled")
    for sink in SINKS:
        shop.delivered(sink, "doubled")
    shop.write(
        {
            "doubled": DOUBLED,
            "again": {
                "from": "mart/out.mart.doubled",
                "transform": {"operations": [{"map": {"a.b": "amount"}}]},
            },
        },
        sinks=SINKS,
        connections={"mart": {**READER, "records": ["out.mart.doubled"]}},
    )
    shop.extract("mart")
    shop.made("again")
    graph = shop.graph()
    assert edges_from(graph, "datasets/doubled") == (
        told("datasets/doubled", "mart/out.mart.doubled", "same_as")
        | told("datasets/doubled", "sinks/lake/doubled", "id")
    )
    assert flows(graph, "again") == {
        "mart/out.mart.doubled -> *: direct",
        'mart/out.mart.doubled."a.b" -> amount: direct',
    }
    assert "sinks/out/doubled" not in {one["id"] for one in graph.resources()}
    whole = graph.around("datasets/again", 9)
    assert ORDERS in {one["id"] for one in whole["resources"]}
    assert graph.unresolved() == []


def test_both_ways_lead_through_a_sink_on_the_command_line(shop, capsys):
    shop.write({"doubled": DOUBLED}, sinks=SINKS, connections={"mart": READER})
    shop.extract()
    shop.made("doubled")
    shop.delivered("out", "doubled")
    shop.extract("mart")
    shop.graph()
    lineage = ["--project", str(shop.folder), "lineage"]
    assert run([*lineage, "path", ORDERS, "mart/out.mart.doubled"]) == 0
    assert "datasets/doubled" in capsys.readouterr().out
    assert run([*lineage, "explain", "datasets/doubled", "mart/out.mart.doubled"]) == 0
    assert "sink by sinks, matched by same_as" in " ".join(capsys.readouterr().out.split())


def test_a_sink_and_a_dataset_that_are_taken_out_of_the_file_leave_the_graph(shop):
    shop.write({"doubled": DOUBLED, "gone": {"from": ORDERS}}, sinks=SINKS)
    assert shop.sync().ok
    shop.write({"doubled": {**DOUBLED, "sinks": ["lake"]}}, sinks=SINKS)
    assert shop.sync().ok
    graph = shop.graph()
    assert edges_from(graph, "datasets/doubled") == told("datasets/doubled", "sinks/lake/doubled", "id")
    ids = {one["id"] for one in graph.resources()}
    assert "datasets/doubled" in ids
    assert not {one for one in ids if one.startswith(("datasets/gone", "sinks/out"))}
