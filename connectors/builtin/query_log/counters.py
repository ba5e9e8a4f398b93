"""How often statements ran, from PostgreSQL's `pg_stat_statements`.

Its counters only ever grow, from a start that nobody may remember. What ran in a window is what they have grown by
since the last reading, which the connector's state keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from pydantic import ValidationError
from sqlalchemy import Connection, RowMapping, text
from sqlalchemy.exc import DBAPIError

from connectors.builtin.database.postgres import Postgres, PostgresLogin
from connectors.builtin.query_log.growth import Growth, Reading
from connectors.builtin.query_log.settings import StatementCounters
from connectors.connector import Connector, first_fault
from connectors.errors import AuthFailed, ConfigError, ConnectorError
from connectors.model import CheckResult, Statement

GRACE = timedelta(hours=1)  # as long after its end a window may be read, so that a run can close it
_CAPABILITIES = ("reach", "authenticate", "read statements")
_EXTENSION = """
    select n.nspname as schema_name, current_database() as database, clock_timestamp() as read_at,
           array(select a.attname::text from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid
                 where c.relnamespace = n.oid and c.relname = 'pg_stat_statements' and a.attnum > 0) as columns,
           exists (select from pg_catalog.pg_class c
                   where c.relnamespace = n.oid and c.relname = 'pg_stat_statements_info') as has_info
    from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace
    where e.extname = 'pg_stat_statements'
"""
_SETUP = "add it to shared_preload_libraries, restart, and run: create extension pg_stat_statements"


def counters_login(given: StatementCounters, credentials: Mapping[str, str]) -> PostgresLogin:
    """The login, with what the credential has of it. Raises ConfigError."""
    known = {name: value for name, value in credentials.items() if name in PostgresLogin.model_fields}
    own = given.model_dump(exclude_unset=True)
    if clash := sorted(known.keys() & own.keys()):
        raise ConfigError(
            f"{', '.join(clash)}: given in pg_stat_statements and in the credential", hint="keep one of them"
        )
    try:
        return PostgresLogin.model_validate({**known, **own})
    except ValidationError as error:
        raise ConfigError(f"pg_stat_statements: {first_fault(error)}") from None


class Counters(Postgres):
    """Reads the counters of the statements of one database, for the connector that it is given."""

    def __init__(self, login: PostgresLogin, connector: Connector) -> None:
        super().__init__(login, connector.context)
        self._connector = connector

    def declare(self) -> None:
        """Declares each statement that ran, and how often. Raises ConnectorError, for a window of the past too."""
        window = self.window
        now = datetime.now(UTC)
        if now > window.end + GRACE:
            raise ConnectorError(
                f"pg_stat_statements counts up to now, and the partition {window.key} ended at"
                f" {window.end:%Y-%m-%d %H:%M} UTC",
                hint="run today's partition: what ran in a past one can no longer be told",
            )
        with self._session() as connection:
            extension = self._extension(connection)
            reset_at = self._reset_at(connection, extension)
            reading = Reading(extension["read_at"].astimezone(UTC), reset_at)
            growth = Growth(self.state, window, reading)
            at = min(now, window.end - timedelta(microseconds=1))
            hidden = 0
            for row in connection.execute(text(_counters_sql(extension))).mappings():
                if row["queryid"] is None or row["query"] is None:
                    hidden += 1
                    continue
                self._declare(row, growth, extension["database"], at)
        self.log.info(growth.summary)
        if hidden:
            self.log.warning(_hidden(hidden))
        self.state.clear()
        self.state.update(growth.state)

    def check(self) -> Iterable[CheckResult]:
        passed: list[CheckResult] = []
        try:
            with self._session() as connection:
                passed = [CheckResult("reach", True), CheckResult("authenticate", True)]
                extension = self._extension(connection)
                rows = connection.execute(text(_counters_sql(extension))).mappings().all()
        except ConnectorError as error:
            failed = _CAPABILITIES[len(passed)]
            if isinstance(error, AuthFailed):
                passed, failed = [CheckResult("reach", True)], "authenticate"
            return [*passed, CheckResult(failed, False, error.message, error.hint)]
        hidden = sum(row["queryid"] is None or row["query"] is None for row in rows)
        message = f"{len(rows) - hidden} statements of {extension['database']}"
        if not hidden:
            return [*passed, CheckResult("read statements", True, message)]
        hint = "grant pg_read_all_stats to the user to read those of others"
        return [*passed, CheckResult("read statements", False, f"{message}; {_hidden(hidden)}", hint)]

    def failure(self, error: DBAPIError) -> ConnectorError:
        if getattr(error.orig, "sqlstate", None) == "55000":
            return ConnectorError(
                f"PostgreSQL at {self._where}: pg_stat_statements is not loaded", hint=_SETUP
            )
        return super().failure(error)

    # -- steps

    def _extension(self, connection: Connection) -> RowMapping:
        found = connection.execute(text(_EXTENSION)).mappings().first()
        if found is None:
            raise ConnectorError(
                f"PostgreSQL at {self._where}: the database has no extension pg_stat_statements", hint=_SETUP
            )
        return found

    def _reset_at(self, connection: Connection, extension: RowMapping) -> datetime | None:
        if not extension["has_info"]:  # before PostgreSQL 14
            return None
        info = f"select stats_reset from {_quoted(extension['schema_name'])}.pg_stat_statements_info"  # noqa: S608
        reset_at: datetime | None = connection.execute(text(info)).scalar()
        return reset_at and reset_at.astimezone(UTC)

    def _declare(self, row: RowMapping, growth: Growth, database: str, at: datetime) -> None:
        key = f"{row['dbid']}/{row['userid']}/{row['queryid']}/{row['toplevel']:d}"
        since = row["stats_since"] and row["stats_since"].astimezone(UTC)
        calls, milliseconds = growth.since_last(key, row["calls"], row["milliseconds"], since)
        if not calls:
            return
        settings = self._connector.config
        self._connector.declare_statement(
            Statement(
                sql=row["query"],
                dialect=settings.dialect or self.dialect,
                default_database=settings.default_database or database,
                default_schema=settings.default_schema,
                user=row["user_name"],
                at=at,
                duration_s=milliseconds / calls / 1000,
                location=str(row["queryid"]),
                count=calls,
            )
        )


def _counters_sql(extension: RowMapping) -> str:
    """The question for the connected database's counters, of the columns that this version has."""
    there = set(extension["columns"])
    milliseconds = "total_exec_time" if "total_exec_time" in there else "total_time"  # before PostgreSQL 13
    toplevel = "toplevel" if "toplevel" in there else "true"  # before 14
    since = "stats_since" if "stats_since" in there else "null::timestamptz"  # before 17
    return f"""
        select dbid, userid, queryid, {toplevel} as toplevel, query, calls, {milliseconds} as milliseconds,
               {since} as stats_since, pg_get_userbyid(userid) as user_name
        from {_quoted(extension["schema_name"])}.pg_stat_statements
        where dbid = (select oid from pg_catalog.pg_database where datname = current_database())
        order by queryid, userid
    """  # noqa: S608 - our own names, and a quoted one


def _quoted(name: str) -> str:
    # A colon would begin a parameter's name.
    return '"' + name.replace('"', '""').replace(":", r"\:") + '"'


def _hidden(count: int) -> str:
    return f"{count} statements are hidden from this user, or their text is no longer kept"
