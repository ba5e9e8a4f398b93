"""Changes whose effects lie far from what changed, each between two days."""

from __future__ import annotations

import pytest

from connectors import Resource
from lineage.graph.build import build_graph
from lineage.graph.by_hand import add_edge
from tests.lineage.patched import assert_same
from tests.lineage.world import Connection, ExternalTable, InternalResource, World

DAYS = ("2026-11-01", "2026-11-02")


def ref(key: str) -> InternalResource:
    return InternalResource(databuilder_id=key)


def declare(connection: Connection, entity_type: str, key: str, parent: str | None = None, **more) -> None:
    named = {"title": key.rpartition(".")[2].lower(), "parent_databuilder_id": parent}
    connection.writer.resource(Resource(entity_type=entity_type, databuilder_id=key, **{**named, **more}))


def a_table_comes_after_its_column(world: World, day: str) -> None:
    wh = Connection("wh")
    if day == DAYS[1]:
        declare(wh, "table", "T", database="d", schema="s")
    declare(wh, "column", "T.c", "T")
    wh.link(ref("T.c"), wh.chart("x"))
    world.run(wh, day)


def a_column_within_a_column_changes_tables(world: World, day: str) -> None:
    wh = Connection("wh")
    for one in "TU":
        declare(wh, "table", one, database="d", schema="s")
    declare(wh, "column", "T.c", "T" if day == DAYS[0] else "U")
    declare(wh, "column", "T.c.n", "T.c")
    wh.link(ref("T.c.n"), wh.chart("x"))
    world.run(wh, day)


def a_describer_is_no_table(world: World, day: str) -> None:
    wh, bi = Connection("wh"), Connection("bi")
    wh.table("d.s.t", "a")
    same_as = ExternalTable(table="t", schema="s")
    declare(bi, "dataset", "ds", description=day, same_as=same_as)
    charts = [bi.chart(one) for one in "xy"]
    bi.link(ref("ds"), charts[0])
    if day == DAYS[1]:
        bi.link(ref("ds"), charts[1])
    world.run(wh, day)
    world.run(bi, day)


@pytest.mark.parametrize("schema", ["s1", "s2"])
def test_sql_that_two_declarations_have_is_told_of_once(world, schema):
    for day in DAYS:
        wh, bi = Connection("wh"), Connection("bi", "duckdb", defaults={"database": "d"})
        for one in ("s1", "s2"):
            wh.table(f"d.{one}.a", "k")
            bi.query("select a.k from a, q.r.missing m", bi.chart("x"), default_schema=one)
        if day == DAYS[0]:
            bi.link(ExternalTable(table="a", schema=schema), ref("x"))
        world.run(wh, day)
        world.run(bi, day)
        graph = assert_same(world, day)
    assert graph.header.patched
    assert len(graph.unresolved()) == 1


CASES = [
    a_table_comes_after_its_column,
    a_column_within_a_column_changes_tables,
    a_describer_is_no_table,
]


@pytest.mark.parametrize("case", CASES)
def test_what_a_change_reaches_is_resolved_again(world, case):
    for day in DAYS:
        case(world, day)
        graph = assert_same(world, day)
    assert graph.header.patched


def test_what_counts_of_two_snapshots_is_the_newest(world):
    def run(day: str, title: str, *, complete: bool) -> None:
        wh = Connection("wh")
        declare(wh, "table", "k", title=title, database="d", schema="s")
        wh.link(ExternalTable(table="alpha"), wh.chart("x"))
        world.run(wh, day, complete=complete)

    run("2026-11-01", "alpha", complete=True)
    run("2026-11-02", "beta", complete=False)
    assert assert_same(world, "2026-11-02").unresolved()
    run("2026-11-03", "beta", complete=True)
    run("2026-11-04", "alpha", complete=False)
    graph = assert_same(world, "2026-11-04")
    assert graph.header.patched
    assert not graph.unresolved()


def test_an_edge_by_hand_finds_what_comes_again_under_a_new_name(world):
    def run(name: str, day: str, *tables: str, **spec) -> None:
        connection = Connection(name, **spec)
        for one in tables:
            connection.table(f"d.s.{one}")
        world.specs.clear()
        world.run(connection, day)

    run("old", "2026-11-01", "t", "u", "v")
    first = build_graph(world.store, "2026-11-01", list(world.specs.values()))
    add_edge(world.store, first, "old/d.s.t", "old/d.s.u")
    run("new", "2026-11-02", "t", "v", renamed_from="old")
    assert assert_same(world, "2026-11-02").unresolved()
    run("new", "2026-11-03", "t", "v", "w", renamed_from="old")
    assert assert_same(world, "2026-11-03").header.patched
    run("new", "2026-11-04", "t", "v", "w", "u", renamed_from="old")
    graph = assert_same(world, "2026-11-04")
    assert graph.header.patched
    assert [(edge["from"], edge["to"]) for edge in graph.edges()] == [("new/d.s.t", "new/d.s.u")]
