"""`query_log` reading PostgreSQL's `pg_stat_statements`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from connectors.builtin.query_log import QueryLog
from connectors.errors import AuthFailed, ConfigError, ConnectorError, Unreachable
from connectors.model import Window
from connectors.testing import run_connector
from connectors.testing.run import today
from tests.services.statement_counters import counting, stand_in

__all__ = ["counting", "stand_in"]
SHOP = "create table orders (id int); create extension pg_stat_statements; create table other (id int)"


def read(url: str, state=None, window: Window | None = None, **config):
    found = run_connector(
        QueryLog, {"pg_stat_statements": {"url": url}, **config}, state=state, window=window or today()
    )
    if found.error:
        raise found.error
    return found


def counts(found) -> dict[str, int]:
    """How often the statements on orders ran."""
    return {s.sql: s.count for s in found.statements if "orders" in s.sql and "create" not in s.sql}


def later(window: Window) -> Window:
    """The partition that comes next, which has begun already for the connector: it looks at the end only."""
    return Window(window.key + "+", window.start, window.end + timedelta(days=1))


@pytest.fixture
def shop(counting):
    url = counting.database(SHOP)
    counting.run("select pg_stat_statements_reset()", url)
    return url


@pytest.fixture
def run(counting, shop):
    """Runs a statement so many times."""

    def run(sql: str, times: int = 1, url: str = shop) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            for _ in range(times):
                connection.execute(sql)

    return run


INSERT = "insert into orders select {}"
NORMALIZED = "insert into orders select $1"


def test_statements_are_declared_with_how_often_they_ran_by_whom_and_for_how_long(shop, run):
    for number in range(3):
        run(INSERT.format(number))
    before = datetime.now(UTC)
    found = read(shop)
    (statement,) = [s for s in found.statements if s.sql == NORMALIZED]
    assert (statement.count, statement.user, statement.dialect) == (3, "postgres", "postgres")
    assert statement.default_database == shop.split("/")[3].split("?")[0]
    assert before - timedelta(seconds=1) <= statement.at <= datetime.now(UTC)
    assert 0 < statement.duration_s < 1
    assert statement.location.lstrip("-").isdigit()
    assert found.report.complete
    (line,) = found.log
    assert "first reading" in line
    assert "0 began before the window" in line


def test_a_window_counts_what_ran_since_the_last_reading_however_often_it_is_read(shop, run):
    run(INSERT.format(1), 3)
    first = read(shop)
    run(INSERT.format(2), 2)
    assert counts(read(shop, first.state)) == {NORMALIZED: 5}
    following = later(today())
    second = read(shop, first.state, following)
    assert counts(second) == {NORMALIZED: 2}
    assert counts(read(shop, second.state, following)) == {NORMALIZED: 2}
    assert counts(read(shop, second.state, later(following))) == {}
    assert "since they were read at" in second.log[0]


def test_after_a_reset_the_whole_count_counts(shop, run, counting):
    run(INSERT.format(1), 3)
    first = read(shop)
    counting.run("select pg_stat_statements_reset()", shop)
    run(INSERT.format(1), 4)
    assert counts(read(shop, first.state, later(today()))) == {NORMALIZED: 4}


def test_statements_of_other_databases_are_not_read(shop, run, counting):
    run("select 'elsewhere' as orders", url=counting.database("create table orders (id int)"))
    assert not any("elsewhere" in s.sql or "as orders" in s.sql for s in read(shop).statements)


def test_statements_that_are_hidden_from_the_user_are_told_of(shop, run, counting, failed):
    counting.run("drop role if exists reader", shop)
    counting.run("create role reader login", shop)
    url = shop.replace("postgres@", "reader@")
    run(INSERT.format(1))
    run("select 1 as orders", url=url)
    found = read(url)
    assert counts(found) == {"select $1 as orders": 1}
    assert any("hidden from this user" in line for line in found.log)
    assert "hidden" in failed(QueryLog, pg_stat_statements={"url": url})["read statements"]
    counting.run("grant pg_read_all_stats to reader", shop)
    assert counts(read(url))[NORMALIZED] == 1
    assert failed(QueryLog, pg_stat_statements={"url": url}) == {}


def test_a_window_of_the_past_is_refused_and_one_that_just_ended_can_be_closed(shop, run):
    run(INSERT.format(1))
    now = datetime.now(UTC)
    ended = Window("p", now - timedelta(days=1), now - timedelta(minutes=50))
    found = read(shop, window=ended)
    assert {s.at in ended for s in found.statements} == {True}
    past = Window("2025-11-20", now - timedelta(days=2), now - timedelta(minutes=70))
    with pytest.raises(ConnectorError, match=r"counts up to now, and the partition 2025-11-20 ended at"):
        read(shop, window=past)


def test_the_login_may_come_from_the_credential(shop, run):
    run(INSERT.format(1))
    found = run_connector(QueryLog, {"pg_stat_statements": {}}, {"url": shop})
    assert counts(found) == {NORMALIZED: 1}
    clash = run_connector(QueryLog, {"pg_stat_statements": {"url": shop}}, {"url": shop})
    assert isinstance(clash.error, ConfigError)
    assert "keep one of them" in str(clash.error)
    neither = run_connector(QueryLog, {"pg_stat_statements": {}})
    assert "give either url, or host" in str(neither.error)


def test_what_is_missing_is_said(counting, failed, tmp_path):
    bare = counting.database("create table orders (id int)")
    with pytest.raises(ConnectorError, match=r"no extension pg_stat_statements \(add it to shared_preload"):
        read(bare)
    assert "no extension" in failed(QueryLog, pg_stat_statements={"url": bare})["read statements"]
    with pytest.raises(Unreachable):
        read(f"postgresql://postgres@/postgres?host={tmp_path}")
    refused = counting.url("postgres", "nobody_here")
    with pytest.raises(AuthFailed):
        read(refused)
    assert list(failed(QueryLog, pg_stat_statements={"url": refused})) == ["authenticate"]


# -- what newer versions tell, from a stand-in


class StandIn:
    """The stand-in's counters."""

    def __init__(self, postgres, url):
        self._postgres, self._url = postgres, url

    def count(self, query: str, calls: int, since: datetime, queryid: int = 1) -> None:
        self._postgres.run(
            f"""
            delete from "odd: x".pg_stat_statements where queryid = {queryid};
            insert into "odd: x".pg_stat_statements (dbid, queryid, query, calls, total_exec_time, stats_since)
            select oid, {queryid}, '{query}', {calls}, {calls * 10}, '{since.isoformat()}'
            from pg_database where datname = current_database()
            """,
            self._url,
        )


def test_since_version_17_each_counter_knows_its_start(postgres, stand_in):
    counters, window = StandIn(postgres, stand_in), today()
    counters.count("select 1", 5, window.start - timedelta(days=1), queryid=1)
    counters.count("select 2", 6, window.start, queryid=2)
    first = read(stand_in, window=window)
    assert {s.sql: (s.count, s.duration_s) for s in first.statements} == {
        "select 1": (5, 0.01),
        "select 2": (6, 0.01),
    }
    assert "1 began before the window" in first.log[0]
    counters.count("select 1", 7, window.start - timedelta(days=1), queryid=1)
    counters.count("select 2", 8, window.start + timedelta(seconds=1), queryid=2)
    second = read(stand_in, first.state, later(window))
    assert {s.sql: s.count for s in second.statements} == {"select 1": 2, "select 2": 8}


def test_older_versions_have_other_columns(postgres, stand_in):
    counters = StandIn(postgres, stand_in)
    counters.count("select 1", 5, datetime.now(UTC))
    postgres.run(
        """
        alter table "odd: x".pg_stat_statements rename total_exec_time to total_time;
        alter table "odd: x".pg_stat_statements drop toplevel, drop stats_since;
        alter extension pg_stat_statements drop table "odd: x".pg_stat_statements_info;
        drop table "odd: x".pg_stat_statements_info;
        """,
        stand_in,
    )
    found = read(stand_in)
    assert [(s.sql, s.count, s.duration_s) for s in found.statements] == [("select 1", 5, 0.01)]
    assert "1 began before the window or nobody knows when" in found.log[0]


def test_an_extension_that_is_not_loaded_is_said(postgres, stand_in):
    postgres.run(
        """
        create function not_loaded() returns setof "odd: x".pg_stat_statements language plpgsql as
            $$ begin raise 'must be loaded' using errcode = 'object_not_in_prerequisite_state'; end $$;
        alter table "odd: x".pg_stat_statements rename to counters;
        create view "odd: x".pg_stat_statements as select * from not_loaded();
        """,
        stand_in,
    )
    with pytest.raises(ConnectorError, match=r"pg_stat_statements is not loaded \(add it to shared_preload"):
        read(stand_in)


def test_the_dialect_and_where_names_are_looked_up_can_be_set(postgres, stand_in):
    StandIn(postgres, stand_in).count("select 1", 1, datetime.now(UTC))
    found = read(stand_in, dialect="redshift", default_database="db", default_schema="s")
    assert [(s.dialect, s.default_database, s.default_schema) for s in found.statements] == [
        ("redshift", "db", "s")
    ]
