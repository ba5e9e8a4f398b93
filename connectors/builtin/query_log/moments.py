"""When an entry started: texts, numbers and timestamps as moments in UTC."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from connectors.builtin.query_log.columns import PER_SECOND, Unit

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = 1_000_000


class BadEntry(ValueError):
    """An entry that cannot be taken; its text is the cause."""


class Clock:
    """Reads times. One without a zone is in `zone`; a number counts `unit`s since 1970, and needs the unit."""

    def __init__(self, zone: tzinfo, unit: Unit | None) -> None:
        self._zone = zone
        self._per_second = PER_SECOND[unit] if unit else None

    def moment(self, value: Any) -> datetime | None:
        """The moment in UTC; None where the entry has none. Raises BadEntry."""
        if value is None or value == "":
            return None
        try:
            return self._moment(value)
        except OverflowError:
            raise BadEntry("its start is outside of the calendar") from None

    def _moment(self, value: Any) -> datetime:
        if type(value) is str:
            return self._from_text(value)
        if isinstance(value, datetime):
            return self._in_utc(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._from_number(value)
        if isinstance(value, date):
            return self._in_utc(datetime.combine(value, time()))
        raise BadEntry(f"its start is neither text nor a number nor a time, but {type(value).__name__}")

    def _from_text(self, text: str) -> datetime:
        # A year and a hyphen begin an ISO time; digits alone are a number, whatever ISO's basic form allows.
        if text[4:5] != "-" and (number := _number(text)) is not None:
            return self._from_number(number)
        if text.endswith(" UTC"):  # as PostgreSQL, Snowflake and BigQuery write it
            text = f"{text[:-4]}Z"
        try:
            return self._in_utc(datetime.fromisoformat(text))
        except ValueError:
            raise BadEntry("its start is no ISO 8601 time") from None

    def _in_utc(self, value: datetime) -> datetime:
        zone = value.tzinfo
        if zone is UTC:
            return value
        if zone is None:
            value = value.replace(tzinfo=self._zone)
            if self._zone is UTC:
                return value
        return value.astimezone(UTC)

    def _from_number(self, value: int | float) -> datetime:
        if self._per_second is None:
            raise BadEntry(
                "its start is a number; say in `time_unit` what it counts since 1970: s, ms, us or ns"
            )
        if isinstance(value, int):  # exact, where a float of nanoseconds would not be
            return EPOCH + timedelta(microseconds=value * _MICROSECONDS // self._per_second)
        if not math.isfinite(value):
            raise BadEntry("its start is not a finite number")
        return EPOCH + timedelta(seconds=value / self._per_second)


def _number(text: str) -> int | float | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return None
