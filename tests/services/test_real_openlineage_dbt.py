"""dbt as OpenLineage's own wrapper runs it, and the events that it writes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.builtin.database import DuckDB
from connectors.builtin.openlineage import OpenLineage
from connectors.model import ExternalTable, Window
from connectors.testing import run_connector
from lineage.platforms import place_of
from tests.connectors.builtin.collecting import make

ALWAYS = Window("", datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def keys(one):
    return one.from_identifier.databuilder_id, one.to_identifier.databuilder_id


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A dbt project on DuckDB that dbt-ol has just built; its events stand in events.jsonl."""
    folder = tmp_path_factory.mktemp("dbt-ol") / "project"
    shutil.copytree(Path(__file__).with_name("dbt_project"), folder)
    profiles = (folder / "profiles.yml").read_text()
    (folder / "profiles.yml").write_text(profiles.replace("shop.duckdb", str(folder / "shop.duckdb")))
    scripts = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",  # dbt-ol calls dbt by its name
        "DBT_PROFILES_DIR": str(folder),
        "DO_NOT_TRACK": "1",
        "OPENLINEAGE__TRANSPORT__TYPE": "file",
        "OPENLINEAGE__TRANSPORT__LOG_FILE_PATH": str(folder / "events.jsonl"),
        "OPENLINEAGE__TRANSPORT__APPEND": "true",
    }
    command = [sys.executable, str(scripts / "dbt-ol"), "build"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def found(project):
    return run_connector(OpenLineage, {"path": "events.jsonl"}, window=ALWAYS, folder=project)


def of_kind(found, kind):
    return {r.databuilder_id: r for r in found.resources if r.entity_type == kind}


def test_every_event_that_dbt_wrote_is_taken(found):
    assert found.error is None
    assert found.report.complete
    assert {run.status for run in found.runs} == {"SUCCESS"}
    names = {run.job: run for run in found.runs}
    whole = names.pop("dbt/dbt-run-shop")
    assert len(names) == 4
    assert {run.parent for run in names.values()} == {whole.id}
    assert all(run.started_at <= run.ended_at for run in found.runs)


def test_models_are_tables_of_the_database_that_dbt_wrote_to(found, project):
    file = project / "shop.duckdb"
    warehouse = run_connector(DuckDB, {"path": str(file)}, folder=project)
    owned = {(r.database, r.schema, r.title) for r in warehouse.resources if r.entity_type == "table"}
    (address,) = make(DuckDB, project, path=str(file)).addresses()
    tables = of_kind(found, "table")
    totals = next(r for r in tables.values() if r.title == "totals")
    assert totals.same_as == ExternalTable(
        cluster=f"duckdb://{file}", database="shop", schema="main", table="totals"
    )
    assert {place_of(r.same_as.cluster) for r in tables.values()} == {place_of(address)}
    # "doubled" is written into the SQL of others; dbt folds the name of the table "Customers" of a source
    known = {(r.database, r.schema, r.title) for r in tables.values()}
    assert known - owned == {("shop", "main", "doubled"), ("shop", "app", "customers")}


def test_lineage_is_what_dbt_says_column_by_column(found, project):
    start = f'"duckdb://{project}/shop.duckdb".shop.'
    edges = {tuple(end.removeprefix(start) for end in keys(one)) for one in found.declarations}
    assert edges == {
        ("main.doubled", "main.totals"),
        ("app.customers", "main.totals"),
        ('main."Stg Orders".amount', "main.totals.total"),
        ("app.Customers.region", "main.totals.region"),
        *(
            (f"main_raw.raw_orders.{name}", f'main."Stg Orders".{name}')
            for name in ("id", "customer", "amount")
        ),
    }
    assert all(one.location.startswith("dbt/shop.main") for one in found.declarations)


def test_models_say_what_they_are(found):
    model = next(r for r in found.resources if r.title == "Stg Orders")
    assert (model.description, model.owners) == ("orders, cleaned", ["ada@example.com"])
    jobs = of_kind(found, "job")
    (totals,) = (r for key, r in jobs.items() if "totals" in key)
    assert totals.native_type == "MODEL"
    assert "group by" in totals.definition
