"""What is stored of runs, and what is not stored again."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from deltalake import DeltaTable

from connectors.errors import LineageError, StoreError
from lineage.store import SnapshotHeader, SnapshotWriter, Store, maintain, open_store
from tests.lineage.world import DAY, Connection, ExternalTable, World


def tables(world: World, name: str, *titles: str, partition: str = DAY, complete: bool = True, **commit):
    connection = Connection(name)
    for title in titles:
        connection.table(f"d.s.{title}", "id")
    return world.run(connection, partition, complete=complete, **commit)


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def titles(world: World, partition: str = DAY) -> set[str]:
    graph = world.graph(partition)
    return {r["title"] for r in graph.resources() if r["entity_type"] == "table"}


def test_an_equal_extract_costs_its_header_alone(world, tmp_path):
    names = [f"t{n}" for n in range(2000)]
    first = tables(world, "wh", *names)
    before = size_of(tmp_path)
    again = tables(world, "wh", *names)
    next_day = tables(world, "wh", *names, partition="2026-11-21")
    assert first.content == again.content == next_day.content
    assert size_of(tmp_path) - before < 30_000


def test_the_order_of_declarations_does_not_change_the_content(world):
    one = tables(world, "wh", "a", "b")
    two = tables(world, "wh", "b", "a", partition="2026-11-21")
    # sort_order is part of a column, the order in which tables are declared is not
    assert one.content == two.content


def test_a_complete_run_replaces_its_partition(world):
    tables(world, "wh", "a", "b")
    tables(world, "wh", "b", "c", max_drop=None)
    assert titles(world) == {"b", "c"}


def test_a_partial_run_adds_and_removes_nothing(world):
    tables(world, "wh", "a", "b")
    tables(world, "wh", "b", "c", complete=False)
    assert titles(world) == {"a", "b", "c"}
    tables(world, "wh", "d", complete=False)
    assert titles(world) == {"a", "b", "c", "d"}


def test_a_complete_run_clears_what_partial_ones_added(world):
    tables(world, "wh", "a")
    tables(world, "wh", "b", complete=False)
    tables(world, "wh", "a", "c")
    assert titles(world) == {"a", "c"}


def test_a_partial_run_alone_stands_where_there_is_no_complete_one(world):
    tables(world, "wh", "a", complete=False)
    assert titles(world) == {"a"}


def test_partial_runs_of_later_partitions_lie_over_the_newest_complete_one(world):
    tables(world, "wh", "a", partition="2026-11-18")
    tables(world, "wh", "b", partition="2026-11-19", complete=False)
    tables(world, "wh", "c", partition="2026-11-20", complete=False)
    assert titles(world, "2026-11-18") == {"a"}
    assert titles(world, "2026-11-19") == {"a", "b"}
    assert titles(world, "2026-11-20") == {"a", "b", "c"}


def test_a_large_loss_is_held_back_until_it_is_accepted(world):
    tables(world, "wh", *"abcdefghij")
    held = tables(world, "wh", "a", partition="2026-11-21", max_drop=0.3)
    assert not held.complete
    assert "18 of 20 resources are gone" in (held.held_back or "")
    assert titles(world, "2026-11-21") == set("abcdefghij")
    tables(world, "wh", "a", partition="2026-11-21")
    assert titles(world, "2026-11-21") == {"a"}


def test_a_small_loss_is_taken(world):
    tables(world, "wh", *"abcdefghij")
    assert tables(world, "wh", *"abcdefgh", partition="2026-11-21", max_drop=0.3).complete


def test_a_loss_of_just_the_allowed_share_is_taken(world):
    tables(world, "wh", *"abcdefghij")
    assert tables(world, "wh", *"abc", partition="2026-11-21", max_drop=0.7).complete


def test_equal_sql_that_is_kept_differently_is_kept_apart(world):
    from lineage.store import SnapshotWriter

    for name, kept, keep in (("full", "full", None), ("bare", "none", lambda sql, dialect: None)):
        connection = Connection(name)
        connection.writer = SnapshotWriter("duckdb", keep, kept)
        connection.table("d.s.t", "a")
        connection.query("select a from t where a = 'Ada'", connection.chart("c"))
        world.run(connection)
    texts = {
        why["connection"]: why["sql"]
        for edge in world.graph().edges()
        for why in edge["provenance"]
        if edge["level"] == "resource"
    }
    assert texts["bare"] is None
    assert "Ada" in texts["full"]


def test_what_is_missing_stays_when_it_shall(world):
    tables(world, "wh", "a", "b")
    tables(world, "wh", "b", "c", partition="2026-11-21", keep_missing=True)
    assert titles(world, "2026-11-21") == {"a", "b", "c"}


def test_equal_contents_of_two_connections_are_both_read(world):
    tables(world, "one", "a")
    tables(world, "two", "a")
    assert {r["id"] for r in world.graph().resources() if r["entity_type"] == "table"} == {
        "one/d.s.a",
        "two/d.s.a",
    }


def test_programs_are_compiled_once(world):
    compiled = []

    def compile_sql(sql: str, dialect: str | None) -> bytes:
        compiled.append(sql)
        return b"[0,program]"

    for partition in ("2026-11-20", "2026-11-21"):
        connection = Connection("wh")
        connection.query("select 1", connection.chart("c"))
        rows = connection.writer.finish(compile_sql, world.store.snapshots.programs("wh"))
        header = world.store.snapshots.headers()
        assert len(header) == (partition == "2026-11-21")
        from lineage.store import SnapshotHeader

        world.store.snapshots.commit(SnapshotHeader("wh", partition, "r", True), rows)
    assert compiled == ["select 1"]


def test_sql_is_stored_as_the_connection_says(world):
    from lineage.sql.masking import mask_literals
    from lineage.store import SnapshotWriter

    for keep, stored in (
        (mask_literals, "select * from t where name = ? and n > ?"),
        (lambda s, d: None, None),
    ):
        writer = SnapshotWriter("duckdb", keep)
        connection = Connection("wh")
        connection.writer = writer
        connection.query("select * from t where name = 'Ada' and n > 17", connection.chart("c"))
        rows = writer.finish(lambda s, d: b"", {})
        assert [
            sql
            for kind, sql in zip(rows["kind"].to_pylist(), rows["sql"].to_pylist(), strict=True)
            if kind == "query"
        ] == [stored]


def test_a_forgotten_connection_is_gone(world):
    tables(world, "wh", "a")
    tables(world, "other", "b")
    world.store.snapshots.forget("wh")
    assert {h.connection for h in world.store.snapshots.headers()} == {"other"}
    assert titles(world) == {"b"}


def test_a_graph_that_was_never_built_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(LineageError, match="headwater sync"):
        open_store(tmp_path / "none").graph()


@pytest.mark.parametrize("name", ["a%20b", "a[1]"])
def test_a_path_that_delta_cannot_hold_is_refused(tmp_path, name):
    with pytest.raises(StoreError, match="cannot have"):
        open_store(tmp_path / name)


def test_a_store_of_another_format_is_refused(world, tmp_path):
    tables(world, "wh", "a")
    uri = world.store.snapshots.table.uri
    DeltaTable(uri).alter.set_table_description("format 99")
    with pytest.raises(StoreError, match="format 99"):
        world.store.snapshots.headers()


WRITER = """
import sys
from pathlib import Path
from tests.lineage.world import Connection, World
world = World(Path(sys.argv[1]))
for turn in range(int(sys.argv[3])):
    connection = Connection(sys.argv[2])
    for n in range(50 + turn):
        connection.table(f"d.s.{sys.argv[4]}{n}")
    world.run(connection)
"""


def write(folder: Path, name: str, turns: int, prefix: str) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, "-c", WRITER, str(folder), name, str(turns), prefix]
    return subprocess.Popen(arguments, env={**os.environ, "PYTHONPATH": os.getcwd()})


def test_processes_that_write_different_connections_lose_nothing(tmp_path):
    writers = [write(tmp_path, f"c{n}", 5, "t") for n in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    headers = World(tmp_path).store.snapshots.headers()
    assert {h.connection: h.counts["resource"] for h in headers} == {"c0": 54, "c1": 54, "c2": 54}


def test_two_processes_that_write_one_connection_end_in_one_complete_state(tmp_path):
    writers = [write(tmp_path, "c", 4, prefix) for prefix in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    world = World(tmp_path)
    (header,) = world.store.snapshots.headers()
    rows = world.store.snapshots.table.rows([("c", header.content)])
    firsts = {key[4] for key in rows["key"].to_pylist()}
    assert len(firsts) == 1
    assert rows.num_rows == header.counts["resource"]


def test_a_year_of_hourly_headers_stays_small(world, tmp_path):
    """Three hundred equal syncs, then maintenance without a waiting time, as if they were old."""
    connection = Connection("wh")
    for n in range(200):
        connection.table(f"d.s.t{n}", "id")
    header = world.run(connection)
    rows = world.store.snapshots.table.rows([("wh", header.content)]).drop(["scope", "segment"])
    for n in range(120):
        again = replace(header, partition=f"2026-10-{n % 28 + 1:02}", run_id=f"r{n}")
        world.store.snapshots.commit(
            again, rows.select([c for c in rows.column_names if c not in ("content", "header")])
        )
    world.graph()
    report = maintain(world.store, keep_days=None, today=date(2026, 11, 20), retention_hours=0)
    assert report.files_compacted > 0
    assert report.files_removed > 50
    assert len(world.store.snapshots.headers()) == 29
    assert titles(world)
    files = [
        file
        for file in (tmp_path / "store" / "snapshots").rglob("*.parquet")
        if "_delta_log" not in str(file)
    ]
    assert len(files) < 10


def test_maintenance_removes_old_partitions_but_never_the_newest_complete_one(world):
    tables(world, "wh", "a", partition="2026-01-01")
    tables(world, "wh", "a", "b", partition="2026-01-02")
    tables(world, "wh", "c", partition="2026-01-03", complete=False)
    world.graph("2026-01-01")
    world.graph("2026-01-03")
    report = maintain(world.store, keep_days=30, today=date(2026, 11, 20), retention_hours=0)
    assert report.headers_removed == 2
    assert report.contents_removed == 2
    kept = [(h.partition, h.complete) for h in world.store.snapshots.headers()]
    assert kept == [("2026-01-02", True), ("2026-01-03", False)]
    assert titles(world, "2026-11-20") == {"a", "b", "c"}


def test_maintenance_beside_a_writer_loses_nothing(tmp_path):
    writer = write(tmp_path, "c", 12, "t")
    store: Store = World(tmp_path).store
    rounds = 0
    while writer.poll() is None:
        maintain(store, keep_days=1, today=date(2026, 11, 20))
        rounds += 1
    assert writer.returncode == 0
    assert rounds > 0
    (header,) = store.snapshots.headers()
    assert store.snapshots.table.rows([("c", header.content)]).num_rows == 61


def test_a_table_that_nobody_owns_leaves_no_trace_in_the_store_of_another(world):
    connection = Connection("bi")
    connection.link(ExternalTable(table="t"), connection.chart("c"))
    world.run(connection)
    assert [r["id"] for r in world.graph().resources()] == ["bi/c"]


def test_the_state_of_the_newest_complete_run_is_what_the_next_goes_on_from(tmp_path):
    store = open_store(tmp_path / "store")
    for key, complete, at in (("2026-11-01", True, 1), ("2026-11-02", True, 2), ("2026-11-03", False, 3)):
        header = SnapshotHeader("shop", key, f"run-{at}", complete, state={"at": at})
        store.snapshots.commit(header, SnapshotWriter(None).rows())
    assert store.snapshots.state("shop", "2026-11-03") == {"at": 2}
    assert store.snapshots.state("shop", "2026-11-01") == {"at": 1}
    assert store.snapshots.state("shop", "2026-10-01") == {}
    assert store.snapshots.state("sh", "2026-11-03") == {}
