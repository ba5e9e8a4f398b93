"""What a graph is made of, and what SQL adds to it."""

from __future__ import annotations

import pytest

from connectors import Resource
from tests.lineage.world import Connection, ExternalTable, InternalResource, World, ends, how

SHOP = {"database": "shop", "schema": "sales"}


def warehouse(world: World, *views: str) -> Connection:
    owner = Connection("wh", "duckdb", defaults=SHOP)
    owner.table("shop.sales.orders", "id", "customer_id", "amount", "status")
    owner.table("shop.sales.customers", "id", "name")
    return owner


def edge(graph, start: str, end: str) -> dict:
    (found,) = [e for e in graph.edges() if (e["from"], e["to"]) == (start, end)]
    return found


def test_a_views_columns_bind_by_name(world):
    owner = warehouse(world)
    owner.table("shop.sales.totals", "total", "who")
    owner.query(
        "select c.name as WHO, sum(o.amount) as total from orders o"
        " join customers c on c.id = o.customer_id group by 1",
        InternalResource(databuilder_id="shop.sales.totals"),
    )
    world.run(owner)
    graph = world.graph()
    total = edge(graph, "wh/shop.sales.orders.amount", "wh/shop.sales.totals.total")
    assert (total["level"], total["kind"], total["expression"].lower()) == (
        "column",
        "direct",
        "sum(o.amount)",
    )
    assert edge(graph, "wh/shop.sales.customers.name", "wh/shop.sales.totals.who")["kind"] == "direct"
    joined = edge(graph, "wh/shop.sales.orders.customer_id", "wh/shop.sales.totals")
    assert (joined["kind"], joined["clauses"]) == ("indirect", ["join"])
    assert edge(graph, "wh/shop.sales.orders", "wh/shop.sales.totals")["level"] == "resource"


def test_a_views_columns_bind_by_position_where_no_name_fits(world):
    owner = warehouse(world)
    owner.table("shop.sales.v", "a", "b")
    owner.query("select id, amount from orders", InternalResource(databuilder_id="shop.sales.v"))
    world.run(owner)
    graph = world.graph()
    assert edge(graph, "wh/shop.sales.orders.id", "wh/shop.sales.v.a")
    assert edge(graph, "wh/shop.sales.orders.amount", "wh/shop.sales.v.b")


def test_a_view_that_lists_its_columns_binds_by_them(world):
    owner = warehouse(world)
    owner.table("shop.sales.v", "amount", "id")
    owner.query(
        "create view v(amount, id) as select id, amount from orders",
        InternalResource(databuilder_id="shop.sales.v"),
    )
    world.run(owner)
    assert edge(world.graph(), "wh/shop.sales.orders.id", "wh/shop.sales.v.amount")


def test_a_star_is_expanded_from_the_catalogue(world):
    owner = warehouse(world)
    owner.table("shop.sales.v", "id", "name")
    owner.query("select * from customers", InternalResource(databuilder_id="shop.sales.v"))
    world.run(owner)
    columns = {e for e in ends(world.graph()) if e[0].count(".") == 3}
    assert columns == {
        ("wh/shop.sales.customers.id", "wh/shop.sales.v.id"),
        ("wh/shop.sales.customers.name", "wh/shop.sales.v.name"),
    }


def test_a_chart_is_fed_by_tables_and_columns(world):
    world.run(warehouse(world))
    bi = Connection("bi", "duckdb", defaults=SHOP)
    bi.query("select sum(amount) from orders where status = 'paid'", bi.chart("c"))
    world.run(bi)
    graph = world.graph()
    assert ends(graph) == {
        ("wh/shop.sales.orders", "bi/c"),
        ("wh/shop.sales.orders.amount", "bi/c"),
        ("wh/shop.sales.orders.status", "bi/c"),
    }
    assert edge(graph, "wh/shop.sales.orders.status", "bi/c")["kind"] == "indirect"
    assert edge(graph, "wh/shop.sales.orders.amount", "bi/c")["kind"] == "direct"


def test_a_table_that_only_filters_is_indirect(world):
    world.run(warehouse(world))
    bi = Connection("bi", "duckdb", defaults=SHOP)
    bi.query(
        "select amount from orders where customer_id in (select id from customers where name = 'x')",
        bi.chart("c"),
    )
    world.run(bi)
    graph = world.graph()
    assert edge(graph, "wh/shop.sales.customers", "bi/c")["kind"] == "indirect"
    assert edge(graph, "wh/shop.sales.orders", "bi/c")["kind"] == "direct"


def test_a_case_and_a_window_are_direct_with_their_clause(world):
    owner = warehouse(world)
    owner.table("shop.sales.v", "band", "rank")
    owner.query(
        "select case when amount > 9 then status end as band, rank() over (order by amount) as rank from orders",
        InternalResource(databuilder_id="shop.sales.v"),
    )
    world.run(owner)
    graph = world.graph()
    band = edge(graph, "wh/shop.sales.orders.amount", "wh/shop.sales.v.band")
    assert (band["kind"], band["clauses"]) == ("direct", ["case"])
    assert edge(graph, "wh/shop.sales.orders.amount", "wh/shop.sales.v.rank")["clauses"] == ["window"]


def test_a_missing_table_is_one_entry_with_the_sql_beside_it(world):
    world.run(warehouse(world))
    bi = Connection("bi", "duckdb", defaults=SHOP)
    bi.query("select * from orders join gone on true join gone g2 on true", bi.chart("c"))
    world.run(bi)
    graph = world.graph()
    (entry,) = graph.unresolved()
    assert (entry["reason"], entry["side"], entry["counterpart"]) == ("not_found", "from", "bi/c")
    assert entry["reference"] == {
        "type": "external_table",
        "database": "shop",
        "schema": "sales",
        "table": "gone",
    }
    assert entry["sql"].startswith("select * from orders join gone")
    assert ("wh/shop.sales.orders", "bi/c") in ends(graph)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [("selec broken (", "sql_parse_error"), ("explain_this nothing at all", "sql_parse_error")],
)
def test_sql_that_does_not_parse_is_an_entry_with_the_parsers_message(world, sql, reason):
    bi = Connection("bi", "duckdb")
    bi.query(sql, bi.chart("c"))
    world.run(bi)
    (entry,) = world.graph().unresolved()
    assert (entry["reason"], entry["sql"]) == (reason, sql)
    assert entry["message"]


@pytest.mark.parametrize(
    ("sql", "dialect", "path"),
    [
        ("select * from 's3://bucket/x.parquet'", "duckdb", "s3://bucket/x.parquet"),
        ("select * from '/data/x.parquet'", "duckdb", "/data/x.parquet"),
        ("copy into orders from @stage/x", "snowflake", "@stage/x"),
    ],
)
def test_a_path_that_nobody_owns_lies_in_no_schema(world, sql, dialect, path):
    world.run(warehouse(world))
    jobs = Connection("jobs", dialect, defaults=SHOP)
    jobs.statement(sql, location="a.sql")
    world.run(jobs)
    (entry,) = world.graph().unresolved()
    assert entry["reference"] == {"type": "external_table", "table": path}
    assert entry["message"] == f"no connection owns {path}"


def test_an_ambiguous_column_is_named_with_its_tables(world):
    owner = warehouse(world)
    world.run(owner)
    bi = Connection("bi", "duckdb", defaults=SHOP)
    bi.query("select id from orders, customers", bi.chart("c"))
    world.run(bi)
    (entry,) = world.graph().unresolved()
    assert entry["reason"] == "ambiguous_column"
    assert entry["candidates"] == ["wh/shop.sales.customers", "wh/shop.sales.orders"]


def test_a_column_that_a_table_does_not_have_makes_no_edge(world):
    world.run(warehouse(world))
    bi = Connection("bi", "duckdb", defaults=SHOP)
    bi.query("select o.gone from orders o", bi.chart("c"))
    world.run(bi)
    graph = world.graph()
    assert ends(graph) == {("wh/shop.sales.orders", "bi/c")}
    (entry,) = graph.unresolved()
    assert (entry["reason"], entry["candidates"]) == ("not_found", ["wh/shop.sales.orders"])


def test_a_statement_links_what_it_writes_with_what_it_reads(world):
    owner = warehouse(world)
    owner.table("shop.sales.daily", "total", "n")
    world.run(owner)
    jobs = Connection("jobs", "duckdb", defaults=SHOP)
    jobs.statement(
        "insert into daily select sum(amount), count(*) from orders where status = 'paid'",
        location="nightly.sql",
    )
    world.run(jobs)
    graph = world.graph()
    total = edge(graph, "wh/shop.sales.orders.amount", "wh/shop.sales.daily.total")
    assert total["provenance"][0]["location"] == "nightly.sql"
    assert edge(graph, "wh/shop.sales.orders.status", "wh/shop.sales.daily")["clauses"] == ["where"]
    assert graph.unresolved() == []


def test_a_statement_that_writes_an_unknown_table_says_so(world):
    world.run(warehouse(world))
    jobs = Connection("jobs", "duckdb", defaults=SHOP)
    jobs.statement("insert into gone select amount from orders", location="a.sql")
    world.run(jobs)
    (entry,) = world.graph().unresolved()
    assert (entry["side"], entry["reason"], entry["counterpart"]) == ("to", "not_found", "a.sql")


def test_tables_are_inferred_where_a_connection_asks_for_it(world):
    world.run(warehouse(world))
    jobs = Connection("jobs", "duckdb", defaults=SHOP, infer_tables=True)
    jobs.statement("create table stage as select id, amount * 2 as twice from orders", location="a.sql")
    jobs.statement("create table last as select twice from stage", location="b.sql")
    world.run(jobs)
    graph = world.graph()
    assert graph.unresolved() == []
    assert graph.resource("jobs/shop.sales.stage")["inferred"]
    assert edge(graph, "wh/shop.sales.orders.amount", "jobs/shop.sales.stage.twice")
    assert edge(graph, "jobs/shop.sales.stage.twice", "jobs/shop.sales.last.twice")


def test_two_connections_infer_one_table_once(world):
    for name in ("a", "b"):
        jobs = Connection(name, "duckdb", defaults=SHOP, infer_tables=True)
        jobs.statement(f"create table from_{name} as select x from shared")
        world.run(jobs)
    tables = {r["id"] for r in world.graph().resources() if r["entity_type"] == "table"}
    assert tables == {"a/shop.sales.shared", "a/shop.sales.from_a", "b/shop.sales.from_b"}


def test_defaults_of_the_declaration_go_before_those_of_the_connection(world):
    owner = warehouse(world)
    owner.table("shop.ops.orders", "id")
    world.run(owner)
    bi = Connection("bi", "duckdb", defaults=SHOP)
    bi.query("select id from orders", bi.chart("c"), default_schema="ops")
    world.run(bi)
    assert ("wh/shop.ops.orders", "bi/c") in ends(world.graph())


def test_an_edge_keeps_every_reason(world):
    owner = warehouse(world)
    owner.link(ExternalTable(table="orders"), ExternalTable(table="customers"))
    world.run(owner)
    jobs = Connection("jobs", "duckdb", defaults=SHOP)
    jobs.statement("insert into customers select id, status from orders")
    world.run(jobs)
    reasons = edge(world.graph(), "wh/shop.sales.orders", "wh/shop.sales.customers")["provenance"]
    assert {(r["origin"], r["connection"]) for r in reasons} == {("declared", "wh"), ("sql", "jobs")}


def test_a_graph_is_of_the_newest_complete_partition_at_or_before_it(world):
    for day, title in (("2026-11-18", "a"), ("2026-11-20", "b")):
        connection = Connection("wh")
        connection.table(f"d.s.{title}")
        world.run(connection, day)
    assert world.graph("2026-11-19").header.partitions == {"wh": ["2026-11-18"]}
    assert [r["title"] for r in world.graph("2026-11-19").resources()] == ["a"]
    assert [r["title"] for r in world.graph("2026-11-20").resources()] == ["b"]
    assert world.store.graph("2026-11-19").as_of == "2026-11-19"


def test_a_windowed_connection_counts_for_its_lookback(world):
    world.run(warehouse(world), "2026-10-01")
    for day in ("2026-10-01", "2026-11-10", "2026-11-20"):
        log = Connection("log", "duckdb", defaults=SHOP, windowed=True, lookback_days=15)
        log.statement(f"insert into customers select amount, 'x{day}' from orders", location=day)
        world.run(log, day)
    graph = world.graph("2026-11-20")
    reasons = edge(graph, "wh/shop.sales.orders", "wh/shop.sales.customers")["provenance"]
    assert {r["partition"] for r in reasons} == {"2026-11-10", "2026-11-20"}


def test_an_hourly_windowed_connection_counts_by_the_hour(world):
    owner = Connection("wh")
    owner.table("d.s.a")
    owner.table("d.s.b")
    world.run(owner, "2026-11-01-00:00")
    for hour in ("2026-11-19-09:00", "2026-11-19-10:00", "2026-11-20-10:00"):
        log = Connection("log", "duckdb", windowed=True, lookback_days=1)
        log.link(ExternalTable(table="a"), ExternalTable(table="b"))
        world.run(log, hour)
    assert world.graph("2026-11-20-10:00").header.partitions["log"] == [
        "2026-11-19-10:00",
        "2026-11-20-10:00",
    ]


def test_a_connection_that_is_no_longer_named_takes_no_part(world):
    world.run(warehouse(world))
    world.graph("2026-11-20")
    world.specs.clear()
    assert world.graph("2026-11-21").resources() == []
    assert world.store.snapshots.headers("wh")
    assert world.store.graph("2026-11-20").resources()


def test_a_renamed_connection_takes_its_history_along(world):
    world.run(warehouse(world), "2026-11-19")
    world.specs.clear()
    new = Connection("lake", renamed_from="wh")
    world.specs["lake"] = new.spec
    assert {r["connection"] for r in world.graph().resources()} == {"lake"}
    new.table("d.s.t")
    world.run(new)
    assert [r["id"] for r in world.graph().resources()] == ["lake/d.s.t"]


def test_building_twice_gives_the_same_content(world):
    world.run(warehouse(world))
    first = world.graph().header
    second = world.graph(run_id="another").header
    assert (first.content, first.counts) == (second.content, second.counts)
    assert second.run_id == "another"


def test_the_last_declaration_of_a_resource_counts(world):
    connection = Connection("bi")
    for title in ("first", "last"):
        connection.writer.resource(Resource(entity_type="chart", databuilder_id="c", title=title))
    assert world.run(connection).counts["resource"] == 1
    assert world.graph().resource("c")["title"] == "last"


def test_names_with_dots_quotes_and_other_letters(world):
    owner = Connection("wh", "duckdb")
    odd = ["a.b", 'say "x"', "naïve 表", "semi;colon", "new\nline"]
    for at, title in enumerate(odd):
        owner.writer.resource(
            Resource(entity_type="table", databuilder_id=f"k{at}", title=title, database="d", schema="s")
        )
        owner.link(ExternalTable(schema="s", table=title), owner.chart(f"c{at}"))
    world.run(owner)
    assert ends(world.graph()) == {(f"wh/k{n}", f"wh/c{n}") for n in range(len(odd))}


def test_an_empty_world_has_an_empty_graph(world):
    graph = world.graph()
    assert (graph.resources(), graph.edges(), graph.unresolved()) == ([], [], [])


def test_the_referenced_table_of_a_describer_takes_the_query(world):
    world.run(warehouse(world))
    dbt = Connection("dbt", "duckdb", defaults=SHOP)
    dbt.table(
        "shop.sales.customers",
        "id",
        "name",
        key="m",
        same_as=ExternalTable(schema="sales", table="customers"),
    )
    dbt.query("select id, status as name from orders", InternalResource(databuilder_id="m"))
    world.run(dbt)
    graph = world.graph()
    assert edge(graph, "wh/shop.sales.orders.status", "wh/shop.sales.customers.name")
    assert how(graph, "wh/shop.sales.orders.status", "wh/shop.sales.customers.name") == {"exact"}


def read(world, *columns: str, sql: str, dialect: str = "duckdb"):
    """The graph of a chart that reads tables of which t(columns) is one, and u(k) another."""
    owner = Connection("wh", dialect, defaults=SHOP)
    owner.table("shop.sales.t", *columns)
    owner.table("shop.sales.u", "k")
    world.run(owner)
    bi = Connection("bi", dialect, defaults=SHOP)
    bi.query(sql, bi.chart("c"))
    world.run(bi)
    return world.graph()


def wrote(world, *columns: str, sql: str, dialect: str = "duckdb"):
    """The same, of a statement."""
    owner = Connection("wh", dialect, defaults=SHOP)
    owner.table("shop.sales.t", *columns)
    owner.table("shop.sales.u", "k")
    world.run(owner)
    jobs = Connection("jobs", dialect, defaults=SHOP)
    jobs.statement(sql, location="a.sql")
    world.run(jobs)
    return world.graph()


def told(graph) -> list[tuple]:
    return [
        (u["reason"], u["side"], u["reference"].get("column"), u["candidates"]) for u in graph.unresolved()
    ]


T, U = "wh/shop.sales.t", "wh/shop.sales.u"


@pytest.mark.parametrize(
    ("sql", "dialect", "column", "candidates"),
    [
        ("select nope from t", "duckdb", "nope", [T]),
        ("select t.nope, nope, t.nope + 1 from t", "duckdb", "nope", [T]),
        ("select b from t where zz > 1", "duckdb", "zz", [T]),
        ('select "A" from t', "postgres", "A", [T]),
        ("select x.y from t", "duckdb", "x.y", [T]),
        ("select nope from t join u on a = k", "duckdb", "nope", [T, U]),
        ("select (select nope from u) from t", "duckdb", "nope", [T, U]),
    ],
)
def test_a_column_that_no_known_table_in_sight_has_is_one_entry(world, sql, dialect, column, candidates):
    graph = read(world, "a", "b", sql=sql, dialect=dialect)
    assert told(graph) == [("not_found", "from", column, candidates)]


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("select a + 1 as z from t order by z", "postgres"),
        ("select a + 1 as z, z + 1 from t where z > 1", "snowflake"),
        ("select count(*), a from t group by a order by count", "postgres"),
        ("select [y + 1 for y in [1, 2] if y > 1], a from t", "duckdb"),
        ("select ctid, t.xmin, current_date, now() from t", "postgres"),
        ("select t from t", "postgres"),
        ("select nope from t, elsewhere", "duckdb"),
        ("select list_transform([1], z -> z + 1) from t", "duckdb"),
        ("select nope from (select * from gone) q, t", "duckdb"),
        ("select datediff(day, a, b), dateadd(month, 1, a) from t", "tsql"),
        ("select datediff('day', a, b), my_seq.nextval from t", "snowflake"),
        ("with r as (select 1 as n union all select n + 1 from r) select n, a from r, t", "tsql"),
        ("select unnest as one, generate_series from t, unnest([1]), generate_series(1, 2)", "duckdb"),
    ],
)
def test_what_is_no_column_of_a_table_is_not_missed(world, sql, dialect):
    graph = read(world, "a", "b", sql=sql, dialect=dialect)
    assert [one for one in told(graph) if one[2] is not None] == []


@pytest.mark.parametrize(
    ("sql", "column"),
    [
        ('insert into t("Amount") select k from u', "Amount"),
        ("update t set nope = u.k from u", "nope"),
        ("merge into t using u on t.a = u.k when matched then update set nope = u.k", "nope"),
    ],
)
def test_a_column_that_is_written_and_absent_is_told_with_its_side(world, sql, column):
    graph = wrote(world, "a", "amount", sql=sql, dialect="postgres")
    assert told(graph) == [("not_found", "to", column, [T])]
    assert (f"{U}.k", f"{T}.amount") not in ends(graph)


def test_the_row_that_an_upsert_excludes_is_no_missing_alias(world):
    sql = "insert into t(a, b) select k, 1 from u on conflict (a) do update set b = excluded.b"
    assert told(wrote(world, "a", "b", sql=sql, dialect="postgres")) == []


def test_a_declared_query_does_not_claim_that_its_target_has_its_columns(world):
    owner = warehouse(world)
    owner.table("shop.sales.v", "id")
    owner.query("select id, name as other from customers", InternalResource(databuilder_id="shop.sales.v"))
    world.run(owner)
    assert world.graph().unresolved() == []


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ("select AMOUNT from t", "duckdb"),
        ("select t.AMOUNT from t", "duckdb"),
        ('select "AMOUNT" from t', "duckdb"),
        ("select q.AMOUNT from (select * from t) q", "duckdb"),
        ("select 1 from t where AMOUNT > 1", "duckdb"),
        ("select aMount from t", "snowflake"),
    ],
)
def test_a_name_that_two_columns_answer_to_is_ambiguous(world, sql, dialect):
    graph = read(world, "Amount", "amount", sql=sql, dialect=dialect)
    ((reason, side, _, candidates),) = told(graph)
    assert (reason, side, candidates) == ("ambiguous", "from", [f"{T}.Amount", f"{T}.amount"])
    assert ends(graph) == {(T, "bi/c")}


def test_a_written_name_that_two_columns_answer_to_is_ambiguous(world):
    graph = wrote(world, "Amount", "amount", sql="update t set AMOUNT = u.k from u")
    assert told(graph) == [("ambiguous", "to", "AMOUNT", [f"{T}.Amount", f"{T}.amount"])]


@pytest.mark.parametrize(
    ("sql", "dialect", "column"),
    [
        ("select amount from t", "duckdb", "amount"),
        ("select Amount from t", "duckdb", "Amount"),
        ("select q.Amount from (select * from t) q", "duckdb", "Amount"),
        ('select "Amount" from t', "postgres", "Amount"),
        ("select Amount from t", "postgres", "amount"),
    ],
)
def test_a_name_spelled_exactly_is_the_column_of_that_spelling(world, sql, dialect, column):
    graph = read(world, "Amount", "amount", sql=sql, dialect=dialect)
    assert ends(graph) == {(T, "bi/c"), (f"{T}.{column}", "bi/c")}
    assert told(graph) == []


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_a_star_keeps_columns_apart_that_differ_in_case_only(world, dialect):
    graph = wrote(world, "Amount", "amount", sql="create table u2 as select * from t", dialect=dialect)
    assert told(graph)[0][:2] == ("not_found", "to")
    owner = Connection("wh", dialect, defaults=SHOP)
    for name in ("t", "u2"):
        owner.table(f"shop.sales.{name}", "Amount", "amount")
    world.run(owner)
    made = "wh/shop.sales.u2"
    assert {e for e in ends(world.graph()) if e[0].count(".") == 3} == {
        (f"{T}.Amount", f"{made}.Amount"),
        (f"{T}.amount", f"{made}.amount"),
    }


def described(world, *describers: str, own: tuple[str, ...], sql: str):
    owner = Connection("wh", "duckdb", defaults=SHOP)
    owner.table("shop.sales.t", *own)
    world.run(owner)
    for at, column in enumerate(describers):
        dbt = Connection(f"dbt{at}", "duckdb", defaults=SHOP)
        dbt.table("shop.sales.t", column, key="m", same_as=ExternalTable(schema="sales", table="t"))
        world.run(dbt)
    bi = Connection("bi", "duckdb", defaults=SHOP)
    bi.query(sql, bi.chart("c"))
    world.run(bi)
    return world.graph()


def test_columns_that_two_describers_add_under_one_title_are_ambiguous(world):
    graph = described(world, "extra", "extra", own=("id",), sql="select extra from t")
    assert told(graph) == [("ambiguous", "from", "extra", ["dbt0/m.extra", "dbt1/m.extra"])]
    assert ends(graph) == {(T, "bi/c")}


def test_the_exact_column_goes_before_a_describers_in_another_case(world):
    graph = described(world, "ID", own=("Id", "id"), sql="select id from t")
    assert ends(graph) == {(T, "bi/c"), (f"{T}.id", "bi/c")}
    assert told(graph) == []


def test_tables_are_inferred_with_the_connections_own_instance_as_a_default(world):
    jobs = Connection(
        "jobs", "duckdb", instance="Prod", defaults={**SHOP, "instance": "prod"}, infer_tables=True
    )
    jobs.statement("create table last as select twice from stage")
    world.run(jobs)
    graph = world.graph()
    assert graph.unresolved() == []
    assert ("jobs/shop.sales.stage.twice", "jobs/shop.sales.last.twice") in ends(graph)


def test_a_table_of_another_instance_is_not_inferred(world):
    jobs = Connection("jobs", "duckdb", defaults={"instance": "other"}, infer_tables=True)
    jobs.statement("create table last as select twice from stage")
    world.run(jobs)
    assert world.graph().resources() == []


@pytest.mark.parametrize(
    ("dialect", "names"),
    [
        ("duckdb", {"jobs/Stage", "jobs/src", "jobs/final"}),
        ("clickhouse", {"jobs/Stage", "jobs/stage", "jobs/src", "jobs/final"}),
    ],
)
def test_spellings_of_one_inferred_table_are_one(world, dialect, names):
    jobs = Connection("jobs", dialect, infer_tables=True)
    jobs.statement("create table Stage as select x from src; create table final as select x from stage")
    world.run(jobs)
    graph = world.graph()
    assert {r["id"] for r in graph.resources() if r["entity_type"] == "table"} == names
    assert ("jobs/src.x", "jobs/Stage.x") in ends(graph)
    assert graph.unresolved() == []


def test_an_inferred_name_in_quotes_is_its_own_table(world):
    jobs = Connection("jobs", "postgres", infer_tables=True)
    jobs.statement(
        'create table "Stage" as select x from src; create table y as select x from "stage", STAGE'
    )
    world.run(jobs)
    tables = {r["id"] for r in world.graph().resources() if r["entity_type"] == "table"}
    assert tables == {"jobs/Stage", "jobs/stage", "jobs/src", "jobs/y"}


def test_inferred_names_of_different_parts_have_different_ids(world):
    jobs = Connection("jobs", "tsql", infer_tables=True)
    jobs.statement("insert into x select c from a..b")
    jobs.statement("insert into y select d from a.b")
    world.run(jobs)
    graph = world.graph()
    tables = {r["id"] for r in graph.resources() if r["entity_type"] == "table"}
    assert tables == {'jobs/a."".b', "jobs/a.b", "jobs/x", "jobs/y"}
    assert {('jobs/a."".b.c', "jobs/x.c"), ("jobs/a.b.d", "jobs/y.d")} <= ends(graph)


def test_a_declared_table_that_nobody_owns_is_not_inferred(world):
    jobs = Connection("jobs", "duckdb", infer_tables=True)
    jobs.link(ExternalTable(schema="s", table="declared"), jobs.chart("c"))
    jobs.statement("create table last as select twice from stage")
    world.run(jobs)
    graph = world.graph()
    assert {r["id"] for r in graph.resources() if r["inferred"] and r["entity_type"] == "table"} == {
        "jobs/last",
        "jobs/stage",
    }
    assert [u["reference"]["table"] for u in graph.unresolved()] == ["declared"]


def placed(world, *columns: tuple[str, int | None], sql: str) -> set[tuple[str, str]]:
    """The columns of v(columns with their sort orders) that a query over t(a, b, zz) feeds, as short names."""
    owner = Connection("wh", "duckdb", defaults=SHOP)
    owner.table("shop.sales.t", "a", "b", "zz")
    owner.table("shop.sales.v")
    for name, order in columns:
        owner.writer.resource(
            Resource(
                entity_type="column",
                databuilder_id=f"shop.sales.v.{name}",
                parent_databuilder_id="shop.sales.v",
                title=name,
                sort_order=order,
            )
        )
    owner.query(sql, InternalResource(databuilder_id="shop.sales.v"))
    world.run(owner)
    pairs = {(start.rpartition(".")[2], end.partition("sales.")[2]) for start, end in ends(world.graph())}
    return {pair for pair in pairs if pair[0] != "t"}


def test_an_output_that_fits_no_name_stays_without_a_column_where_others_fit(world):
    assert placed(world, ("a", 0), ("b", 1), sql="select a, zz as c from t") == {("a", "v.a"), ("zz", "v")}


def test_the_columns_that_a_statement_lists_have_their_places(world):
    sql = "create view v(a, c) as select a, zz from t"
    assert placed(world, ("a", 0), ("b", 1), sql=sql) == {("a", "v.a"), ("zz", "v.b")}


@pytest.mark.parametrize("orders", [(None, None), (0, None), (3, 3)])
def test_places_mean_nothing_where_they_are_not_known(world, orders):
    columns = list(zip(("p", "q"), orders, strict=True))
    assert placed(world, *columns, sql="select a, b from t") == {("a", "v"), ("b", "v")}


def test_an_insert_without_a_list_binds_by_name_where_the_order_is_not_known(world):
    owner = Connection("wh", "duckdb", defaults=SHOP)
    owner.table("shop.sales.t", "a", "b")
    owner.table("shop.sales.v")
    for name in ("a", "z"):
        owner.writer.resource(
            Resource(
                entity_type="column",
                databuilder_id=f"shop.sales.v.{name}",
                parent_databuilder_id="shop.sales.v",
                title=name,
            )
        )
    owner.statement("insert into v select b, a from t")
    world.run(owner)
    v = "wh/shop.sales.v"
    assert ends(world.graph()) == {(T, v), (f"{T}.a", f"{v}.a"), (f"{T}.b", v)}


def test_a_table_under_a_star_that_nobody_can_expand_is_read_directly(world):
    owner = Connection("wh", "duckdb", defaults=SHOP)
    owner.table("shop.sales.nocols")
    world.run(owner)
    bi = Connection("bi", "duckdb", defaults=SHOP)
    bi.query("select * from nocols n where n.a = 1", bi.chart("c"))
    world.run(bi)
    assert edge(world.graph(), "wh/shop.sales.nocols", "bi/c")["kind"] == "direct"


def test_inferred_tables_of_two_instances_keep_their_columns_apart(world):
    for name in ("a", "b"):
        jobs = Connection(name, "duckdb", defaults={**SHOP, "instance": name}, infer_tables=True)
        jobs.statement(f"create table last as select of_{name} from stage")
        world.run(jobs)
    columns = {r["id"] for r in world.graph().resources() if r["entity_type"] == "column"}
    assert columns == {f"{n}/shop.sales.{t}.of_{n}" for n in ("a", "b") for t in ("last", "stage")}
