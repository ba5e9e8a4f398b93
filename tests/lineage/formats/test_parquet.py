"""Parquet files of a graph hold what its JSON does."""

from __future__ import annotations

import json

import pyarrow.parquet as pq

from lineage.formats.parquet import write_parquet
from tests.lineage.world import Connection, ExternalTable


def test_the_files_hold_the_graph(world, tmp_path):
    one = Connection("warehouse", "postgres")
    one.table("shop.public.a", "x")
    one.table("shop.public.b", "y")
    one.statement("insert into shop.public.b select x + 1 from shop.public.a where x > 0")
    one.link(ExternalTable(table="nowhere"), one.chart("revenue"))
    world.run(one)
    graph = world.graph().to_dict()
    assert graph["unresolved"]
    assert len(write_parquet(graph, tmp_path / "deep" / "graph")) == 3
    folder = tmp_path / "deep" / "graph"
    read = {name: pq.read_table(folder / f"{name}.parquet") for name in ("resources", "edges", "unresolved")}
    assert read["edges"].to_pylist() == graph["edges"]
    assert [json.loads(body) for body in read["resources"]["body"].to_pylist()] == graph["resources"]
    assert read["resources"]["id"].to_pylist() == [one["id"] for one in graph["resources"]]
    rows = read["unresolved"].to_pylist()
    assert [(row["reason"], json.loads(row["reference"])) for row in rows] == [
        (one["reason"], one["reference"]) for one in graph["unresolved"]
    ]
    assert json.loads(read["edges"].schema.metadata[b"headwater.partitions"]) == graph["partitions"]


def test_an_empty_graph_has_its_columns(tmp_path):
    empty = {"as_of": "2026-11-20", "partitions": {}, "resources": [], "edges": [], "unresolved": []}
    for path in write_parquet(empty, tmp_path):
        table = pq.read_table(path)
        assert table.num_rows == 0
        assert table.num_columns > 5
