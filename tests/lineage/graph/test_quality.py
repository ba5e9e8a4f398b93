"""What did not become edges, counted, the worst first."""

from __future__ import annotations

from lineage.graph.quality import MOST, quality_of
from tests.lineage.world import Connection, ExternalTable, InternalResource

SHOP = {"database": "d", "schema": "s"}


def test_a_graph_in_which_everything_resolved(world):
    owner = Connection("wh", "duckdb", defaults=SHOP)
    owner.table("d.s.a", "x")
    owner.statement("create table d.s.a as select 1 as x")
    world.run(owner)
    found = quality_of(world.graph())
    assert (found.unresolved, found.by_connection, found.by_reason) == (0, {}, {})
    assert (found.wanted, found.misread, found.coverage.share) == ([], [], 1.0)


def test_without_statements_all_are_understood(world):
    world.run(Connection("wh"))
    assert quality_of(world.graph()).coverage.share == 1.0


def test_the_names_most_asked_for_come_first_with_the_likeliest_candidate(world):
    owner = Connection("wh")
    owner.table("d.s.orders", "x")
    for number in range(3):
        owner.link(ExternalTable(table="ordrs"), owner.chart(f"c{number}"))
    owner.link(ExternalTable(table="nothing_like_it"), owner.chart("c"))
    owner.link(InternalResource(databuilder_id="gone"), owner.chart("c"))
    world.run(owner)
    found = quality_of(world.graph())
    told = [(one.name, one.references, one.candidate, one.guessed) for one in found.wanted]
    assert told == [
        ("ordrs", 3, "wh/d.s.orders", True),
        ("nothing_like_it", 1, None, False),
        ("wh/gone", 1, None, False),
    ]
    assert found.by_reason == {"not_found": 4, "undeclared_internal": 1}
    assert found.by_connection == {"wh": 5}
    assert found.unresolved == 5


def test_the_connection_whose_sql_is_understood_least_comes_first(world):
    for name, broken in (("good", 0), ("worse", 3), ("bad", 1)):
        scripts = Connection(name, "duckdb", defaults=SHOP)
        for number in range(4):
            text = f"select ({number} from t" if number < broken else f"select {number} as x"
            scripts.statement(text, location=f"{name}.sql:{number}")
        world.run(scripts)
    found = quality_of(world.graph())
    told = [(one.connection, one.statements, one.failed, one.share) for one in found.read]
    assert told == [("worse", 4, 3, 0.25), ("bad", 4, 1, 0.75), ("good", 4, 0, 1.0)]
    assert (found.coverage.statements, found.coverage.failed) == (12, 4)
    first = next(one for one in found.misread if one.connection == "bad")
    assert (first.reason, first.place, first.sql) == ("sql_parse_error", "bad.sql:0", "select (0 from t")
    assert found.wanted == []


def test_lists_and_texts_are_bounded_and_counts_are_not(world):
    owner = Connection("wh", "duckdb", defaults=SHOP)
    for number in range(MOST + 5):
        owner.link(ExternalTable(table=f"t{number}" + "x" * 1000), owner.chart(f"c{number}"))
        owner.statement(f"select ({number} from {'y' * 1000}")
    world.run(owner)
    found = quality_of(world.graph())
    assert (len(found.wanted), len(found.misread)) == (MOST, MOST)
    assert sum(found.by_reason.values()) == found.unresolved == 2 * (MOST + 5)
    assert all(len(one.name) <= 300 for one in found.wanted)
    assert all(len(one.sql or "") <= 300 and len(one.message) <= 300 for one in found.misread)
