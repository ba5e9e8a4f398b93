"""From the values of a log's entry to a statement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from connectors.builtin.query_log.moments import BadEntry, Clock
from connectors.model import Statement, Window

LARGEST_COUNT = 2**63 - 1


class Entries:
    """Makes statements of entries' values, given in the order of `columns.ROLES`."""

    def __init__(
        self,
        window: Window,
        clock: Clock,
        *,
        undated: bool,
        limit_bytes: int,
        dialect: str | None,
        database: str | None,
        schema: str | None,
    ) -> None:
        self._window = window
        self._clock = clock
        self._undated = undated
        self._limit = limit_bytes
        self._dialect, self._database, self._schema = dialect, database, schema

    def statement(self, values: Sequence[Any], durations_per_second: int) -> Statement | None:
        """The entry's statement; None when it started outside of the window. Raises BadEntry."""
        sql, user, started, duration, session, database, schema, dialect, rows, query_id = values
        at = self._clock.moment(started)
        if at is None:
            if not self._undated:
                raise BadEntry("has no start; `undated: window` takes it as of the window")
        elif not self._window.start <= at < self._window.end:
            return None
        if type(sql) is not str:
            sql = _text(sql)
        if not sql or sql.isspace():
            raise BadEntry("has no SQL")
        # A character has four bytes at most, so most texts need not be encoded to know.
        if len(sql) * 4 > self._limit and len(sql.encode("utf-8", "surrogatepass")) > self._limit:
            raise BadEntry("its SQL is longer than `max_statement_mib`")
        return Statement.model_validate(
            {
                "sql": sql,
                "dialect": _label("dialect", dialect) or self._dialect,
                "default_database": _label("database", database) or self._database,
                "default_schema": _label("schema", schema) or self._schema,
                "session": _label("session", session),
                "user": _label("user", user),
                "at": at,
                "duration_s": _seconds(duration, durations_per_second),
                "rows": _count(rows),
                "location": _label("query_id", query_id),
            }
        )


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return _decoded("the SQL", value)
    raise BadEntry("its SQL is not text")


def _decoded(what: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise BadEntry(f"{what} is not UTF-8 at byte {error.start}") from None


def _label(role: str, value: Any) -> str | None:
    """A name or an id: text, or a whole number as text; nothing for empty text."""
    if value is None or type(value) is str:
        return value or None
    if isinstance(value, bytes):
        return _decoded(role, value) or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise BadEntry(f"{role} is neither text nor a whole number")


def _seconds(value: Any, per_second: int) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, timedelta):  # a Parquet duration has a unit of its own
        return value.total_seconds()
    number = _number("duration", value)
    # Not a number is how a table of floats says that there is none.
    return None if math.isnan(number) else number / per_second


def _count(value: Any) -> int | None:
    if value is None or value == "":
        return None
    number = _number("rows", value)
    if math.isnan(number):
        return None
    if not number.is_integer() or abs(number) > LARGEST_COUNT:
        raise BadEntry("rows is not a whole number of 64 bits")
    return int(value) if isinstance(value, int) else int(number)


def _number(role: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise BadEntry(f"{role} is not a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise BadEntry(f"{role} is not a number") from None
    if math.isinf(number):
        raise BadEntry(f"{role} is not finite")
    return number
