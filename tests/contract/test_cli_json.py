"""The JSON of every command, as the contract has it."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

EDGE = {"from", "to", "level", "kind", "clauses", "expression", "provenance"}
PROVENANCE = {
    *("origin", "connection", "partition", "run_id", "declaration", "sql", "location", "matched_by"),
}
RESOURCE = {
    *(
        "id",
        "aliases",
        "connection",
        "entity_type",
        "databuilder_id",
        "parent_id",
        "title",
        "database",
        "schema",
    ),
    "inferred",
}
UNRESOLVED = {
    *(
        "reference",
        "sql",
        "side",
        "counterpart",
        "reason",
        "candidates",
        "message",
        "connection",
        "partition",
    ),
}
REASONS = {
    *("not_found", "ambiguous", "ambiguous_column", "undeclared_internal", "unsupported_pair"),
    *("sql_parse_error", "sql_unsupported", "sql_budget"),
}
ORIGINS = {"declared", "sql", "transform", "sink", "openlineage", "manual"}
MATCHES = {"id", "exact", "casefold", "defaults", "same_as"}
CLAUSES = {"where", "join", "group_by", "having", "order_by", "window", "qualify", "case"}
AMOUNT, TOTAL = "app/app.main.orders.amount", "app/app.main.summary.total"


def today():
    return f"{datetime.now(UTC):%Y-%m-%d}"


@pytest.fixture
def export(synced):
    said = synced("lineage", "export", "--format", "json")
    assert said.code == 0
    return said.json


def test_export_has_the_graph_and_what_it_is_made_of(export):
    assert export.keys() == {"as_of", "partitions", "resources", "edges", "unresolved"}
    assert export["as_of"] == today()
    assert export["partitions"] == {name: [today()] for name in ("app", "scripts", "hand")}


def test_an_exported_resource_has_the_contracts_keys_and_every_set_field(export):
    for resource in export["resources"]:
        assert resource.keys() >= RESOURCE
        assert resource["id"] == f"{resource['connection']}/{resource['databuilder_id']}"
        assert resource["inferred"] is False
        assert resource["aliases"] == []
    by_id = {resource["id"]: resource for resource in export["resources"]}
    column = by_id[AMOUNT]
    assert (column["entity_type"], column["parent_id"], column["title"]) == (
        *("column", "app/app.main.orders", "amount"),
    )
    assert column["type"].lower() == "real"
    assert by_id["app/app.main.named_orders"]["definition"].lower().startswith("create view named_orders")


def test_an_exported_edge_has_the_contracts_keys_and_values(export):
    ids = {resource["id"] for resource in export["resources"]}
    columns = {resource["id"] for resource in export["resources"] if resource["entity_type"] == "column"}
    assert export["edges"]
    for edge in export["edges"]:
        assert edge.keys() == EDGE
        assert {edge["from"], edge["to"]} <= ids
        assert edge["level"] == ("column" if {edge["from"], edge["to"]} & columns else "resource")
        assert edge["kind"] in ("direct", "indirect")
        assert set(edge["clauses"]) <= CLAUSES
        assert edge["provenance"]
        for why in edge["provenance"]:
            assert why.keys() == PROVENANCE
            assert why["origin"] in ORIGINS
            assert why["matched_by"] in MATCHES
            assert why["partition"] == today()


def test_a_column_edge_comes_with_the_edge_between_its_tables(export):
    parents = {r["id"]: r["parent_id"] for r in export["resources"] if r["entity_type"] == "column"}
    ends = {(edge["from"], edge["to"]) for edge in export["edges"]}
    for edge in export["edges"]:
        whole = tuple(parents.get(end, end) for end in (edge["from"], edge["to"]))
        assert whole in ends


def test_an_edge_of_sql_names_its_text_and_place_and_one_declared_its_declaration(export):
    by_ends = {(edge["from"], edge["to"]): edge for edge in export["edges"]}
    (sql,) = by_ends[AMOUNT, TOTAL]["provenance"]
    assert (sql["origin"], sql["connection"], sql["matched_by"]) == ("sql", "scripts", "exact")
    assert sql["location"].startswith("summary.sql")
    assert "insert into summary" in sql["sql"]
    assert by_ends[AMOUNT, TOTAL]["expression"].upper() == "SUM(O.AMOUNT)"
    declared = by_ends["app/app.main.summary", "hand/revenue"]["provenance"]
    assert {(why["origin"], why["connection"], why["sql"]) for why in declared} == {
        ("declared", "hand", None)
    }
    assert {why["matched_by"] for why in declared} == {"casefold", "exact"}
    assert all(why["declaration"] for why in declared)


def test_exported_unresolved_references_have_the_contracts_keys_and_reasons(export):
    for entry in export["unresolved"]:
        assert entry.keys() >= UNRESOLVED
        assert entry["reason"] in REASONS
        assert entry["side"] in ("from", "to")
        assert isinstance(entry["candidates"], list)
        assert entry["message"]
        assert entry["partition"] == today()
    by_reason = {entry["reason"]: entry for entry in export["unresolved"]}
    assert by_reason.keys() == {"not_found", "undeclared_internal", "sql_parse_error"}
    missing = by_reason["not_found"]
    assert missing["reference"] == {"type": "external_table", "table": "sumary"}
    assert (missing["side"], missing["counterpart"], missing["connection"]) == (
        "from",
        "hand/revenue",
        "hand",
    )
    assert missing["candidates"] == ["app/app.main.summary"]
    undeclared = by_reason["undeclared_internal"]
    assert (undeclared["side"], undeclared["counterpart"]) == ("to", "app/app.main.orders")
    assert "select (1" in by_reason["sql_parse_error"]["sql"]


def test_export_is_the_same_text_twice(synced):
    assert synced("lineage", "export").out == synced("lineage", "export").out


def test_export_around_a_resource_has_the_same_shape(synced):
    said = synced("lineage", "export", "--focus", "summary", "--depth", "1")
    assert said.json.keys() == {"as_of", "partitions", "resources", "edges", "unresolved"}
    assert {edge["to"] for edge in said.json["edges"]} == {"app/app.main.summary", "hand/revenue"}


def test_upstream_has_each_resource_with_its_distance(synced):
    answer = synced("lineage", "upstream", "revenue", "--json").json
    assert answer.keys() == {"id", "direction", "as_of", "resources", "edges"}
    assert (answer["id"], answer["direction"], answer["as_of"]) == ("hand/revenue", "upstream", today())
    distances = {resource["id"]: resource["distance"] for resource in answer["resources"]}
    assert distances == {
        "hand/revenue": 0,
        "app/app.main.summary": 1,
        "app/app.main.customers": 2,
        "app/app.main.orders": 2,
    }
    assert all(edge.keys() == EDGE for edge in answer["edges"])


def test_upstream_by_columns_and_by_depth(synced):
    answer = synced("lineage", "upstream", "summary.total", "--json").json
    direct = {edge["from"] for edge in answer["edges"] if edge["to"] == TOTAL and edge["kind"] == "direct"}
    assert direct == {AMOUNT}
    near = synced("lineage", "upstream", "revenue", "--depth", "1", "--json").json
    assert {resource["distance"] for resource in near["resources"]} == {0, 1}


def test_downstream_is_the_other_way(synced):
    answer = synced("lineage", "downstream", "app/app.main.customers", "--json").json
    assert answer["direction"] == "downstream"
    assert {resource["id"] for resource in answer["resources"]} == {
        "app/app.main.customers",
        "app/app.main.named_orders",
        "app/app.main.summary",
        "hand/revenue",
    }


def test_path_has_the_edges_in_order(synced):
    answer = synced("lineage", "path", "orders.amount", "revenue", "--json").json
    assert answer.keys() == {"from", "to", "as_of", "edges"}
    assert (answer["from"], answer["to"]) == (AMOUNT, "hand/revenue")
    assert [(edge["from"], edge["to"]) for edge in answer["edges"]] == [
        (AMOUNT, TOTAL),
        (TOTAL, "hand/revenue"),
    ]


def test_where_no_way_leads_the_path_is_empty_and_the_code_is_1(synced):
    said = synced("lineage", "path", "revenue", "orders", "--json")
    assert (said.code, said.json["edges"]) == (1, [])


def test_unresolved_is_the_exports_list(synced, export):
    assert synced("lineage", "unresolved", "--json").json == export["unresolved"]
    of_scripts = synced("lineage", "unresolved", "--connection", "scripts", "--json").json
    assert [entry["reason"] for entry in of_scripts] == ["sql_parse_error"]


def test_explain_lists_the_edges_with_their_reasons(synced):
    said = synced("lineage", "explain", "summary", "revenue", "--json")
    assert {(edge["from"], edge["to"]) for edge in said.json} == {
        ("app/app.main.summary", "hand/revenue"),
        (TOTAL, "hand/revenue"),
    }
    assert all(edge["provenance"] for edge in said.json)
    nothing = synced("lineage", "explain", "revenue", "summary", "--json")
    assert (nothing.code, nothing.json) == (1, [])


def test_find_lists_resources(synced):
    found = synced("find", "revenue", "--json").json
    assert [(resource["id"], resource["entity_type"]) for resource in found] == [
        ("hand/revenue", "dashboard")
    ]
    assert found[0].keys() >= RESOURCE
    assert synced("find", "nothing_like_it", "--json").json == []


def test_runs_lists_flow_runs(synced):
    runs = synced("runs", "--json").json
    assert {run["flow"] for run in runs} == {"app", "scripts", "hand"}
    for run in runs:
        assert run.keys() == {
            *(
                "id",
                "run_number",
                "flow",
                "partitions",
                "trigger",
                "status",
                "started_at",
                "ended_at",
                "attempt",
            ),
            *("complete", "resources", "warnings", "error", "datasets", "link"),
            *("records", "size_bytes", "errors", "quarantined"),
        }
        assert (run["partitions"], run["trigger"], run["attempt"], run["error"]) == (
            [today()],
            "manual",
            1,
            None,
        )
        assert run["status"] == "SUCCESS"
        assert datetime.fromisoformat(run["started_at"]) <= datetime.fromisoformat(run["ended_at"])
        assert run["link"] == f"/runs/{run['id']}"
    assert {run["flow"]: run["resources"] for run in runs}["hand"] == 1
    assert [run["flow"] for run in synced("runs", "--flow", "app", "--json").json] == ["app"]
    assert synced("runs", "--since", "2100-01-01", "--json").json == []
    assert len(synced("runs", "--since", "3650d", "--status", "success", "--json").json) == 3
    assert synced("runs", "--external", "--json").json == []
    assert synced("runs", "--status", "FAILED").code == 0


def test_runs_show_tells_what_a_run_did_and_its_log(synced):
    run = synced("runs", "--json").json[0]
    for named in (run["id"], run["id"][:8], run["id"][-6:], str(run["run_number"])):
        shown = synced("runs", "show", named, "--level", "debug", "--json").json
        assert {one["id"] for one in shown["flows"]} == {run["id"]}
    assert {one["flow"] for one in shown["flows"]} == {"app", "scripts", "hand"}
    assert shown["log"][-1].keys() == {"at", "level", "message", "step", "event"}
    assert shown["log"][-1]["event"] == "PIPELINE_SUCCESS"
    short = synced("runs", "show", run["id"], "--level", "debug", "--lines", "3", "--json").json["log"]
    assert short == shown["log"][-3:]
    said = synced("runs", "show", run["id"][:8], "--level", "debug")
    assert b"resources/app" in said.out
    assert b"Finished execution of run" in said.out
    assert synced("runs", "show", "nothing").code == 1


def test_metrics_sum_by_run_and_by_day(synced):
    by_day, by_run = (synced("metrics", "--by", by, "--json").json for by in ("day", "run"))
    assert {(one["dataset"], one["records"]) for one in by_day} == {
        (r["dataset"], r["records"]) for r in by_run
    }
    sums = {"dataset", "records", "size_bytes", "errors", "quarantined", "runs", "day"}
    assert all(one.keys() == sums for one in by_day)
    told = {"run_number", "id", "status", "started_at", "ended_at"}
    assert all(one.keys() == sums | told for one in by_run)
    assert [one["dataset"] for one in synced("metrics", "--flow", "app", "--json").json] == ["resources/app"]
    assert len(synced("metrics", "--dataset", "resources/app", "--by", "run", "--json").json) == 1
    assert synced("metrics", "--until", "2000-01-01", "--json").json == []
    assert b"resources/app" in synced("metrics").out


def test_check_lists_each_connections_capabilities(synced, synced_folder):
    said = synced("check", "--json")
    assert said.code == 0
    assert said.json["ok"] is True
    assert said.json["connections"].keys() == {"app", "scripts", "hand"}
    for found in said.json["connections"].values():
        assert all(result.keys() == {"capability", "ok", "message", "hint"} for result in found)
    database = synced_folder / "app.db"
    database.rename(synced_folder / "gone.db")
    try:
        broken = synced("check", "app", "--json")
    finally:
        (synced_folder / "gone.db").rename(database)
    assert (broken.code, broken.json["ok"], list(broken.json["connections"])) == (1, False, ["app"])
    assert any(
        "app.db" in result["message"] for result in broken.json["connections"]["app"] if not result["ok"]
    )


def test_connectors_lists_what_can_be_connected(headwater):
    found = {one["name"]: one for one in headwater("connectors", "--json").json}
    assert found.keys() >= {"postgres", "sqlite", "duckdb", "dbt", "sql_files", "jsonl"}
    for one in found.values():
        assert one.keys() >= {"name", "description", "windowed", "schema"}
        assert one["schema"]["type"] == "object"
    assert [one["name"] for one in headwater("connectors", "jsonl", "--json").json] == ["jsonl"]


def test_sync_reports_each_connection_and_the_graph(synced):
    report = synced("sync", "hand", "--json").json
    assert report.keys() == {"run_id", "ok", "error", "connections", "datasets", "graph"}
    assert (report["ok"], report["error"]) == (True, None)
    ((one),) = report["connections"]
    assert one.keys() >= {
        "connection",
        "partition",
        "status",
        "resources",
        "declarations",
        "statements",
        "errors",
    }
    assert (one["connection"], one["partition"], one["status"]) == ("hand", today(), "SUCCESS")
    assert report["graph"]["partition"] == today()


SQL = "insert into s.t (a) select case when x.b > 0 then x.a end from s.x join s.y using (id) where y.c = 1"


def test_sql_has_the_contracts_shape(headwater, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(SQL))
    said = headwater("sql", "--dialect", "duckdb", "--default-database", "shop", "--json")
    assert said.code == 0
    found = said.json
    assert found.keys() == {
        *(
            "dialect",
            "in_tables",
            "out_tables",
            "column_lineage",
            "indirect",
            "ambiguous",
            "statements",
            "errors",
        ),
    }
    assert found["dialect"] == {"name": "duckdb", "detected": False}
    assert found["in_tables"] == ["shop.s.x", "shop.s.y"]
    assert found["out_tables"] == ["shop.s.t"]
    (line,) = found["column_lineage"]
    assert line.keys() == {"statement", "downstream", "upstreams", "expression"}
    assert line["downstream"] == {"table": "shop.s.t", "column": "a"}
    assert line["upstreams"] == [{"table": "shop.s.x", "column": name} for name in ("b", "a")]
    for one in found["indirect"]:
        assert one.keys() == {"statement", "table", "column", "clause", "downstream"}
        assert one["clause"] in CLAUSES
        assert one["downstream"].keys() == {"table", "column"}
    assert {one["clause"] for one in found["indirect"]} == {"case", "join", "where"}
    (statement,) = found["statements"]
    assert statement.keys() == {"index", "kind", "in_tables", "out_tables", "error"}
    assert (statement["index"], statement["error"], found["errors"]) == (0, None, [])


def test_sql_that_does_not_parse_is_an_error_with_its_place_and_code_1(headwater, tmp_path):
    (tmp_path / "bad.sql").write_text("select 1;\nselect (1 from t")
    said = headwater("sql", str(tmp_path / "bad.sql"), "--json")
    assert said.code == 1
    (error,) = said.json["errors"]
    assert error.keys() == {"statement", "message", "line", "column", "reason"}
    assert (error["statement"], error["line"], error["reason"]) == (1, 2, "sql_parse_error")


def test_sql_lists_columns_that_could_be_of_several_tables(headwater, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("select a from x, y"))
    (one,) = headwater("sql", "--json").json["ambiguous"]
    assert one == {"statement": 0, "column": "a", "candidates": ["x", "y"]}


def test_sql_takes_columns_from_a_file_of_schemas(headwater, monkeypatch, tmp_path):
    (tmp_path / "schemas.json").write_text('{"x": {"a": "int"}, "y": {"b": "int"}}')
    monkeypatch.setattr("sys.stdin", io.StringIO("select a from x, y"))
    found = headwater("sql", "--schemas", str(tmp_path / "schemas.json"), "--json").json
    assert found["ambiguous"] == []
    assert found["column_lineage"][0]["upstreams"] == [{"table": "x", "column": "a"}]
