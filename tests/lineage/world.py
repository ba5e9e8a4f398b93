"""A small world for tests: connections that declare things, and the graph that comes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connectors import DeclaredLineage, ExternalColumn, ExternalTable, InternalResource, Resource, Statement
from connectors import TablesFromSQLQuery as Query
from lineage.graph.build import build_graph
from lineage.graph.inputs import ConnectionSpec
from lineage.graph.traverse import LineageGraph
from lineage.sql import compile_sql
from lineage.store import SnapshotHeader, SnapshotWriter, Store, open_store

DAY = "2026-11-20"


class Connection:
    """Collects what a connection declares in one run."""

    def __init__(self, name: str, dialect: str | None = None, *, windowed: bool = False, **spec: Any) -> None:
        self.spec = ConnectionSpec(name, **spec)
        self.windowed = windowed
        self.writer = SnapshotWriter(dialect)

    def table(
        self, name: str, *columns: str, same_as: ExternalTable | None = None, key: str | None = None
    ) -> None:
        database, schema, title = name.split(".")
        key = key or name
        self.writer.resource(
            Resource(
                entity_type="table",
                databuilder_id=key,
                title=title,
                database=database,
                schema=schema,
                same_as=same_as,
            )
        )
        for order, column in enumerate(columns):
            self.writer.resource(
                Resource(
                    entity_type="column",
                    databuilder_id=f"{key}.{column}",
                    parent_databuilder_id=key,
                    title=column,
                    sort_order=order,
                )
            )

    def chart(self, key: str) -> InternalResource:
        self.writer.resource(Resource(entity_type="chart", databuilder_id=key, title=key))
        return InternalResource(databuilder_id=key)

    def link(self, start: Any, end: Any) -> None:
        self.writer.declaration(DeclaredLineage(from_identifier=start, to_identifier=end))

    def query(self, sql: str, end: Any, **kw: Any) -> None:
        self.link(Query(sql=sql, **kw), end)

    def statement(self, sql: str, **kw: Any) -> None:
        self.writer.statement(Statement(sql=sql, **kw))


class World:
    """A store, and the connections that write to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store: Store = open_store(folder / "store")
        self.specs: dict[str, ConnectionSpec] = {}

    def run(
        self, connection: Connection, partition: str = DAY, *, complete: bool = True, **commit: Any
    ) -> SnapshotHeader:
        self.specs[connection.spec.name] = connection.spec
        rows = connection.writer.finish(lambda sql, dialect: compile_sql(sql, dialect).to_bytes(), {})
        header = SnapshotHeader(
            connection.spec.name, partition, f"run-{partition}", complete, windowed=connection.windowed
        )
        return self.store.snapshots.commit(header, rows, **commit)[0]

    def graph(self, partition: str = DAY, **kw: Any) -> LineageGraph:
        build_graph(self.store, partition, list(self.specs.values()), **kw)
        return self.store.graph(partition)


def ends(graph: LineageGraph) -> set[tuple[str, str]]:
    return {(edge["from"], edge["to"]) for edge in graph.edges()}


def how(graph: LineageGraph, start: str, end: str) -> set[str]:
    return {
        p["matched_by"]
        for e in graph.edges()
        if (e["from"], e["to"]) == (start, end)
        for p in e["provenance"]
    }


__all__ = [
    "DAY",
    "Connection",
    "ExternalColumn",
    "ExternalTable",
    "InternalResource",
    "Query",
    "World",
    "ends",
    "how",
]


def columns_of(graph: LineageGraph, table: str) -> set[str]:
    return {
        row["key"]
        for row in graph.nodes.to_pylist()
        if row["parent_id"] == table and row["entity_type"] == "column"
    }
