"""Dates and times: from Python's, and from texts in ISO 8601 and RFC 5322 form."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import pyarrow as pa

from connectors.tables.filler import Filler, Unfit

_RFC_5322 = re.compile(
    r"(?:[A-Za-z]{3}, )?\d{1,2} [A-Za-z]{3} \d{4} \d\d:\d\d(?::\d\d)? (?:[A-Z]{1,5}|[+-]\d{4})"
)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Dates(Filler):
    """Days. A time is one at midnight only."""

    plain = frozenset({dt.date, str})

    def fill(self, values: Sequence[Any]) -> pa.Array:
        if str in frozenset(map(type, values)):
            return pa.array(values, pa.string()).cast(pa.date32()).cast(self.kind)
        return pa.array(values, self.kind)

    def one(self, value: Any) -> dt.date:
        if isinstance(value, dt.datetime):
            if value.time() != dt.time():
                raise Unfit("it has a time of day")
            return value.date()
        if isinstance(value, dt.date):
            return value
        if isinstance(value, str):
            return dt.datetime.strptime(value, "%Y-%m-%d").date()
        raise Unfit("no date")


class Timestamps(Filler):
    """A text without a zone, and a time without one, are in UTC."""

    plain = frozenset({dt.datetime, str})

    def __init__(self, kind: pa.DataType) -> None:
        super().__init__(kind)
        self._zoned = pa.timestamp(kind.unit, "UTC")
        self._naive = pa.timestamp(kind.unit)
        self._texts = [self._zoned, self._naive]  # the form that the last texts had comes first

    def fill(self, values: Sequence[Any]) -> pa.Array:
        if str not in frozenset(map(type, values)):
            return pa.array(values, self.kind)
        texts = pa.array(values, pa.string())
        try:
            return self._placed(texts.cast(self._texts[0]))
        except pa.ArrowInvalid:
            self._texts.reverse()
            return self._placed(texts.cast(self._texts[0]))

    def one(self, value: Any) -> Any:
        if isinstance(value, str):
            value = self._read(value)
        elif isinstance(value, dt.date) and not isinstance(value, dt.datetime):
            value = dt.datetime(value.year, value.month, value.day)
        elif not isinstance(value, dt.datetime):
            raise Unfit("no time")
        if isinstance(value, dt.datetime):
            # Of a subclass with finer units (pandas has one) these are what the column keeps as well.
            nanoseconds = int(getattr(value, "nanosecond", 0) or 0)
            aware = value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value
            past = dt.datetime(*aware.timetuple()[:6], aware.microsecond, aware.tzinfo) - _EPOCH
            value = ((past.days * 86400 + past.seconds) * 10**6 + past.microseconds) * 1000 + nanoseconds
        return self._counted(value)

    def each(self, values: Sequence[Any]) -> tuple[pa.Array, dict[int, str]]:
        counts, causes = _Counts(self).each(values)
        return counts.cast(self.kind), causes

    def _placed(self, read: pa.Array) -> pa.Array:
        return read.cast(self._zoned).cast(self.kind) if self.kind.tz else read.cast(self._naive)

    def _read(self, text: str) -> Any:
        """A time, or nanoseconds since the epoch where Arrow has read finer than a time can be."""
        if self.kind.unit == "ns":
            for form in (pa.timestamp("ns", "UTC"), pa.timestamp("ns")):
                try:
                    return pa.array([text]).cast(form).cast(pa.int64())[0].as_py()
                except pa.ArrowInvalid:
                    continue
        try:
            return dt.datetime.fromisoformat(text.strip())
        except ValueError:
            pass
        try:
            return dt.datetime.strptime(text, "%Y-%m-%d")  # 2026-1-2
        except ValueError:
            pass
        if not _RFC_5322.fullmatch(text):
            raise Unfit("no time in ISO 8601 nor RFC 5322 form")
        return parsedate_to_datetime(text)

    def _counted(self, nanoseconds: int) -> int:
        count = nanoseconds // {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}[self.kind.unit]
        if not -(2**63) <= count < 2**63:
            raise Unfit("out of range")
        return count


class _Counts(Filler):
    """Times as whole numbers of their column's unit."""

    def __init__(self, times: Timestamps) -> None:
        super().__init__(times.kind)
        self.one = times.one  # type: ignore[method-assign]

    def fill(self, values: Sequence[Any]) -> pa.Array:
        return pa.array(values, pa.int64())
