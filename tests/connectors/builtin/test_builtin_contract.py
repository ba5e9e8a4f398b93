"""Our own connectors keep the contract that we ask of others."""

# ruff: noqa: RUF012 - a contract says what it says as an author writes it: plain dicts in the class
from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import make_url

import pipelines.demo
from connectors.builtin.database import DuckDB, Postgres, Sqlite
from connectors.builtin.dbt import Dbt
from connectors.builtin.jsonl import Jsonl
from connectors.builtin.openlineage import OpenLineage
from connectors.builtin.query_log import QueryLog
from connectors.builtin.sql_files import SqlFiles
from connectors.testing import ConnectorContract
from tests.connectors.builtin.openlineage_events import as_lines, columns, dataset, event
from tests.connectors.builtin.query_log.writing import DAY, entry
from tests.services.conftest import postgres

__all__ = ["postgres"]
APP = """
    create table customers (id integer primary key, email text not null default 'none');
    create table orders (id integer primary key, customer int references customers (id), amount int);
    create view recent as select id, amount from orders where amount > 10;
"""
NOWHERE = {"path": "nowhere"}


class FileContract(ConnectorContract):
    """Of a connector that reads files below the project's folder."""

    @pytest.fixture(autouse=True)
    def written(self, tmp_path):
        self.folder = tmp_path
        self.write()


class TestSqlite(FileContract):
    connector = Sqlite
    config = {"path": "app.db"}
    wrong_config = NOWHERE

    def write(self):
        with closing(sqlite3.connect(self.folder / "app.db")) as connection:
            connection.executescript(APP)


class TestDuckDB(FileContract):
    connector = DuckDB
    config = {"path": "app.duckdb"}
    wrong_config = NOWHERE

    def write(self):
        with duckdb.connect(str(self.folder / "app.duckdb")) as connection:
            connection.execute(APP)


class TestSqlFiles(FileContract):
    connector = SqlFiles
    config = {"path": "sql", "dialect": "postgres"}
    wrong_config = NOWHERE

    def write(self):
        (self.folder / "sql").mkdir()
        (self.folder / "sql" / "a.sql").write_text("insert into t select a from u;")
        (self.folder / "sql" / "b.sql").write_text("select 1")


class TestJsonl(FileContract):
    connector = Jsonl
    config = {"resources": "r.jsonl", "lineage": "l.jsonl.gz"}
    wrong_config = {"resources": "gone.jsonl"}

    def write(self):
        revenue = {"entity_type": "dashboard", "databuilder_id": "revenue"}
        lineage = {
            "from_identifier": {"type": "external_table", "table": "orders"},
            "to_identifier": {"type": "internal_resource", "databuilder_id": "revenue"},
        }
        (self.folder / "r.jsonl").write_text(json.dumps(revenue) + "\n")
        (self.folder / "l.jsonl.gz").write_bytes(gzip.compress(json.dumps(lineage).encode()))


class TestDbt(FileContract):
    """On the artifacts that dbt itself wrote for the demo."""

    connector = Dbt
    config = {"project": "dbt"}
    wrong_config = {"project": "nowhere"}

    def write(self):
        shop = Path(pipelines.demo.__file__).parent / "shop" / "dbt"
        shutil.copytree(shop / "target", self.folder / "dbt" / "target")


class TestQueryLog(FileContract):
    connector = QueryLog
    config = {"path": "logs"}
    wrong_config = NOWHERE
    window = DAY

    def write(self):
        (self.folder / "logs").mkdir()
        lines = [json.dumps(entry(sql=f"select {n}"), default=str) for n in range(3)]
        (self.folder / "logs" / "a.jsonl").write_text("\n".join(lines) + "\n")


class TestOpenLineage(FileContract):
    connector = OpenLineage
    config = {"path": "events"}
    wrong_config = NOWHERE
    window = DAY

    def write(self):
        (self.folder / "events").mkdir()
        written = columns("shop.sales.daily", total=[("shop.sales.orders", "amount", {})])
        one = event(inputs=[dataset("shop.sales.orders")], outputs=[written])
        (self.folder / "events" / "a.jsonl").write_text(as_lines(one, event("FAIL", run="r2")))


USER, PASSWORD = "contract_user", "pg-canary-7781"


@pytest.fixture(scope="module")
def shop(postgres):
    """The server, and a database of it that a user reads with a password."""
    url = postgres.database(APP)
    postgres.run(f"create role {USER} login password '{PASSWORD}'", url)
    postgres.run(f"grant select on all tables in schema public to {USER}", url)
    postgres.ask_password_of(USER)
    return postgres, make_url(url).database


class TestPostgresByUrl(ConnectorContract):
    connector = Postgres

    @pytest.fixture(autouse=True)
    def login(self, shop):
        server, database = shop
        self.credentials = {"url": server.url(database, USER, PASSWORD)}
        self.wrong_credentials = {"url": server.url(database, USER, "another-canary-7782")}


class TestPostgresByParts(ConnectorContract):
    connector = Postgres

    @pytest.fixture(autouse=True)
    def login(self, shop):
        server, database = shop
        self.config = {"host": make_url(server.uri).query["host"], "dbname": database}
        self.credentials = {"user": USER, "password": PASSWORD}
        self.wrong_credentials = {"user": USER, "password": "another-canary-7782"}
