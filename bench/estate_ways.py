"""One measured step on a synced estate, in a process of its own: prints its figures as JSON."""

from __future__ import annotations

import json
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb

from lineage import LineageGraph, open_store
from lineage.graph import build as building
from lineage.graph import patch as patching
from pipelines.project import Project, connection_specs, read_project

ASKED = 1000
DEPTH = 10
_REFERENCE = (
    'STRUCT(type VARCHAR, cluster VARCHAR, database VARCHAR, schema VARCHAR, "table" VARCHAR, '
    '"column" VARCHAR, databuilder_id VARCHAR)'
)


def join(folder: Path) -> dict[str, float]:
    """The bare join of the same keys: every reference with the resource that has its parts, no more."""
    db = duckdb.connect()
    fields = ("entity_type", "databuilder_id", "parent_databuilder_id", "title", "database", "schema")
    columns = ", ".join(f"{name}: 'VARCHAR'" for name in fields)
    db.execute(f"""
        CREATE TABLE resource AS SELECT *, split_part(parse_filename(filename), '-', 1) AS connection
        FROM read_json('{folder}/*-resources.jsonl', columns = {{{columns}}}, filename = true)
    """)
    db.execute(f"""
        CREATE TABLE link AS SELECT *, split_part(parse_filename(filename), '-', 1) AS connection
        FROM read_json('{folder}/*-lineage.jsonl', filename = true,
            columns = {{from_identifier: '{_REFERENCE}', to_identifier: '{_REFERENCE}'}})
    """)
    db.execute("""
        CREATE TABLE reference AS
        SELECT connection, r.* FROM (SELECT connection, unnest([from_identifier, to_identifier]) AS r FROM link)
    """)
    db.execute("""
        CREATE TABLE field AS
        SELECT c.connection, p.database, p.schema, p.title, c.title AS field FROM resource c
        JOIN resource p ON p.connection = c.connection AND p.databuilder_id = c.parent_databuilder_id
    """)
    parts = " AND ".join(
        f"(r.{given} IS NULL OR r.{given} = o.{own})"
        for given, own in (("cluster", "connection"), ("database", "database"), ("schema", "schema"))
    )
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        db.execute(f"""
            CREATE OR REPLACE TABLE found AS
            SELECT r.*, o.databuilder_id AS id FROM reference r LEFT JOIN resource o
                ON o.title = r."table" AND {parts} WHERE r.type = 'external_table'
            UNION ALL
            SELECT r.*, o.field FROM reference r LEFT JOIN field o
                ON o.title = r."table" AND o.field = r."column" AND {parts} WHERE r.type = 'external_column'
            UNION ALL
            SELECT r.*, o.databuilder_id FROM reference r LEFT JOIN resource o
                ON o.connection = r.connection AND o.databuilder_id = r.databuilder_id
            WHERE r.type = 'internal_resource'
        """)
        seconds.append(time.perf_counter() - begun)
    counted = db.execute(
        "SELECT count(*) FILTER (type <> 'internal_resource'), count(*) FROM reference"
    ).fetchall()
    return {"seconds": min(seconds), "external": counted[0][0], "references": counted[0][1]}


def build(folder: Path) -> dict[str, float]:
    """The graph of what is stored: from the store, into the store; `linking` is what lies between."""
    seconds: dict[str, float] = {}
    for module in (building, patching):
        module.link_resources = _timed(module.link_resources, "linking", seconds)  # type: ignore[attr-defined]
    project = read_project(folder)
    store = open_store(project.storage)
    newest = max(header.partition for header in store.snapshots.headers())
    begun = time.perf_counter()
    graph = building.build_graph(store, newest, list(connection_specs(project)))
    seconds["total"] = time.perf_counter() - begun
    counts = graph.header.counts
    return {**seconds, "patched": float(bool(graph.header.patched)), "peak_gib": _peak(), **counts}


def ask(folder: Path) -> dict[str, float]:
    """Loads the graph and asks what lies ten hops up and down of resources by chance."""
    begun = time.perf_counter()
    graph = _graph(folder)
    graph.upstream(graph.ids_of(_first())[0], 1)
    loaded = time.perf_counter() - begun
    ids = _chosen(graph)
    found: list[float] = []
    sizes = []
    for place, one in enumerate(ids):
        asked = graph.upstream if place % 2 else graph.downstream
        begun = time.perf_counter()
        sizes.append(len(asked(one, DEPTH).distances))
        found.append(time.perf_counter() - begun)
    return {
        "load": loaded,
        **_told(found),
        "largest": max(sizes),
        "mean": statistics.mean(sizes),
        "peak_gib": _peak(),
    }


def networkx(folder: Path) -> dict[str, float]:
    """The same questions to networkx."""
    import networkx as nx

    graph = _graph(folder)
    ids = _chosen(graph)
    rows = graph.edge_rows
    begun = time.perf_counter()
    whole = nx.DiGraph()
    level = rows["level"].to_pylist()
    ends = zip(rows["from_id"].to_pylist(), rows["to_id"].to_pylist(), level, strict=True)
    whole.add_edges_from((start, end) for start, end, kind in ends if kind == "resource")
    up = whole.reverse(copy=False)
    loaded = time.perf_counter() - begun
    found = []
    for place, one in enumerate(ids):
        asked = up if place % 2 else whole
        begun = time.perf_counter()
        if one in asked:
            len(nx.single_source_shortest_path_length(asked, one, cutoff=DEPTH))
        found.append(time.perf_counter() - begun)
    return {"load": loaded, **_told(found), "peak_gib": _peak()}


def recursive(folder: Path) -> dict[str, float]:
    """The same questions, fewer of them, to DuckDB: a recursive query over a table of edges."""
    graph = _graph(folder)
    ids = _chosen(graph)[:40]
    db = duckdb.connect()
    db.register("rows", graph.edge_rows)
    begun = time.perf_counter()
    db.execute("CREATE TABLE edge AS SELECT from_id, to_id FROM rows WHERE level = 'resource'")
    loaded = time.perf_counter() - begun
    found = []
    for place, one in enumerate(ids):
        near, far = ("to_id", "from_id") if place % 2 else ("from_id", "to_id")
        begun = time.perf_counter()
        db.execute(
            f"""WITH RECURSIVE reached(id, hops) AS (
                SELECT ?, 0 UNION SELECT e.{far}, r.hops + 1 FROM reached r JOIN edge e ON e.{near} = r.id
                WHERE r.hops < {DEPTH}) SELECT id, min(hops) FROM reached GROUP BY id""",
            [one],
        ).fetchall()
        found.append(time.perf_counter() - begun)
    return {"load": loaded, **_told(found), "peak_gib": _peak()}


def _first() -> Any:
    import numpy as np

    return np.array([0], np.int32)


def _graph(folder: Path) -> LineageGraph:
    project: Project = read_project(folder)
    return open_store(project.storage).graph()


def _chosen(graph: LineageGraph) -> Sequence[str]:
    """Tables and charts by chance, the same each time."""
    import numpy as np

    whole = np.flatnonzero(graph.topology.table_of == -1).astype(np.int32)
    return graph.ids_of(
        np.array(random.Random(20261120).sample(whole.tolist(), min(ASKED, len(whole))), np.int32)
    )


def _timed(function: Callable[..., Any], name: str, seconds: dict[str, float]) -> Callable[..., Any]:
    def run(*given: Any, **named: Any) -> Any:
        begun = time.perf_counter()
        found = function(*given, **named)
        seconds[name] = time.perf_counter() - begun
        return found

    return run


def _told(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "median_ms": statistics.median(ordered) * 1000,
        "p99_ms": ordered[int(len(ordered) * 0.99)] * 1000,
    }


def _peak() -> float:
    return (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform != "darwin" else 1) / 2**30
    )


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](Path(sys.argv[2]))))
