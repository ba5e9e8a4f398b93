"""Usage: what logged statements say of the tables and columns that they read."""

from datetime import UTC, datetime

from tests.lineage.world import Connection, World

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def warehouse() -> Connection:
    connection = Connection("wh", "postgres")
    connection.table("shop.public.orders", "id", "total", "note")
    connection.table("shop.public.mart", "id", "total")
    return connection


def log(name: str = "log", **spec: object) -> Connection:
    defaults = {"database": "shop", "schema": "public"}
    return Connection(name, "postgres", windowed=True, defaults=defaults, **spec)


def usage(world: World, node: str, partition: str = "2026-11-20") -> dict[str, object] | None:
    return world.graph(partition).resource(f"wh/shop.public.{node}").get("usage")


def test_reads_are_counted_by_table_and_column_with_users_and_the_last_time(tmp_path):
    world, entries = World(tmp_path), log()
    world.run(warehouse())
    entries.statement("select id from orders where total > 5", user="ada", at=NOON)
    entries.statement("select id from orders where total > 7", user="bob", at=NOON.replace(hour=15))
    entries.statement("select note from orders", user="ada", at=NOON.replace(hour=9), count=3)
    world.run(entries)
    seen = "2026-11-20T15:00:00Z"
    assert usage(world, "orders") == {"queries": 5, "users": 2, "last_seen": seen}
    assert (
        usage(world, "orders.id")
        == usage(world, "orders.total")
        == {"queries": 2, "users": 2, "last_seen": seen}
    )
    assert usage(world, "orders.note") == {"queries": 3, "users": 1, "last_seen": "2026-11-20T09:00:00Z"}


def test_what_is_only_written_and_what_nobody_reads_has_no_usage(tmp_path):
    world, entries = World(tmp_path), log()
    world.run(warehouse())
    entries.statement("insert into mart (id) select id from orders", at=NOON)
    world.run(entries)
    assert usage(world, "mart") is None
    assert usage(world, "orders.note") is None
    assert usage(world, "orders") == {"queries": 1, "users": 0, "last_seen": "2026-11-20T12:00:00Z"}


def test_a_script_that_was_not_seen_to_run_is_no_usage(tmp_path):
    world, entries = World(tmp_path), log()
    world.run(warehouse())
    entries.statement("select id from orders")
    world.run(entries)
    assert usage(world, "orders") is None


def test_usage_is_of_the_days_within_the_lookback(tmp_path):
    world = World(tmp_path)
    world.run(warehouse(), "2026-11-01")
    for day in ("2026-11-01", "2026-11-19", "2026-11-20"):
        entries = log(lookback_days=5)
        entries.statement(
            "select id from orders", user=day, at=datetime.fromisoformat(f"{day}T01:00:00+00:00")
        )
        world.run(entries, day)
    assert usage(world, "orders") == {"queries": 2, "users": 2, "last_seen": "2026-11-20T01:00:00Z"}


def test_logged_statements_make_edges_with_their_columns(tmp_path):
    world, entries = World(tmp_path), log()
    world.run(warehouse())
    entries.statement(
        "create temp table t as select id, total from orders where note <> ''", session="s", at=NOON
    )
    entries.statement("insert into mart (id, total) select id, total from t", session="s", at=NOON)
    world.run(entries)
    edges = {
        (e["from"].rpartition("public.")[2], e["to"].rpartition("public.")[2]): e
        for e in world.graph().edges()
    }
    assert {pair for pair, e in edges.items() if e["kind"] == "direct"} == {
        ("orders", "mart"),
        ("orders.id", "mart.id"),
        ("orders.total", "mart.total"),
    }
    assert edges["orders.note", "mart"]["clauses"] == ["where"]
    (why,) = edges["orders.id", "mart.id"]["provenance"]
    assert "create temp table t" in why["sql"], "the hop is the evidence"


def test_what_a_log_cannot_resolve_day_after_day_is_listed_once(tmp_path):
    world = World(tmp_path)
    world.run(warehouse(), "2026-11-19")
    for day in ("2026-11-19", "2026-11-20"):
        entries = log()
        entries.statement("select x from nowhere", at=datetime.fromisoformat(f"{day}T01:00:00+00:00"))
        world.run(entries, day)
    other = log("other")
    other.statement("select x from nowhere", at=NOON)
    world.run(other)
    listed = {(u["connection"], u["partition"]) for u in world.graph().unresolved()}
    assert listed == {("log", "2026-11-20"), ("other", "2026-11-20")}
    assert len(world.graph().unresolved()) == 2
