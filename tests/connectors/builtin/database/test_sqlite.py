from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from connectors.builtin.database import Sqlite
from connectors.errors import UnexpectedAnswer, Unreachable
from tests.connectors.builtin.collecting import run

# What SQLite takes as a name, but for those that it keeps to itself.
NAMES = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda name: not name.lower().startswith("sqlite_"))

APP = """
    create table customers (id integer primary key, email text not null default 'none');
    create table orders (
        id integer primary key, customer references customers, other references customers (id),
        double int generated always as (id * 2)
    );
    create table parts (a int, b int, primary key (b, a));
    create table assemblies (x int, y int, foreign key (x, y) references parts);
    create view recent (number) as select id from orders;
    create view newest as select max(number) as n from recent;
"""


@pytest.fixture
def make(tmp_path):
    def run(sql, name="app.db"):
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            connection.executescript(sql)
        return name

    return run


@pytest.fixture
def app(make, extract):
    return extract(Sqlite, path=make(APP))


def test_a_file_is_one_database_with_the_schema_main(app):
    assert app.ids("database") == ["app"]
    assert app.ids("schema") == ["app.main"]
    assert app.ids("table") == [
        f"app.main.{name}" for name in ("assemblies", "customers", "newest", "orders", "parts", "recent")
    ]
    assert app.report.complete


def test_the_database_can_be_given_a_name(make, extract):
    assert extract(Sqlite, path=make(APP), database="shop").ids("schema") == ["shop.main"]


def test_columns_have_type_order_nullability_default_and_keys(app):
    email = app["app.main.customers.email"]
    assert (email.type, email.sort_order) == ("TEXT", 2)
    assert email.properties == {"nullable": "false", "default": "'none'"}
    assert app["app.main.customers.id"].is_pk
    assert app["app.main.orders.double"].properties["generated"] == "true"
    assert app["app.main.orders.customer"].type is None


def test_foreign_keys_name_their_column_also_when_the_schema_leaves_it_open(app):
    assert app["app.main.orders.customer"].properties["references"] == "app.main.customers.id"
    assert app["app.main.orders.other"].properties["references"] == "app.main.customers.id"
    assert app["app.main.assemblies.x"].properties["references"] == "app.main.parts.b"
    assert app["app.main.assemblies.y"].properties["references"] == "app.main.parts.a"


def test_views_over_views_are_lineage(app):
    query = app.sql_into("app.main.newest")
    assert (query.dialect, query.default_database, query.default_schema) == ("sqlite", "app", "main")
    assert query.sql == app["app.main.newest"].definition
    assert app.ids("column").count("app.main.recent.number") == 1


def test_odd_names_keep_what_they_are(make, extract):
    odd = extract(
        Sqlite, path=make('create table "a.b ""c""" ("D e" int); create table "Größe" (x int)', "x.y.db")
    )
    assert odd.ids("table") == ['"x.y".main.Größe', '"x.y".main."a.b ""c"""']
    assert odd['"x.y".main."a.b ""c"""."D e"'].title == "D e"


@settings(max_examples=30, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=5, unique_by=lambda name: name.upper()))
def test_whatever_a_table_is_called_its_name_and_its_columns_come_back(tmp_path_factory, names):
    file = tmp_path_factory.mktemp("names") / "app.db"
    with closing(sqlite3.connect(file)) as connection:
        for name in names:
            quoted = '"' + name.replace('"', '""') + '"'
            connection.execute(f"create table {quoted} ({quoted} integer primary key)")
    found = run(Sqlite, file.parent, path=str(file))
    assert {r.title for r in found.resources.values() if r.entity_type == "table"} == set(names)
    assert len(found.ids("column")) == len(names)
    assert all(r.is_pk for r in found.resources.values() if r.entity_type == "column")
    assert found.report.complete


def test_a_broken_view_is_named_and_the_rest_is_read(make, extract):
    collected = extract(Sqlite, path=make(APP + "create view broken as select * from gone;"))
    assert collected.report.warning_count == 1
    assert "broken" in collected.report.warnings[0]
    assert "gone" in collected.report.warnings[0]
    assert "app.main.broken" in collected.resources
    assert collected["app.main.customers.email"].type == "TEXT"
    assert len(collected.ids("column")) == len(set(collected.ids("column"))) == 12


def test_the_tables_within_a_virtual_table_are_no_tables(make, extract):
    collected = extract(Sqlite, path=make("create virtual table notes using fts5 (body)"))
    assert collected.ids("table") == ["app.main.notes"]
    assert collected["app.main.notes"].native_type == "virtual table"
    assert collected.ids("column") == ["app.main.notes.body"]


def test_text_that_is_not_utf_8_does_not_end_the_extract(make, extract, tmp_path):
    path = make("create table t (a int)")
    with closing(sqlite3.connect(tmp_path / path)) as connection:
        connection.execute("pragma writable_schema = on")
        connection.execute(
            "update sqlite_master set sql = cast(x'637265617465207461626c6520742861202fff2a29' as text)"
        )
        connection.commit()
    with closing(sqlite3.connect(tmp_path / path)) as connection, pytest.raises(sqlite3.Error):
        connection.execute("select sql from sqlite_master").fetchall()
    with pytest.raises(UnexpectedAnswer, match="not a sound SQLite database"):
        extract(Sqlite, path=path)


@pytest.mark.parametrize("tables", [1, 60])
def test_the_number_of_queries_does_not_grow_with_the_tables(make, extract, tables):
    sql = ";".join(
        f"create table t{n} (a integer primary key); create view v{n} as select a from t{n}"
        for n in range(tables)
    )
    path = make(sql)
    asked: list[str] = []

    def count(connection, cursor, statement, *rest):
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        assert len(extract(Sqlite, path=path).ids("table")) == 2 * tables
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert len(asked) == 5


def test_the_check_tries_each_capability(make, connect):
    results = list(connect(Sqlite, path=make(APP)).check())
    assert all(r.ok for r in results)
    assert results[-1].message == "2 of 2 views"


def test_a_missing_file_is_named_and_not_made(extract, failed, tmp_path):
    with pytest.raises(Unreachable, match=r"no\.db"):
        extract(Sqlite, path="no.db")
    assert list(failed(Sqlite, path="no.db")) == ["reach"]
    assert not (tmp_path / "no.db").exists()


def test_a_file_of_another_kind_is_an_unexpected_answer(extract, tmp_path):
    (tmp_path / "notes.txt").write_text("hello " * 500)
    with pytest.raises(UnexpectedAnswer, match="not a sound SQLite database"):
        extract(Sqlite, path="notes.txt")


def test_a_writers_lock_is_waited_for_and_then_named(make, extract, tmp_path):
    path = make(APP)
    with closing(sqlite3.connect(tmp_path / path)) as writer:
        writer.execute("begin exclusive")
        with pytest.raises(Unreachable, match="in use") as caught:
            extract(Sqlite, path=path, busy_timeout=0.05)
        assert caught.value.retryable
