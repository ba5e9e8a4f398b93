"""The ends of a range as SQL, exact for the type of the column."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from connectors.errors import DatasetError

_DIGITS = 38  # of DuckDB's widest decimal


def out_of_range(column: str, kind: pa.DataType, bound: Any, path: Sequence[str], *, low: bool) -> str:
    """SQL that is true where a value lies beyond a bound: below it when `low`, else above.

    `column` is SQL. Raises DatasetError for a bound that does not fit the type.
    """
    side = "<" if low else ">"
    if pt.is_integer(kind) or pt.is_decimal(kind):
        exact = _number(bound, kind, path)
        scale = kind.scale if pt.is_decimal(kind) else 0
        # What lies between two values of the type bounds as the nearer one within.
        units = (ceil if low else floor)(Fraction(exact) * 10**scale)
        if abs(units) >= 10**_DIGITS:
            return f"{column} IS NOT NULL" if (units > 0) == low else "false"
        return f"{column} {side} CAST('{_written(units, scale)}' AS DECIMAL({_DIGITS}, {scale}))"
    if pt.is_floating(kind):
        number = float(_number(bound, kind, path))
        return f"({column} {side} CAST('{number!r}' AS DOUBLE) OR isnan({column}))"
    if pt.is_date(kind):
        return f"{column} {side} DATE '{_date(bound, path).isoformat()}'"
    if pt.is_timestamp(kind):
        return f"{column} {side} {_timestamp(bound, kind, path)}"
    raise DatasetError(
        f"{'.'.join(path[:-1])}: the column is {kind}, which has no range",
        hint="a range is for numbers, dates and timestamps",
        path=(*path[:-1], "column"),
    )


def is_before(kind: pa.DataType, low: Any, high: Any, path: Sequence[str]) -> bool:
    """Whether an upper end lies below the lower one."""
    if pt.is_date(kind):
        return _date(high, path) < _date(low, path)
    if pt.is_timestamp(kind):
        return _moment(high, kind, path) < _moment(low, kind, path)
    return _number(high, kind, path) < _number(low, kind, path)


def _written(units: int, scale: int) -> str:
    """So many units of the last place, in digits; Decimal would round them to its context's."""
    digits = f"{abs(units):0{scale + 1}d}"
    whole, fraction = digits[: len(digits) - scale], digits[len(digits) - scale :]
    return f"{'-' if units < 0 else ''}{whole}.{fraction}" if scale else f"{units}"


def _number(bound: Any, kind: pa.DataType, path: Sequence[str]) -> Decimal:
    if isinstance(bound, int | float | Decimal):
        return Decimal(str(bound))
    raise _unfit(path, kind, "a number")


def _date(bound: Any, path: Sequence[str]) -> date:
    if isinstance(bound, str):
        try:
            return date.fromisoformat(bound)
        except ValueError:
            raise _unfit(path, "a date", "a date such as 2026-01-31") from None
    if isinstance(bound, date) and not isinstance(bound, datetime):
        return bound
    raise _unfit(path, "a date", "a date such as 2026-01-31")


def _timestamp(bound: Any, kind: pa.DataType, path: Sequence[str]) -> str:
    moment = _moment(bound, kind, path)
    if kind.tz is not None:
        return f"TIMESTAMPTZ '{moment.isoformat(sep=' ')}'"
    return f"TIMESTAMP '{moment.isoformat(sep=' ')}'"


def _moment(bound: Any, kind: pa.DataType, path: Sequence[str]) -> datetime:
    """A date is its midnight; without a zone a moment of a column that has one is UTC."""
    wanted = "a timestamp such as 2026-01-31T10:00:00" + ("" if kind.tz is None else "Z")
    if isinstance(bound, str):
        try:
            bound = datetime.fromisoformat(bound)
        except ValueError:
            raise _unfit(path, kind, wanted) from None
    if not isinstance(bound, date):
        raise _unfit(path, kind, wanted)
    moment = bound if isinstance(bound, datetime) else datetime(bound.year, bound.month, bound.day)
    if kind.tz is not None:
        try:
            return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).astimezone(UTC)
        except OverflowError:
            raise _unfit(path, kind, wanted) from None
    if moment.tzinfo is not None:
        raise _unfit(path, f"{kind} without a zone", "a timestamp without one")
    return moment


def _unfit(path: Sequence[str], kind: object, wanted: str) -> DatasetError:
    return DatasetError(
        f"{'.'.join(path)} does not fit the column, which is {kind}", hint=f"write {wanted}", path=tuple(path)
    )
