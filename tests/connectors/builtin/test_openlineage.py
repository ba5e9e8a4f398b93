from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.builtin.openlineage import read_events
from connectors.builtin.openlineage.declarations import lineage, resources, runs
from connectors.model import ExternalTable
from tests.connectors.builtin.openlineage_events import (
    PG,
    as_lines,
    columns,
    dataset,
    edges,
    ends,
    event,
    facet,
    read,
    short,
)

ORDERS, DAILY = dataset("shop.sales.orders"), dataset("shop.sales.daily")
LOAD = event(inputs=[ORDERS], outputs=[DAILY])


def told(*events):
    """What events say, whatever their order: as sets."""
    history = read_events(as_lines(*events).splitlines())
    declared = (lineage(history), runs(history), resources(history))
    return [sorted(one.model_dump_json() for one in each) for each in declared]


# -- datasets and jobs


def test_a_dataset_is_a_table_that_its_place_owns(tmp_path):
    schema = facet(
        fields=[{"name": "id", "type": "int8", "description": "key"}, {"name": "at", "type": None}]
    )
    orders = dataset(
        "shop.sales.orders",
        schema=schema,
        documentation=facet(description="all orders"),
        ownership=facet(owners=[{"name": "team:sales", "type": "OWNER"}]),
        tags=facet(tags=[{"key": "core", "value": "true"}, {"key": "pii", "value": "x", "field": "id"}]),
        datasetType=facet(datasetType="VIEW"),
    )
    found = read(tmp_path, event(outputs=[orders]))
    table, first, second, job = found.resources
    assert table.databuilder_id == "postgres://db:5432.shop.sales.orders"
    assert (table.entity_type, table.title, table.database, table.schema) == (
        "table",
        "orders",
        "shop",
        "sales",
    )
    assert table.same_as == ExternalTable(cluster=PG, database="shop", schema="sales", table="orders")
    assert (table.description, table.owners, table.tags, table.native_type) == (
        "all orders",
        ["team:sales"],
        ["core"],
        "VIEW",
    )
    assert (first.title, first.type, first.description, first.sort_order) == ("id", "int8", "key", 1)
    assert (second.title, second.type, second.sort_order) == ("at", None, 2)
    assert {first.parent_databuilder_id, second.parent_databuilder_id} == {table.databuilder_id}
    assert (job.entity_type, job.databuilder_id) == ("job", "job:airflow.load")


def test_a_job_says_what_it_is(tmp_path):
    facets = {
        "sql": facet(query="insert into daily select 1"),
        "documentation": facet(description="nightly"),
        "ownership": facet(owners=[{"name": "ada"}]),
        "jobType": facet(jobType="TASK", integration="AIRFLOW", processingType="BATCH"),
        "sourceCodeLocation": facet(type="git", url="https://git.example.com/load.py"),
    }
    (job,) = read(tmp_path, event(job="etl.load", job_facets=facets)).resources
    assert (job.title, job.definition, job.description, job.owners, job.native_type) == (
        "etl.load",
        "insert into daily select 1",
        "nightly",
        ["ada"],
        "TASK",
    )
    assert job.properties == {
        "namespace": "airflow",
        "integration": "AIRFLOW",
        "processing_type": "BATCH",
        "url": "https://git.example.com/load.py",
    }


def test_the_newest_facet_counts_and_a_deleted_one_says_nothing():
    def described(text, at, **more):
        return event("RUNNING", at, outputs=[dataset("t", documentation=facet(description=text, **more))])

    early, late = described("old", "2025-11-20T01:00:00Z"), described("new", "2025-11-20T02:00:00Z")
    gone = described("gone", "2025-11-20T03:00:00Z", _deleted=True)
    silent = event("COMPLETE", "2025-11-20T04:00:00Z", outputs=[dataset("t")])
    for given_events, expected in (([late, early, silent], "new"), ([late, gone, early], None)):
        table = next(resources(read_events(as_lines(*given_events).splitlines())))
        assert table.description == expected


@pytest.mark.parametrize(("written", "same_as"), [
    # Spark: Delta and Iceberg tables lie in files; the catalogue's name is the one that queries know
    (dataset("/warehouse/sales.db/orders", "s3://lake", symlinks=facet(identifiers=[
        {"namespace": "s3://lake/warehouse/sales.db/orders", "name": "x", "type": "LOCATION"},
        {"namespace": "hive://metastore:9083", "name": "sales.orders", "type": "TABLE"}])),
     ExternalTable(cluster="hive://metastore:9083", schema="sales", table="orders")),
    (dataset("/tmp/wh/default.db/t", "file", symlinks=facet(identifiers=[
        {"namespace": "file:/tmp/wh", "name": "default.t", "type": "TABLE"}])),
     ExternalTable(cluster="file:/tmp/wh", schema="default", table="t")),
    (dataset("sales.orders", "hive://metastore:9083", symlinks=facet(identifiers=[
        {"namespace": "s3://lake", "name": "warehouse/orders", "type": "LOCATION"}])),
     ExternalTable(cluster="hive://metastore:9083", schema="sales", table="orders")),
    (dataset("table/sales/orders", "arn:aws:glue:eu-west-1:123456789012"),
     ExternalTable(cluster="arn:aws:glue:eu-west-1:123456789012", schema="sales", table="orders")),
    (dataset("in/2025-11-20/part-0.parquet", "s3://lake"),
     ExternalTable(cluster="s3://lake", table="in/2025-11-20/part-0.parquet")),
    (dataset("orders.v1", "kafka://broker:9092"), ExternalTable(cluster="kafka://broker:9092", table="orders.v1")),
    (dataset("shop.orders", "mysql://db:3306"),
     ExternalTable(cluster="mysql://db:3306", schema="shop", table="orders")),
    (dataset("proj.sales.orders", "bigquery"),
     ExternalTable(cluster="bigquery", database="proj", schema="sales", table="orders")),
])  # fmt: skip
def test_a_dataset_names_the_table_that_it_is(tmp_path, written, same_as):
    table = read(tmp_path, event(outputs=[written])).resources[0]
    assert table.same_as == same_as


def test_a_login_in_a_namespace_or_a_url_is_left_out(tmp_path):
    orders = dataset("shop.sales.orders", "postgres://ada:canary@db:5432")
    where = {"sourceCodeLocation": facet(url="https://ada:canary@git.example.com/x")}
    found = read(tmp_path, event(outputs=[orders], job_facets=where))
    assert "canary" not in str(found.resources) + str(found.runs)
    assert found.resources[0].same_as.cluster == PG


def test_one_path_written_in_two_ways_is_one_dataset(tmp_path):
    names = ("/out/daily/", "out/daily")
    found = read(tmp_path, event(outputs=[dataset(name, "s3://lake") for name in names]))
    assert found.runs[0].outputs == ["s3://lake.out/daily"]
    assert [r.title for r in found.resources if r.entity_type == "table"] == ["out/daily"]


def test_datasets_with_other_parts_have_other_keys(tmp_path):
    names = ["a..b", "a.b", '"a.b"', "a.b.c"]
    found = read(tmp_path, event(outputs=[dataset(name, "mssql://h:1433") for name in names]))
    assert len({r.databuilder_id for r in found.resources if r.entity_type == "table"}) == 4


# -- lineage


def test_a_run_s_events_are_one(tmp_path):
    found = read(
        tmp_path,
        event("START", "2025-11-20T12:00:00Z", inputs=[ORDERS]),
        event("RUNNING", "2025-11-20T12:01:00Z", inputs=[dataset("shop.sales.rates")]),
        event("COMPLETE", "2025-11-20T12:02:00+00:00", outputs=[DAILY]),
    )
    assert edges(found) == {
        ("shop.sales.orders", "shop.sales.daily"),
        ("shop.sales.rates", "shop.sales.daily"),
    }
    assert {d.location for d in found.declarations} == {"airflow/load"}
    (run,) = found.runs
    assert (run.id, run.job, run.status) == ("r1", "airflow/load", "SUCCESS")
    assert run.started_at == datetime(2025, 11, 20, 12, tzinfo=UTC)
    assert run.ended_at == datetime(2025, 11, 20, 12, 2, tzinfo=UTC)
    assert [short(one) for one in run.inputs] == ["shop.sales.orders", "shop.sales.rates"]
    assert [short(one) for one in run.outputs] == ["shop.sales.daily"]


def test_what_many_runs_of_a_job_say_is_declared_once(tmp_path):
    found = read(tmp_path, *[event(inputs=[ORDERS], outputs=[DAILY], run=f"r{n}") for n in range(50)])
    assert len(found.declarations) == 1
    assert len(found.runs) == 50


def test_another_job_s_lineage_is_its_own(tmp_path):
    found = read(tmp_path, LOAD, event(inputs=[ORDERS], outputs=[DAILY], run="r2", job="repair"))
    assert {d.location for d in found.declarations} == {"airflow/load", "airflow/repair"}


@pytest.mark.parametrize(("kind", "status"), [("FAIL", "FAILED"), ("ABORT", "CANCELED")])
def test_a_run_that_ended_badly_is_a_run_and_no_lineage(tmp_path, kind, status):
    trouble = {"errorMessage": facet(message="disk full", programmingLanguage="PYTHON", stackTrace="...")}
    bad = event(kind, inputs=[ORDERS], outputs=[DAILY], run_facets=trouble)
    found = read(tmp_path, event("START", "2025-11-20T11:00:00Z", inputs=[ORDERS], outputs=[DAILY]), bad)
    assert not found.declarations
    assert [(r.status, r.error) for r in found.runs] == [(status, "disk full")]
    assert len([r for r in found.resources if r.entity_type == "table"]) == 2
    again = read(tmp_path, bad, event(inputs=[ORDERS], outputs=[DAILY], run="r2"))
    assert edges(again) == {("shop.sales.orders", "shop.sales.daily")}
    assert sorted(r.status for r in again.runs) == sorted([status, "SUCCESS"])


def test_a_run_that_has_not_ended_has_lineage(tmp_path):
    # Flink's jobs do not end
    source, sink = dataset("orders", "kafka://b:9092"), dataset("shop.sales.live")
    found = read(
        tmp_path, event("START", inputs=[source], outputs=[sink]), event("RUNNING", "2025-11-20T13:00:00Z")
    )
    assert len(found.declarations) == 1
    assert [(r.status, r.ended_at) for r in found.runs] == [("RUNNING", None)]
    assert found.resources[0].native_type == "topic"


def test_the_run_that_started_a_run_is_kept(tmp_path):
    parent = {"parent": facet(run={"runId": "p1"}, job={"namespace": "airflow", "name": "etl"})}
    older = {"parentRun": facet(run={"runId": "p2"}, job={"namespace": "airflow", "name": "etl"})}
    found = read(tmp_path, event(run_facets=parent), event(run="r2", run_facets=older))
    assert [r.parent for r in found.runs] == ["p1", "p2"]


def test_columns_flow_with_their_kinds(tmp_path):
    direct = {"type": "DIRECT", "subtype": "AGGREGATION", "description": "sum(amount)"}

    def because(*subtypes):
        return [{"type": "INDIRECT", "subtype": one, "description": "", "masking": False} for one in subtypes]

    daily = columns(
        "shop.sales.daily",
        total=[("shop.sales.orders", "amount", {"transformations": [direct, *because("WINDOW")]})],
        day=[
            ("shop.sales.orders", "at", {"transformations": because("GROUP_BY", "SORT", "SORT", "NEW_ONE")})
        ],
        size=[("shop.sales.orders", "amount", {"transformations": because("CONDITIONAL")})],
        id=[("shop.sales.orders", "id", {})],
    )
    daily["facets"]["columnLineage"]["dataset"] = [
        {
            "namespace": PG,
            "name": "shop.sales.orders",
            "field": "state",
            "transformations": because("FILTER", "JOIN"),
        }
    ]
    found = read(tmp_path, event(inputs=[ORDERS], outputs=[daily]))
    given_flows = {(*ends(d), d.kind, *d.clauses, d.expression) for d in found.declarations}
    o, d = "shop.sales.orders", "shop.sales.daily"
    assert given_flows == {
        (f"{o}.amount", f"{d}.total", "direct", "sum(amount)"),
        (f"{o}.amount", f"{d}.total", "indirect", "window", None),
        (f"{o}.at", f"{d}.day", "indirect", "group_by", "order_by", None),
        (f"{o}.amount", f"{d}.size", "indirect", "case", None),
        (f"{o}.id", f"{d}.id", "direct", None),
        (f"{o}.state", d, "indirect", "join", "where", None),
        (o, d, "direct", None),
    }
    # Columns that no schema lists are there, as lineage names them.
    listed = {short(r.databuilder_id) for r in found.resources if r.entity_type == "column"}
    assert listed >= {f"{o}.amount", f"{o}.state", f"{d}.total"}


def test_older_and_newer_lineage_facets_are_read(tmp_path):
    source = {"namespace": PG, "name": "shop.sales.orders", "field": "id"}
    older = facet(fields={"id": {"inputFields": [source], "transformationType": "MASKED",
                                 "transformationDescription": "sha256(id)"}})  # fmt: skip
    newer = facet(
        inputs=[{"namespace": PG, "name": "shop.sales.rates", "type": "DATASET"}, {"type": "JOB"}],
        fields={"rate": {"inputs": [{**source, "type": "DATASET"}]}},
    )
    found = read(tmp_path, event(outputs=[dataset("shop.sales.daily", columnLineage=older, lineage=newer)]))
    assert edges(found) == {
        ("shop.sales.orders.id", "shop.sales.daily.id"),
        ("shop.sales.orders.id", "shop.sales.daily.rate"),
        ("shop.sales.rates", "shop.sales.daily"),
    }
    assert "sha256(id)" in {d.expression for d in found.declarations}


def test_what_a_job_reads_and_writes_at_once_is_no_lineage(tmp_path):
    found = read(tmp_path, event(inputs=[ORDERS, DAILY], outputs=[DAILY]))
    assert edges(found) == {("shop.sales.orders", "shop.sales.daily")}


def test_events_of_jobs_and_datasets_are_read(tmp_path):
    of_job = {**LOAD, "run": None, "eventType": None}
    del of_job["run"]
    flows = columns("shop.sales.daily", id=[("shop.sales.orders", "id", {})])
    of_dataset = {"eventTime": "2025-11-20T12:00:00Z", "dataset": flows}
    found = read(tmp_path, of_job, of_dataset)
    assert not found.runs
    assert {(*sorted(edges(found)), 1)} == {
        (("shop.sales.orders", "shop.sales.daily"), ("shop.sales.orders.id", "shop.sales.daily.id"), 1)
    }
    assert {d.location for d in found.declarations} == {"airflow/load", None}


# -- laws

_DAILY = columns("shop.sales.daily", id=[("shop.sales.orders", "id", {})])
_EVENTS = [
    event("START", "2025-11-20T01:00:00Z", inputs=[ORDERS]),
    event("COMPLETE", "2025-11-20T02:00:00Z", outputs=[_DAILY]),
    event(
        "START", "2025-11-20T03:00:00Z", run="r2", inputs=[dataset("x", documentation=facet(description="a"))]
    ),
    event(
        "FAIL", "2025-11-20T04:00:00Z", run="r2", outputs=[dataset("x", documentation=facet(description="b"))]
    ),
    event("COMPLETE", "2025-11-20T05:00:00Z", run="r2", job_facets={"sql": facet(query="select 1")}),
]


@settings(deadline=None)
@given(st.permutations(_EVENTS))
def test_the_order_of_events_does_not_matter(shuffled):
    assert told(*shuffled) == told(*_EVENTS)


@given(st.sampled_from(_EVENTS))
def test_an_event_that_comes_twice_says_nothing_more(repeated):
    assert told(*_EVENTS, repeated) == told(*_EVENTS)


_JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(
        ["fields", "name", "namespace", "field", "inputFields", "dataset", "transformations", "type", "owners", "tags",
         "identifiers", "run", "runId", "query", "description", "message", "key", "a"]), inner, max_size=4)),
    max_leaves=12,
)  # fmt: skip
_NAMES = ["schema", "columnLineage", "lineage", "symlinks", "ownership", "tags", "documentation", "sql", "parent",
          "errorMessage", "jobType", "datasetType", "sourceCodeLocation"]  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(_NAMES), _JUNK))
def test_a_facet_of_any_shape_does_no_harm(facets):
    whole = event(
        inputs=[ORDERS], outputs=[{**DAILY, "facets": facets}], job_facets=facets, run_facets=facets
    )
    pairs = [json.loads(one) for one in told(whole)[0]]
    found = {
        (one["from_identifier"]["databuilder_id"], one["to_identifier"]["databuilder_id"]) for one in pairs
    }
    assert ("postgres://db:5432.shop.sales.orders", "postgres://db:5432.shop.sales.daily") in found


@pytest.mark.parametrize("facets", [None, [], "x", {"schema": None, "columnLineage": None, "symlinks": []}])
def test_facets_may_be_missing_or_null(tmp_path, facets):
    found = read(tmp_path, event(inputs=[{**ORDERS, "facets": facets}], outputs=[DAILY]))
    assert len(found.declarations) == 1
    assert found.report.complete


def test_a_file_that_two_drivers_name_is_one_dataset(tmp_path):
    written, read_back = (dataset("lake/orders", f"{scheme}://bucket") for scheme in ("s3a", "s3"))
    copied = dataset("lake/copy", "s3n://bucket")
    found = read(tmp_path, event(outputs=[written]), event(run="r2", inputs=[read_back], outputs=[copied]))
    keys = {one.databuilder_id for one in found.resources if one.entity_type == "table"}
    assert keys == {"s3://bucket.lake/orders", "s3://bucket.lake/copy"}
