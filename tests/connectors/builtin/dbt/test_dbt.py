from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.builtin.dbt import Dbt
from connectors.errors import UnexpectedAnswer, Unreachable
from connectors.model import ExternalTable

SCHEMA = "https://schemas.getdbt.com/dbt/{}/v{}.json"


def node(unique_id: str, *parents: str, **fields: Any) -> dict[str, Any]:
    kind, _, name = unique_id.split(".")[:3]
    name = unique_id.split(".")[-1] if kind == "source" else name
    return {
        "unique_id": unique_id,
        "resource_type": kind,
        "name": name,
        "alias": name,
        "database": "wh",
        "schema": "main",
        "language": "sql",
        "config": {"materialized": "view", "meta": None},
        "depends_on": {"nodes": list(parents), "macros": []},
        "columns": {},
        "an_unknown_field": {"of": "a newer version"},
        **fields,
    }


def columns(**descriptions: str) -> dict[str, Any]:
    return {name: {"name": name, "description": text, "tags": None} for name, text in descriptions.items()}


@pytest.fixture
def target(tmp_path):
    """Writes artifacts with these nodes, and gives their folder."""

    def write(*nodes, version=12, adapter="duckdb", **sections):
        sorted_ = {"nodes": {}, "sources": {}, "exposures": {}}
        for given in nodes:
            section = {"source": "sources", "exposure": "exposures"}.get(given["resource_type"], "nodes")
            sorted_[section][given["unique_id"]] = given
        metadata = {"dbt_schema_version": SCHEMA.format("manifest", version), "adapter_type": adapter}
        folder = tmp_path / "target"
        folder.mkdir(exist_ok=True)
        (folder / "manifest.json").write_text(json.dumps({"metadata": metadata, **sorted_, **sections}))
        return "target"

    return write


@pytest.fixture
def artifact(tmp_path):
    """Writes catalog.json or run_results.json."""

    def write(kind, **content):
        metadata = {"dbt_schema_version": SCHEMA.format(kind.replace("_", "-"), 1)}
        (tmp_path / "target" / f"{kind}.json").write_text(json.dumps({"metadata": metadata, **content}))

    return write


def pairs(found) -> list[tuple[str, str]]:
    return [
        (d.from_identifier.databuilder_id, d.to_identifier.databuilder_id)
        for d in found.declarations
        if d.from_identifier.type == "internal_resource"
    ]


ORDERS = node("model.shop.orders", "source.shop.app.orders", compiled_code='select id from "app"."orders"')
SOURCE = node("source.shop.app.orders", identifier="Orders", schema="app", config={}, language=None)


def test_models_and_sources_describe_their_relations(target, extract):
    found = extract(Dbt, target=target(ORDERS | {"alias": "Orders v2"}, SOURCE))
    model, source = found["model.shop.orders"], found["source.shop.app.orders"]
    assert model.same_as == ExternalTable(database="wh", schema="main", table="Orders v2")
    assert source.same_as == ExternalTable(database="wh", schema="app", table="Orders")
    assert (model.title, model.native_type, source.native_type) == ("Orders v2", "model", "source")
    assert model.properties["name"] == "orders"
    assert model.properties["materialized"] == "view"


def test_what_depends_on_what_is_lineage_and_so_is_compiled_sql(target, extract):
    found = extract(Dbt, target=target(ORDERS, SOURCE))
    assert pairs(found) == [("source.shop.app.orders", "model.shop.orders")]
    query = found.sql_into("model.shop.orders")
    assert query.sql == ORDERS["compiled_code"] == found["model.shop.orders"].definition
    assert (query.dialect, query.default_database, query.default_schema) == ("duckdb", "wh", "main")


@pytest.mark.parametrize(
    ("adapter", "dialect"), [("sqlserver", "tsql"), ("snowflake", "snowflake"), (None, None)]
)
def test_the_dialect_is_the_adapters(target, extract, adapter, dialect):
    assert (
        extract(Dbt, target=target(ORDERS, SOURCE, adapter=adapter)).sql_into("model.shop.orders").dialect
        == dialect
    )


def test_the_dialect_can_be_overruled(target, extract):
    found = extract(Dbt, target=target(ORDERS, SOURCE), dialect="postgres")
    assert found.sql_into("model.shop.orders").dialect == "postgres"


def test_an_ephemeral_model_has_no_relation_and_internal_lineage_only(target, extract):
    between = node(
        "model.shop.eph", "model.shop.orders", config={"materialized": "ephemeral"}, compiled_code="select 1"
    )
    found = extract(Dbt, target=target(ORDERS, SOURCE, between))
    assert found["model.shop.eph"].same_as is None
    assert ("model.shop.orders", "model.shop.eph") in pairs(found)
    assert [d for d in found.declarations if d.to_identifier.databuilder_id == "model.shop.eph"] == [
        d for d in found.declarations if d.from_identifier.type == "internal_resource"
    ][:1]


def test_a_python_models_code_is_no_sql(target, extract):
    found = extract(Dbt, target=target(ORDERS | {"language": "python"}, SOURCE))
    assert pairs(found) == [("source.shop.app.orders", "model.shop.orders")]
    assert len(found.declarations) == 1


def test_the_catalogs_columns_are_joined_by_the_documentations_text(target, artifact, extract):
    documented = ORDERS | {"columns": columns(id="key", Amount="net", gone="was here")}
    folder = target(documented, SOURCE)
    artifact(
        "catalog",
        nodes={
            "model.shop.orders": {
                "columns": {
                    "AMOUNT": {"name": "AMOUNT", "type": "INT", "index": 2, "comment": "in cents"},
                    "id": {"name": "id", "type": "BIGINT", "index": 1},
                    "a.b": {"name": "a.b", "type": "TEXT", "index": 3, "comment": "from the database"},
                }
            }
        },
        sources={},
    )
    found = extract(Dbt, target=folder)
    rows = [
        (c.title, c.sort_order, c.type, c.description)
        for c in found.resources.values()
        if c.entity_type == "column"
    ]
    assert rows == [
        ("id", 1, "BIGINT", "key"),
        ("AMOUNT", 2, "INT", "net"),
        ("a.b", 3, "TEXT", "from the database"),
        ("gone", None, None, "was here"),
    ]
    assert 'model.shop.orders."a.b"' in found.resources


def test_without_a_catalog_the_documented_columns_stand(target, extract):
    found = extract(Dbt, target=target(ORDERS | {"columns": columns(id="key")}, SOURCE))
    assert found["model.shop.orders.id"].sort_order == 1
    assert found.report.complete


def test_results_of_the_last_run_are_facts_of_models_and_tests(target, artifact, extract):
    test = node(
        "test.shop.unique.1", "model.shop.orders", attached_node="model.shop.orders", column_name="id"
    )
    folder = target(ORDERS, SOURCE, test)
    timing = [
        {"completed_at": "2026-11-20T08:00:01Z"},
        {"completed_at": "2026-11-20T08:00:03Z"},
        {"completed_at": None},
    ]
    result = {
        "status": "fail",
        "execution_time": 0.5,
        "failures": 3,
        "timing": timing,
        "unique_id": "test.shop.unique.1",
    }
    artifact(
        "run_results", results=[result, result | {"unique_id": "model.shop.orders", "status": "success"}]
    )
    found = extract(Dbt, target=folder)
    facts = found["test.shop.unique.1"].properties
    assert (facts["run_status"], facts["run_seconds"], facts["run_failures"]) == ("fail", "0.5", "3")
    assert facts["run_completed_at"] == "2026-11-20T08:00:03+00:00"
    assert found["model.shop.orders"].properties["run_status"] == "success"


def test_a_test_hangs_below_what_it_tests_and_gives_no_data(target, extract):
    attached = node(
        "test.shop.unique.1",
        "model.shop.orders",
        attached_node="model.shop.orders",
        test_metadata={"name": "unique"},
    )
    single = node("test.shop.single.2", "model.shop.orders")
    double = node("test.shop.double.3", "model.shop.orders", "source.shop.app.orders")
    found = extract(Dbt, target=target(ORDERS, SOURCE, attached, single, double))
    parents = {key: found[key].parent_databuilder_id for key in found.ids("test")}
    assert parents == {
        "test.shop.unique.1": "model.shop.orders",
        "test.shop.single.2": "model.shop.orders",
        "test.shop.double.3": None,
    }
    assert found["test.shop.unique.1"].native_type == "unique"
    assert pairs(found) == [("source.shop.app.orders", "model.shop.orders")]


def test_an_exposure_is_what_it_says_with_its_owner_and_its_sources(target, extract):
    weekly = node(
        "exposure.shop.weekly",
        "model.shop.orders",
        type="dashboard",
        label="Weekly",
        url="https://bi/1",
        owner={"name": "Ada", "email": "ada@example.com"},
    )
    found = extract(Dbt, target=target(ORDERS, SOURCE, weekly))
    exposure = found["exposure.shop.weekly"]
    assert (exposure.entity_type, exposure.title, exposure.owners) == (
        "dashboard",
        "Weekly",
        ["ada@example.com"],
    )
    assert exposure.properties["url"] == "https://bi/1"
    assert ("model.shop.orders", "exposure.shop.weekly") in pairs(found)


def test_an_exposure_of_a_metric_hangs_from_the_metrics_models(target, extract):
    weekly = node("exposure.shop.weekly", "metric.shop.revenue", "metric.shop.ratio")
    found = extract(
        Dbt,
        target=target(
            ORDERS,
            SOURCE,
            weekly,
            metrics={
                "metric.shop.revenue": {"depends_on": {"nodes": ["semantic_model.shop.orders"]}},
                "metric.shop.ratio": {"depends_on": {"nodes": ["metric.shop.revenue", "metric.shop.ratio"]}},
            },
            semantic_models={"semantic_model.shop.orders": {"depends_on": {"nodes": ["model.shop.orders"]}}},
        ),
    )
    assert [p for p in pairs(found) if p[1] == "exposure.shop.weekly"] == [
        ("model.shop.orders", "exposure.shop.weekly")
    ]


@pytest.mark.parametrize(
    ("fields", "owners"),
    [
        ({"config": {"meta": {"owner": "ada@example.com"}}}, ["ada@example.com"]),
        ({"meta": {"owner": ["a@x", "b@x"]}, "group": "finance"}, ["a@x", "b@x"]),
        ({"meta": {"owner": {"name": "Ada", "email": "ada@x"}}}, ["ada@x"]),
        ({"group": "finance"}, ["fin@x"]),
        ({"config": {"group": "finance"}}, ["fin@x"]),
        ({"meta": {"owner": 7}}, None),
        ({}, None),
    ],
)
def test_owners_come_from_meta_or_the_group(target, extract, fields, owners):
    groups = {"group.shop.finance": {"name": "finance", "owner": {"name": "Fin", "email": "fin@x"}}}
    assert (
        extract(Dbt, target=target(ORDERS | fields, SOURCE, groups=groups))["model.shop.orders"].owners
        == owners
    )


def test_hooks_and_analyses_are_left_out(target, extract):
    found = extract(
        Dbt, target=target(ORDERS, SOURCE, node("operation.shop.hook"), node("analysis.shop.look"))
    )
    assert sorted(found.resources) == ["model.shop.orders", "source.shop.app.orders"]


def test_a_node_that_is_not_as_expected_is_refused_and_the_others_go_on(target, extract):
    found = extract(Dbt, target=target(ORDERS | {"database": {"no": "text"}}, SOURCE))
    assert list(found.resources) == ["source.shop.app.orders"]
    assert found.report.rejects[0].location == "manifest.json model.shop.orders"
    assert "database" in found.report.rejects[0].cause


@pytest.mark.parametrize("version", range(7, 13))
def test_every_version_since_dbt_1_3_is_read(target, extract, version):
    assert "model.shop.orders" in extract(Dbt, target=target(ORDERS, SOURCE, version=version)).resources


@pytest.mark.parametrize("version", [6, 13])
def test_an_unknown_version_says_which_are_known(target, extract, failed, version):
    folder = target(ORDERS, version=version)
    with pytest.raises(
        UnexpectedAnswer, match=rf"manifest\.json is a dbt manifest of version {version}; versions 7 to 12"
    ):
        extract(Dbt, target=folder)
    assert list(failed(Dbt, target=folder)) == ["read manifest"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"metadata": {"dbt_sch', "is not whole JSON"),
        ("", "is not whole JSON"),
        ("[]", "is not a dbt manifest"),
        ('{"metadata": {}, "nodes": {}, "sources": {}}', "does not say that it is a dbt manifest"),
        (
            '{"metadata": {"dbt_schema_version": "/dbt/catalog/v1.json"}, "nodes": {}, "sources": {}}',
            "does not say",
        ),
    ],
)
def test_what_is_no_manifest_is_named_with_what_to_do(extract, tmp_path, content, words):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(UnexpectedAnswer, match=rf"manifest\.json {words}.*\("):
        extract(Dbt, manifest="manifest.json")


@pytest.mark.parametrize("kind", ["catalog", "run_results"])
def test_a_torn_second_file_is_named(target, extract, failed, tmp_path, kind):
    folder = target(ORDERS, SOURCE)
    (tmp_path / folder / f"{kind}.json").write_text('{"metadata"')
    with pytest.raises(UnexpectedAnswer, match=f"{kind}.json is not whole JSON"):
        extract(Dbt, target=folder)
    assert list(failed(Dbt, target=folder)) == [f"read {kind.replace('_', ' ')}"]


def test_a_file_that_the_configuration_names_must_be_there(target, extract):
    with pytest.raises(Unreachable, match=r"other\.json cannot be read"):
        extract(Dbt, target=target(ORDERS), catalog="other.json")
    with pytest.raises(Unreachable, match=r"manifest\.json cannot be read.*dbt build"):
        extract(Dbt, project="no_project")


def test_the_check_says_what_is_not_known(target, connect):
    results = list(connect(Dbt, target=target(ORDERS, SOURCE)).check())
    assert all(r.ok for r in results)
    assert results[0].message == "1 nodes, 1 sources"
    assert "types of columns are not known" in results[1].message


def test_a_project_has_its_artifacts_in_target(target, extract, tmp_path):
    target(ORDERS, SOURCE)
    (tmp_path / "out").symlink_to(tmp_path / "target")
    assert "model.shop.orders" in extract(Dbt, project=".").resources
    assert "model.shop.orders" in extract(Dbt, project=".", target="out").resources


def test_the_fingerprint_changes_with_each_file(target, artifact, connect):
    folder = target(ORDERS)
    first = connect(Dbt, target=folder).fingerprint()
    artifact("catalog", nodes={}, sources={})
    second = connect(Dbt, target=folder).fingerprint()
    target(ORDERS, SOURCE)
    assert len({first, second, connect(Dbt, target=folder).fingerprint()}) == 3


def test_a_place_must_be_given():
    with pytest.raises(ValidationError, match="give the dbt project"):
        Dbt.Config()
