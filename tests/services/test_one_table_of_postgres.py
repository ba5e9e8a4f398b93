"""A table of a real PostgreSQL, dbt's model of it and a job's event of it are one node."""

from __future__ import annotations

import pytest
from sqlalchemy import make_url

from connectors.builtin.database import Postgres
from connectors.testing import run_connector
from lineage.graph.inputs import ConnectionSpec
from tests.lineage.observers import ADDRESS, PARTITION, Observers, key_of, nodes_titled
from tests.lineage.world import World, ends

SHOP = """
    create schema sales;
    create table sales.orders (id int primary key, amount numeric);
    create table sales."Orders" (id int primary key, amount numeric);
    create table sales.daily (id int, amount numeric);
    create view sales.big as select id, amount from sales.orders where amount > 100;
"""


@pytest.fixture
def shop(postgres, tmp_path):
    """What PostgreSQL itself says is stored; dbt, jobs, a BI tool and a query log are there to speak of it."""
    url = postgres.database(SHOP)
    name = str(make_url(url).database)
    observers = Observers(World(tmp_path), tmp_path, name)
    # A socket is no address that others know: the project says under which one they do.
    spec = ConnectionSpec("pg", ADDRESS, {"database": name, "schema": "public", "instance": ADDRESS})
    observers.store(run_connector(Postgres, {"url": url}), spec, dialect="postgres", platform="postgres")
    return observers


def test_two_tables_that_differ_in_case_are_two_nodes_with_their_aliases(shop):
    shop.dbt("orders", "Orders")
    shop.events("orders", "Orders")
    graph = shop.world.graph(PARTITION)
    tables = [f"pg/{shop.database}.sales.{name}" for name in ("orders", "Orders")]
    assert nodes_titled(graph, "orders") == {
        table: [f"dbt/model.shop.m{number}", key_of(shop.database, name)]
        for number, (table, name) in enumerate(zip(tables, ("orders", "Orders"), strict=True))
    }
    assert graph.unresolved() == []
    daily, big = (f"pg/{shop.database}.sales.{name}" for name in ("daily", "big"))
    whole = {pair for pair in ends(graph) if pair[0] in tables and pair[1].count(".") == 2}
    assert whole == {(tables[0], daily), (tables[1], daily), (tables[0], big)}


def test_what_asks_for_it_finds_the_one_of_the_two_that_is_meant(shop):
    shop.world.specs["pg"] = ConnectionSpec("pg", "prod")
    shop.log("select amount from ORDERS", 'select id from "Orders"', 'select amount from "Orders"')
    graph = shop.world.graph(PARTITION)
    used = {
        name: graph.resource(f"pg/{shop.database}.sales.{name}")["usage"] for name in ("orders", "Orders")
    }
    assert {name: usage["queries"] for name, usage in used.items()} == {"orders": 1, "Orders": 2}
