"""`--level`, `--collapse` and `--open`: the same graph seen from higher, and without what is in the way."""

from __future__ import annotations

EDGE = {"from", "to", "level", "kind", "clauses", "expression", "provenance"}
SUMMARY = "*.summary"


def test_upstream_at_a_level_has_nodes_with_counts(synced):
    answer = synced("lineage", "upstream", "revenue", "--level", "connection", "--json").json
    assert answer.keys() == {"id", "direction", "as_of", "level", "nodes", "edges"}
    assert (answer["id"], answer["level"]) == ("hand", "connection")
    assert [(node["id"], node["distance"]) for node in answer["nodes"]] == [("hand", 0), ("app", 1)]
    for node in answer["nodes"]:
        assert node.keys() == {"id", "connection", "entity_type", "title", "counts", "distance"}
    (edge,) = answer["edges"]
    assert edge.keys() == {"from", "to", "kind", "direct", "indirect"}


def test_a_level_is_shown_as_a_tree_and_as_a_way(synced):
    assert b"hand/revenue  1 direct" in synced("lineage", "downstream", "orders", "--level", "schema").out
    way = synced("lineage", "path", "orders", "revenue", "--level", "database", "--json").json
    assert [(edge["from"], edge["to"]) for edge in way["edges"]] == [("app/app", "hand/revenue")]


def test_the_level_of_columns_is_column_by_column(synced):
    by_level = synced("lineage", "upstream", "revenue", "--level", "column", "--json")
    assert by_level.out == synced("lineage", "upstream", "revenue", "--columns", "--json").out
    assert synced("lineage", "upstream", "revenue", "--level", "schema", "--columns").code == 2


def test_export_of_a_level_has_nodes_and_edges_and_is_drawn(synced):
    whole = synced("lineage", "export", "--level", "connection").json
    assert whole.keys() == {"as_of", "level", "nodes", "edges"}
    around = synced("lineage", "export", "--level", "schema", "--focus", "orders").json
    assert {node["id"] for node in around["nodes"]} == {"app/app.main", "hand/revenue"}
    for form in ("mermaid", "dot", "svg"):
        assert b"hand" in synced("lineage", "export", "--level", "connection", "--format", form).out
    assert synced("lineage", "export", "--level", "schema", "--format", "csv").code == 2


def test_a_collapsed_resource_is_linked_past_and_named(synced):
    answer = synced("lineage", "upstream", "revenue", "--collapse", SUMMARY, "--json").json
    distances = {resource["id"]: resource["distance"] for resource in answer["resources"]}
    assert distances == {"hand/revenue": 0, "app/app.main.customers": 1, "app/app.main.orders": 1}
    for edge in answer["edges"]:
        assert edge.keys() == EDGE | {"via"}
        assert edge["via"] == ["app/app.main.summary"]
    assert b"via app/app.main.summary" in synced("lineage", "upstream", "revenue", "--collapse", SUMMARY).out
    way = synced("lineage", "path", "orders", "revenue", "--collapse", SUMMARY, "--json").json
    assert len(way["edges"]) == 1


def test_impact_and_export_leave_out_what_they_are_told_to(synced):
    found = synced("lineage", "impact", "orders", "--collapse", SUMMARY, "--json").json
    assert "app/app.main.summary" not in {one["id"] for one in found["affected"]}
    whole = synced("lineage", "export", "--collapse", SUMMARY).json
    assert not [one for one in whole["resources"] if one["id"].startswith("app/app.main.summary")]
    assert [edge for edge in whole["edges"] if "via" in edge]


def test_the_projects_patterns_hold_for_questions_until_they_are_opened_and_not_for_an_export(
    synced, synced_folder
):
    file = synced_folder / "headwater.yaml"
    text = file.read_text()
    file.write_text(f'{text}\ncollapse: ["{SUMMARY}"]\n')
    try:
        closed = synced("lineage", "upstream", "revenue", "--json").json
        opened = synced("lineage", "upstream", "revenue", "--open", "--json").json
        export = synced("lineage", "export").json
        both = synced("lineage", "upstream", "revenue", "--open", "--collapse", "x")
    finally:
        file.write_text(text)
    assert "app/app.main.summary" not in {one["id"] for one in closed["resources"]}
    assert "app/app.main.summary" in {one["id"] for one in opened["resources"]}
    assert "app/app.main.summary" in {one["id"] for one in export["resources"]}
    assert both.code == 2
