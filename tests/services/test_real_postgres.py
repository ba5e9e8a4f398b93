from __future__ import annotations

import socket

import psycopg
import pytest
from pydantic import ValidationError
from sqlalchemy import Engine, event, make_url

from connectors.builtin.database import Postgres
from connectors.config.secrets import Redactor
from connectors.errors import AccessDenied, AuthFailed, ConnectorError, Unreachable

SHOP = """
    create schema sales;
    create table sales.customers (id int primary key, name text not null default 'x', at timestamptz);
    create table sales.orders (
        id bigint generated always as identity primary key,
        customer int references sales.customers,
        amount numeric(10, 2),
        gross numeric(10, 2) generated always as (amount * 1.2) stored
    );
    alter table sales.customers drop column at;
    alter table sales.customers add column region varchar(3);
    comment on schema sales is 'what we sell';
    comment on table sales.orders is 'what was sold';
    comment on column sales.orders.amount is 'net';
    create view sales.big as
        select o.id, amount, name from sales.orders o join sales.customers c on c.id = customer;
    create view public.bigger (number) as select id from sales.big where amount > 100;
    create materialized view sales.totals as select name, sum(amount) as total from sales.big group by name;
    analyze sales.customers;
"""


@pytest.fixture
def shop(postgres, extract):
    url = postgres.database(SHOP)
    collected = extract(Postgres, url=url)
    collected.name = make_url(url).database
    return collected


def test_everything_of_the_database_is_declared_once(shop):
    db = shop.name
    assert shop.ids("database") == [db]
    assert shop.ids("schema") == [f"{db}.public", f"{db}.sales"]
    kinds = {r.databuilder_id: r.native_type for r in shop.resources.values() if r.entity_type == "table"}
    assert kinds == {
        f"{db}.public.bigger": "view",
        f"{db}.sales.big": "view",
        f"{db}.sales.customers": "table",
        f"{db}.sales.orders": "table",
        f"{db}.sales.totals": "materialized view",
    }
    assert shop.report.succeeded == len(shop.resources) + len(shop.declarations)
    assert shop.report.complete


def test_columns_have_type_order_nullability_keys_comments_and_defaults(shop):
    table = f"{shop.name}.sales"
    amount, name = shop[f"{table}.orders.amount"], shop[f"{table}.customers.name"]
    assert (amount.type, amount.description, amount.is_pk) == ("numeric(10,2)", "net", False)
    assert name.properties == {"nullable": "false", "default": "'x'::text"}
    assert shop[f"{table}.orders.id"].is_pk
    assert shop[f"{table}.orders.gross"].properties["generated"] == "true"
    assert shop[f"{table}.orders.customer"].properties["references"] == f"{table}.customers.id"
    columns = [r for r in shop.resources.values() if r.parent_databuilder_id == f"{table}.customers"]
    assert [c.title for c in sorted(columns, key=lambda c: c.sort_order)] == ["id", "name", "region"]


def test_comments_owners_and_sizes_of_tables_and_schemas_are_kept(shop):
    orders = shop[f"{shop.name}.sales.orders"]
    assert (orders.description, orders.properties["owner"]) == ("what was sold", "postgres")
    assert shop[f"{shop.name}.sales.customers"].properties["row_estimate"] == "0"
    assert shop[f"{shop.name}.sales"].description == "what we sell"


def test_views_over_views_name_their_tables_in_full_and_their_columns(shop):
    bigger = shop.sql_into(f"{shop.name}.public.bigger")
    assert "sales.big" in bigger.sql
    assert "AS number" in bigger.sql
    assert (bigger.dialect, bigger.default_database, bigger.default_schema) == (
        "postgres",
        shop.name,
        "public",
    )
    assert "sales.big" in shop.sql_into(f"{shop.name}.sales.totals").sql
    assert shop[f"{shop.name}.sales.totals"].definition == shop.sql_into(f"{shop.name}.sales.totals").sql
    assert shop[f"{shop.name}.sales.totals.total"].type == "numeric"


def test_of_a_partitioned_table_only_the_parent_is_a_table(postgres, extract):
    url = postgres.database("""
        create table events (id int, day date, primary key (id, day)) partition by range (day);
        create table events_2026 partition of events for values from ('2026-01-01') to ('2027-01-01');
        create table marks (event int, day date, foreign key (event, day) references events);
    """)
    collected = extract(Postgres, url=url)
    db = make_url(url).database
    assert collected.ids("table") == [f"{db}.public.events", f"{db}.public.marks"]
    assert collected[f"{db}.public.events"].native_type == "partitioned table"
    assert collected[f"{db}.public.marks.day"].properties["references"] == f"{db}.public.events.day"


def test_a_foreign_table_is_a_table_and_a_temporary_one_is_not(postgres, extract):
    url = postgres.database("""
        create foreign data wrapper nothing; create server far foreign data wrapper nothing;
        create foreign table remote (a int options (name 'b')) server far;
    """)
    with psycopg.connect(url, autocommit=True) as session:
        session.execute("create temp table scratch (a int)")
        collected = extract(Postgres, url=url)
    db = make_url(url).database
    assert collected.ids("table") == [f"{db}.public.remote"]
    assert collected.ids("schema") == [f"{db}.public"]
    assert collected[f"{db}.public.remote"].native_type == "foreign table"


def test_odd_names_and_quoting_survive(postgres, extract):
    url = postgres.database('''
        create schema "A.b"; create table "A.b"."Grün ""x""" ("c d" int primary key, "名" text);
        create view "A.b"."V:1%s" as select "c d" as "E" from "A.b"."Grün ""x""";
        create table child (x int references "A.b"."Grün ""x""");
    ''')
    collected, db = extract(Postgres, url=url), make_url(url).database
    assert f'{db}."A.b"."Grün ""x"""."c d"' in collected.resources
    assert collected[f'{db}."A.b".V:1%s.E'].type == "integer"
    assert '"Grün ""x"""' in collected.sql_into(f'{db}."A.b".V:1%s').sql
    assert collected[f"{db}.public.child.x"].properties["references"] == f'{db}."A.b"."Grün ""x"""."c d"'


def test_selection_is_by_pattern(postgres, extract):
    url = postgres.database(SHOP)
    collected, db = extract(Postgres, url=url, schemas=["sa*"], exclude=["sales.big"]), make_url(url).database
    assert collected.ids("schema") == [f"{db}.sales"]
    assert collected.ids("table") == [f"{db}.sales.{name}" for name in ("customers", "orders", "totals")]


def test_the_parts_of_an_address_serve_as_well_as_a_url(postgres, extract):
    url = make_url(postgres.database(SHOP))
    folder = url.query["host"]
    collected = extract(Postgres, host=folder, user="postgres", dbname=url.database)
    assert f"{url.database}.sales.orders" in collected.resources


@pytest.mark.parametrize("tables", [1, 60])
def test_the_number_of_queries_does_not_grow_with_the_tables(postgres, extract, tables):
    url = postgres.database(
        ";".join(
            f"create table t{n} (a int primary key); create view v{n} as select a from t{n}"
            for n in range(tables)
        )
    )
    asked: list[str] = []

    def count(connection, cursor, statement, *rest):
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        assert len(extract(Postgres, url=url).ids("table")) == 2 * tables
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert len([sql for sql in asked if "pg_class" in sql or "pg_namespace" in sql]) == 5
    assert len(asked) == 13  # with one that prepares, and savepoints around three


# -- rights


def test_a_table_closed_to_the_user_is_declared_and_marked(postgres, extract, connect):
    url = postgres.database(
        "create table t (a int); create table open (a int); create role guest login;"
        "grant select on open to guest"
    )
    db = make_url(url).database
    collected = extract(Postgres, url=postgres.url(db, "guest"))
    assert collected[f"{db}.public.t"].properties["readable"] == "false"
    assert "readable" not in collected[f"{db}.public.open"].properties
    assert collected.report.complete
    (tables,) = [
        r for r in connect(Postgres, url=postgres.url(db, "guest")).check() if r.capability == "read tables"
    ]
    assert tables.ok
    assert "1 are closed to this user, such as public.t" in tables.message


def test_a_catalogue_table_closed_to_the_user_is_a_warning_and_the_rest_goes_on(postgres, extract):
    url = postgres.database(
        SHOP + "create role auditor login; revoke select on pg_catalog.pg_constraint from public;"
    )
    db = make_url(url).database
    collected = extract(Postgres, url=postgres.url(db, "auditor"))
    assert not collected.report.complete
    assert collected.report.warnings[0].startswith("keys could not be read: permission denied")
    assert collected[f"{db}.sales.orders.amount"].type == "numeric(10,2)"
    assert collected.sql_into(f"{db}.sales.big")


def test_a_closed_list_of_tables_is_access_denied(postgres, extract, failed):
    url = postgres.database("create role blind login; revoke select on pg_catalog.pg_class from public;")
    url = postgres.url(make_url(url).database, "blind")
    with pytest.raises(AccessDenied, match="pg_class"):
        extract(Postgres, url=url)
    assert list(failed(Postgres, url=url)) == ["read tables"]


# -- getting in


def test_a_refused_password_is_auth_failed_and_never_shown(postgres, extract, failed):
    url = postgres.database("create role clerk login password 'right-one-77'")
    db = make_url(url).database
    postgres.ask_password_of("clerk")
    assert extract(Postgres, url=postgres.url(db, "clerk", "right-one-77")).ids("database") == [db]
    with pytest.raises(AuthFailed, match="refused the login") as caught:
        extract(Postgres, url=postgres.url(db, "clerk", "wrong-one-77"))
    assert "wrong-one-77" not in f"{caught.value} {caught.value.context} {caught.value.__cause__}"
    assert caught.value.__suppress_context__
    assert "wrong-one-77" not in str(failed(Postgres, url=postgres.url(db, "clerk", "wrong-one-77")))
    assert list(failed(Postgres, url=postgres.url(db, "clerk"))) == ["authenticate"]


def test_a_user_that_is_not_there_is_auth_failed(postgres, extract):
    with pytest.raises(AuthFailed, match='role "nobody_here" does not exist'):
        extract(Postgres, url=postgres.url("postgres", "nobody_here"))


def test_a_database_that_is_not_there_is_named(postgres, extract):
    with pytest.raises(
        ConnectorError, match=r'database "nowhere" does not exist.*look at the database'
    ) as caught:
        extract(Postgres, url=postgres.url("nowhere"))
    assert not isinstance(caught.value, Unreachable | AuthFailed)


def test_a_closed_port_is_unreachable_with_host_and_cause(extract, failed):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        url = f"postgresql://clerk:s3cret-word@127.0.0.1:{port}/shop"
        with pytest.raises(Unreachable, match=f"127.0.0.1:{port} does not answer: .*refused") as caught:
            extract(Postgres, url=url)
        assert caught.value.retryable
        assert "s3cret-word" not in str(caught.value)
        assert list(failed(Postgres, url=url)) == ["reach"]


def test_a_server_that_never_answers_is_given_up(extract):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        with pytest.raises(Unreachable, match=f"127.0.0.1:{port}"):
            extract(Postgres, host="127.0.0.1", port=port, user="u", connect_timeout=2)


def test_a_view_that_is_being_altered_is_not_waited_for_and_the_others_are_read(postgres, extract):
    url = postgres.database("""
        create table t (a int); create table u (a int);
        create view busy as select a from t; create view free as select a from u;
    """)
    db = make_url(url).database
    with psycopg.connect(url) as writer:
        writer.execute("lock table t in access exclusive mode")
        collected = extract(Postgres, url=url, query_timeout=0.3)
    (warning,) = collected.report.warnings
    assert warning.startswith("public.busy: view definitions could not be read: canceling statement due to")
    assert collected[f"{db}.public.busy"].definition is None
    assert collected.sql_into(f"{db}.public.free")
    assert f"{db}.public.busy.a" in collected.resources


def test_a_list_of_tables_that_takes_too_long_is_given_up(postgres, extract):
    url = postgres.database(SHOP)
    with psycopg.connect(url) as writer:
        writer.execute("lock table pg_catalog.pg_constraint in access exclusive mode")
        with pytest.raises(
            ConnectorError, match=r"canceling statement due to .*raise `query_timeout`"
        ) as caught:
            extract(Postgres, url=url, query_timeout=0.3)
    assert caught.value.retryable


def test_a_connection_that_is_lost_halfway_is_unreachable(postgres, extract):
    url = postgres.database(SHOP)

    def cut(connection, cursor, statement, *rest):
        if "pg_get_viewdef" in statement:
            others = (
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'headwater'"
            )
            postgres.run(others, postgres.uri)

    event.listen(Engine, "before_cursor_execute", cut)
    try:
        with pytest.raises(Unreachable, match="terminating connection") as caught:
            extract(Postgres, url=url)
    finally:
        event.remove(Engine, "before_cursor_execute", cut)
    assert caught.value.retryable


@pytest.mark.parametrize(
    "url", ["postgres://u:se/cret@h:x/db", "nonsense", "mysql://u:p@h/d", "postgres://h:p@ss:w0rd/d"]
)
def test_a_url_that_is_none_is_refused_without_being_quoted(url):
    with pytest.raises(ValidationError, match="write postgresql://user:password@host") as caught:
        Postgres.Config(url=url)
    for part in ("ss:w0rd", "se/cret", "cret@", "nonsense"):
        assert part not in str(caught.value)


def test_an_address_is_given_once():
    for wrong in ({}, {"url": "postgresql://h/d", "host": "h"}):
        with pytest.raises(ValidationError, match="either url, or host"):
            Postgres.Config(**wrong)


def test_the_password_within_a_url_is_masked_in_what_the_run_logs(postgres, connect):
    connector = connect(Postgres, url=postgres.url("postgres", "postgres", "known-word-12"))
    connector.context.redact = Redactor()
    connector.start()
    assert "known-word-12" not in connector.context.redact("the password is known-word-12")
