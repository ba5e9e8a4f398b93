"""Systems that see the tables of one PostgreSQL database, each under its own name for them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors import ExternalTable
from connectors.builtin.dbt import Dbt
from connectors.builtin.openlineage import OpenLineage
from connectors.model.naming import dotted
from connectors.testing import Extract, run_connector
from lineage.graph.inputs import ConnectionSpec
from lineage.sql import compile_sql
from lineage.store import SnapshotHeader, SnapshotWriter
from tests.connectors.builtin.openlineage_events import DAY, as_lines, dataset, event, facet
from tests.lineage.world import Connection, World

PARTITION = DAY.key
ADDRESS = "postgres://db.example:5432"


class Observers:
    """Runs connectors that see the database `database`, which is at `address`, and stores what they say."""

    def __init__(self, world: World, folder: Path, database: str = "shop", address: str = ADDRESS) -> None:
        self.world = world
        self.folder = folder
        self.database = database
        self.address = address

    def store(self, found: Extract, spec: ConnectionSpec, **header: Any) -> None:
        """Stores what a connector's run gave."""
        assert found.error is None
        assert found.report.complete
        writer = SnapshotWriter(header.get("dialect"))
        for take, given in (
            (writer.resource, found.resources),
            (writer.declaration, found.declarations),
            (writer.statement, found.statements),
            (writer.run, found.runs),
        ):
            for one in given:
                take(one)
        self.world.specs[spec.name] = spec
        rows = writer.finish(lambda sql, dialect: compile_sql(sql, dialect).to_bytes(), {})
        self.world.store.snapshots.commit(SnapshotHeader(spec.name, PARTITION, "run", True, **header), rows)

    def catalogue(self, *tables: str) -> None:
        """The database itself, with the address that its connector gives."""
        owner = Connection("pg", "postgres", instance="prod")
        for table in tables:
            owner.table(f"{self.database}.sales.{table}", "id", "amount")
        rows = owner.writer.rows()
        header = SnapshotHeader("pg", PARTITION, "run", True, addresses=[f"{self.address}/{self.database}"])
        self.world.specs["pg"] = owner.spec
        self.world.store.snapshots.commit(header, rows)

    def dbt(self, *models: str) -> None:
        """dbt's manifest: a model for each table."""
        nodes = {
            f"model.shop.m{number}": {
                "unique_id": f"model.shop.m{number}",
                "resource_type": "model",
                "name": f"m{number}",
                "alias": table,
                "database": self.database,
                "schema": "sales",
                "language": "sql",
                "description": f"the model of {table}",
                "config": {"materialized": "table"},
                "depends_on": {"nodes": []},
                "columns": {"AMOUNT": {"name": "AMOUNT", "description": "net"}},
            }
            for number, table in enumerate(models)
        }
        version = "https://schemas.getdbt.com/dbt/manifest/v12.json"
        manifest = {"metadata": {"dbt_schema_version": version, "adapter_type": "postgres"}, "nodes": nodes}
        (self.folder / "manifest.json").write_text(json.dumps({**manifest, "sources": {}, "exposures": {}}))
        found = run_connector(Dbt, {"manifest": "manifest.json"}, folder=self.folder)
        self.store(found, ConnectionSpec("dbt"))

    def bi(self, *tables: str) -> None:
        """A script of a BI tool: a chart for each table, which it writes as it likes."""
        tool = Connection("bi")
        for table in tables:
            name = ExternalTable(database=self.database.upper(), schema="Sales", table=table)
            tool.link(name, tool.chart(f"chart of {table}"))
        self.world.run(tool, PARTITION)

    def log(self, *queries: str) -> None:
        """The queries that the database has run."""
        defaults = {"database": self.database, "schema": "sales", "instance": "prod"}
        log = Connection("log", "postgres", windowed=True, defaults=defaults)
        for query in queries:
            log.statement(query, user="ada", at=datetime(2025, 11, 20, 8, tzinfo=UTC))
        self.world.run(log, PARTITION)

    def events(self, *names: str) -> None:
        """OpenLineage events of jobs, each of which reads one table and adds to `daily`."""
        fields = facet(fields=[{"name": "amount", "type": "numeric"}])
        said = [
            event(
                inputs=[dataset(f"{self.database}.sales.{name}", self.address, schema=fields)],
                outputs=[dataset(f"{self.database}.sales.daily", self.address)],
                run=f"r{number}",
                job=f"sum {name}",
            )
            for number, name in enumerate(names)
        ]
        (self.folder / "events.jsonl").write_text(as_lines(*said))
        found = run_connector(OpenLineage, {"path": "events.jsonl"}, window=DAY, folder=self.folder)
        self.store(found, ConnectionSpec("jobs"), windowed=True, origin="openlineage")


def key_of(database: str, table: str, address: str = ADDRESS) -> str:
    """The id of a dataset of the jobs' events."""
    return f"jobs/{dotted(address, database, 'sales', table)}"


def nodes_titled(graph: Any, *titles: str) -> dict[str, list[str]]:
    """The tables that are called so, whatever their case, with their aliases."""
    wanted = {title.lower() for title in titles}
    return {
        one["id"]: one["aliases"]
        for one in graph.resources()
        if one["entity_type"] == "table" and one["title"].lower() in wanted
    }


__all__ = ["ADDRESS", "PARTITION", "Observers", "key_of", "nodes_titled"]
