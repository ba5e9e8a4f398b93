"""What Dagster is told of datasets and sinks, and how it runs them."""

from __future__ import annotations

import os
import subprocess
import sys

import dagster as dg
import pytest

from pipelines import load_project
from pipelines.dataset_metadata import dataset_metadata
from pipelines.keys import AssetKeys

ORDERS, CUSTOMERS = "wh/wh.main.orders", "wh/wh.main.customers"
KEYS = AssetKeys()
OUT = {"connector": "duckdb", "config": {"path": "./out.duckdb", "schema": "mart"}}
PEOPLE = {
    "from": CUSTOMERS,
    "personal": ["email"],
    "transform": {"operations": [{"compute": {"expression": "length(name)", "as": "size"}}]},
    "validation": {"constraints": [{"range": {"column": "id", "max": 1}}]},
    "sinks": ["out"],
}
MASKED_ROW = "| 1 | Ann | masked | 3 |"


def metadata_of(key):
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(key)
    return {name: one.value for name, one in event.asset_materialization.metadata.items()}


def checks_of(report):
    with dg.DagsterInstance.get() as instance:
        records = instance.get_records_for_run(
            report.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ).records
    found = [record.event_log_entry.dagster_event.event_specific_data for record in records]
    return {(one.asset_key.to_user_string(), one.check_name): one for one in found}


def columns(value):
    return [(one.name, one.type) for one in value.columns]


def lineage(value):
    return {
        name: [(one.asset_key.to_user_string(), one.column_name) for one in deps]
        for name, deps in value.deps_by_column.items()
    }


def test_the_metadata_of_a_dataset_and_a_sink(shop):
    shop.write({"people": PEOPLE}, sinks={"out": OUT})
    assert shop.sync().ok
    shown = metadata_of(KEYS.dataset("people")[0])
    assert shown["dagster/row_count"] == 1
    assert shown["dagster/table_name"] == "datasets.people"
    assert shown["dagster/uri"] == f"{shop.folder}/.headwater/records/datasets/people"
    assert columns(shown["dagster/column_schema"]) == [
        ("id", "int64"),
        ("name", "string"),
        ("email", "string"),
        ("size", "int64"),
    ]
    source = "resources/wh"
    assert lineage(shown["dagster/column_lineage"]) == {
        "id": [(source, "wh.main.customers.id")],
        "name": [(source, "wh.main.customers.name")],
        "email": [(source, "wh.main.customers.email")],
        "size": [(source, "wh.main.customers.name")],
    }
    assert shown["headwater/invalid"] == 1
    assert shown["headwater/bytes"] > 0
    assert shown["headwater/preview"].splitlines()[2:] == [MASKED_ROW]
    given = metadata_of(KEYS.sink("out", "people")[0])
    assert given["dagster/row_count"] == 1
    assert given["dagster/table_name"] == "out.mart.people"
    assert given["dagster/uri"] == f"duckdb://{shop.folder}/out.duckdb#mart.people"
    assert columns(given["dagster/column_schema"]) == columns(shown["dagster/column_schema"])
    assert lineage(given["dagster/column_lineage"])["size"] == [("datasets/people", "size")]
    assert given["headwater/preview"].splitlines()[2:] == [MASKED_ROW]
    ran = metadata_of(KEYS.dataset("people")[1])
    assert (ran["headwater/status"], ran["headwater/rows"], ran["headwater/invalid"]) == ("WARNING", 1, 1)


DERIVED = {
    "renamed": {"operations": [{"map": {"id": "id", "email": "mail"}}]},
    "computed": {"operations": [{"compute": {"expression": "upper(email)", "as": "x"}}, {"select": ["x"]}]},
    "queried": {"sql": "select id, email || '!' as x from input"},
    "looked_up": {
        "operations": [
            {"select": ["customer_id"]},
            {"lookup": {"dataset": "datasets/people", "on": {"customer_id": "id"}, "take": {"email": "x"}}},
        ]
    },
    "unnamed": {"sql": "select id, upper(email) from input"},
    "other_case": {"sql": "select EMAIL as x from input"},
    "chosen": {"sql": "select case when email is null then 'none' else email end as x from input"},
    "asked": {"sql": "select (select max(i.email) from input i) as x from input"},
}


@pytest.mark.parametrize("name", DERIVED)
def test_what_is_made_of_a_personal_column_is_masked_too(shop, name):
    people = {"from": CUSTOMERS, "personal": ["email"]}
    source = ORDERS if name == "looked_up" else "datasets/people"
    shop.write({"people": people, "d": {"from": source, "transform": DERIVED[name]}})
    shop.extract()
    shop.made("people")
    outcome = shop.made("d")
    shown = dataset_metadata(shop.store, outcome, KEYS)["headwater/preview"].value
    assert "masked" in shown
    assert "example.org" not in shown.casefold()


def test_valid_records_tells_how_many_are_not_and_why(shop):
    shop.write({"people": {**PEOPLE, "sinks": []}, "all": {"from": ORDERS}})
    checks = checks_of(shop.sync())
    held = checks["datasets/people", "valid_records"]
    assert not held.passed
    assert held.severity == dg.AssetCheckSeverity.WARN
    assert held.metadata["headwater/invalid"].value == 1
    assert held.metadata["headwater/records"].value == 1
    assert "/id" in held.metadata["headwater/samples"].value
    assert checks["datasets/all", "valid_records"].passed
    assert checks["flow_runs/datasets/people", "synced"].passed


def test_a_dataset_that_failed_is_not_synced_and_not_materialized(shop):
    rules = {"constraints": [{"range": {"column": "id", "max": 1}}], "on_invalid": "fail"}
    shop.write({"d": {"from": ORDERS, "validation": rules}})
    report = shop.sync()
    checks = checks_of(report)
    assert not checks["datasets/d", "valid_records"].passed
    assert not checks["flow_runs/datasets/d", "synced"].passed
    with dg.DagsterInstance.get() as instance:
        assert instance.get_latest_materialization_event(KEYS.dataset("d")[0]) is None
        assert not instance.get_run_by_id(report.run_id).is_success


def versions(shop):
    graph = load_project(shop.folder).get_repository_def().asset_graph
    return {name: graph.get(KEYS.dataset(name)[0]).code_version for name in shop.project.datasets}


def test_the_code_version_changes_with_what_a_shared_transform_means(shop):
    datasets = {
        "one": {"from": ORDERS, "transform": "keys"},
        "two": {"from": CUSTOMERS, "transform": "keys"},
        "other": {"from": ORDERS},
    }
    shop.write(datasets, transforms={"keys": {"operations": [{"filter": "id > 1"}]}})
    before = versions(shop)
    shop.write(datasets, transforms={"keys": {"operations": [{"filter": "id  >  1"}]}})
    assert versions(shop) == before
    shop.write(datasets, transforms={"keys": {"operations": [{"filter": "id > 2"}]}})
    after = versions(shop)
    assert {name for name in after if after[name] != before[name]} == {"one", "two"}


def test_the_code_version_changes_with_the_rules_and_not_with_the_sinks(shop):
    shop.write({"d": {"from": ORDERS}})
    (before,) = versions(shop).values()
    shop.write({"d": {"from": ORDERS, "description": "All.", "sinks": ["out"]}}, sinks={"out": OUT})
    assert versions(shop)["d"] == before
    shop.write({"d": {"from": ORDERS, "validation": {"constraints": [{"not_null": ["id"]}]}}})
    assert versions(shop)["d"] != before


def test_datasets_hang_from_the_runs_of_what_they_read(shop):
    lookup = {"lookup": {"dataset": CUSTOMERS, "on": {"customer_id": "id"}, "take": ["name"]}}
    shop.write(
        {
            "d": {"from": ORDERS, "transform": {"operations": [lookup]}, "sinks": ["out"]},
            "next": {"from": "datasets/d"},
        },
        sinks={"out": OUT},
    )
    graph = load_project(shop.folder).get_repository_def().asset_graph
    parents = {
        name: {key.to_user_string() for key in graph.get(dg.AssetKey(name.split("/"))).parent_keys}
        for name in ("datasets/d", "datasets/next", "sinks/out/d", "lineage_graph")
    }
    assert parents == {
        "datasets/d": {"flow_runs/wh"},
        "datasets/next": {"flow_runs/datasets/d"},
        "sinks/out/d": {"flow_runs/datasets/d"},
        "lineage_graph": {
            "flow_runs/wh",
            "flow_runs/datasets/d",
            "flow_runs/datasets/next",
            "flow_runs/sinks/out/d",
        },
    }


def materialize(shop, *arguments):
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "pipelines.definitions"]
    return subprocess.run(
        [*command, "--select", "*", *arguments],
        cwd=shop.folder,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=False,
    )


def test_dagsters_own_command_makes_and_delivers_one_day_and_a_range_of_days(shop):
    append = {"connector": "duckdb", "config": {"path": "./out.duckdb", "mode": "append"}}
    shop.write(
        {"d": {"from": ORDERS, "sinks": ["out"]}, "next": {"from": "datasets/d"}}, sinks={"out": append}
    )
    days = [shop.day(before) for before in (3, 2, 1)]
    done = materialize(shop, "--partition-range", f"{days[0]}...{days[-1]}")
    assert done.returncode == 0, done.stderr[-2000:]
    headers = shop.store.snapshots.headers("datasets/next")
    assert [one.partition for one in headers] == days
    assert len({one.run_id for one in headers}) == 1
    assert shop.query("select count(*) from d", "out.duckdb") == [(3,)]
    with dg.DagsterInstance.get() as instance:
        made = instance.get_materialized_partitions(KEYS.sink("out", "d")[0])
    assert made == set(days)
    shop.execute("insert into orders (id) values (13)")
    done = materialize(shop, "--partition", shop.today)
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(shop.records("next")) == 4
    assert shop.query("select count(*), count(distinct id) from d", "out.duckdb") == [(4, 4)]
