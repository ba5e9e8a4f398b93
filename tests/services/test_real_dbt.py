from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.builtin.database import DuckDB
from connectors.builtin.dbt import Dbt

RUN_DBT = """
import sys
from dbt.cli.main import dbtRunner
for command in (["build"], ["docs", "generate", "--no-compile"]):
    answer = dbtRunner().invoke(command)
    if not answer.success:
        sys.exit(str(answer.exception or answer.result))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A dbt project on DuckDB that dbt has just built."""
    folder = tmp_path_factory.mktemp("dbt") / "project"
    shutil.copytree(Path(__file__).with_name("dbt_project"), folder)
    environment = {**os.environ, "DBT_PROFILES_DIR": str(folder), "DO_NOT_TRACK": "1"}
    done = subprocess.run(
        [sys.executable, "-c", RUN_DBT],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def shop(project, extract):
    return extract(Dbt, project=str(project))


def test_all_that_dbt_built_is_declared(shop):
    assert sorted(shop.ids("table")) == [
        "model.shop.doubled",
        "model.shop.stg_orders",
        "model.shop.totals",
        "seed.shop.raw_orders",
        "snapshot.shop.orders_history",
        "source.shop.app.customers",
    ]
    assert shop.ids("dashboard") == ["exposure.shop.weekly"]
    assert [shop[key].native_type for key in shop.ids("test")] == ["not_null", "unique"]
    assert shop.report.complete


def test_each_relation_is_one_that_the_database_owns(shop, project, extract):
    warehouse = extract(DuckDB, path=str(project / "shop.duckdb"))
    owned = {
        (t.database, t.schema, t.title): key
        for key, t in warehouse.resources.items()
        if t.entity_type == "table"
    }
    described = {key: shop[key].same_as for key in shop.ids("table") if shop[key].same_as}
    assert set(described) == set(shop.ids("table")) - {"model.shop.doubled"}
    for key, relation in described.items():
        owner = owned[relation.database, relation.schema, relation.table]
        columns = {
            r.title: r.type for r in shop.resources.values() if r.parent_databuilder_id == key and r.type
        }
        assert columns == {
            r.title: r.type for r in warehouse.resources.values() if r.parent_databuilder_id == owner
        }


def test_lineage_is_what_dbt_says_and_what_its_sql_reads(shop):
    pairs = {
        (d.from_identifier.databuilder_id, d.to_identifier.databuilder_id)
        for d in shop.declarations
        if d.from_identifier.type == "internal_resource"
    }
    assert pairs == {
        ("seed.shop.raw_orders", "model.shop.stg_orders"),
        ("seed.shop.raw_orders", "snapshot.shop.orders_history"),
        ("model.shop.stg_orders", "model.shop.doubled"),
        ("model.shop.doubled", "model.shop.totals"),
        ("source.shop.app.customers", "model.shop.totals"),
        ("model.shop.totals", "exposure.shop.weekly"),
    }
    totals = shop.sql_into("model.shop.totals")
    assert '"Stg Orders"' in totals.sql
    assert (totals.dialect, totals.default_database, totals.default_schema) == ("duckdb", "shop", "main")
    assert shop.sql_into("snapshot.shop.orders_history")


def test_descriptions_owners_tags_and_results_are_kept(shop):
    model = shop["model.shop.stg_orders"]
    assert (model.description, model.owners, model.tags) == (
        "orders, cleaned",
        ["ada@example.com"],
        ["daily"],
    )
    assert shop["model.shop.totals"].owners == ["finance@example.com"]
    assert shop["source.shop.app.customers.region"].description == "part of the country"
    assert shop["exposure.shop.weekly"].owners == ["ada@example.com"]
    assert model.properties["run_status"] == "success"
    assert float(model.properties["run_seconds"]) > 0
    (unique,) = (shop[key] for key in shop.ids("test") if shop[key].native_type == "unique")
    assert (unique.parent_databuilder_id, unique.properties["run_status"]) == (
        "model.shop.stg_orders",
        "pass",
    )
    assert unique.properties["run_failures"] == "0"


def test_the_check_finds_all_three_files(project, connect):
    results = list(connect(Dbt, project=str(project)).check())
    assert [(r.capability, r.ok) for r in results] == [
        ("read manifest", True),
        ("read catalog", True),
        ("read run results", True),
    ]
    assert results[2].message == ""
