"""Fills a column of one type: at once where Arrow takes the values as they are, else value by value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

NONE = type(None)


class Unfit(ValueError):
    """A value does not fit its column's type."""


class Filler:
    """Fills a column of one type."""

    plain: frozenset[type] = frozenset()  # Arrow takes lists of these as the coercion would

    def __init__(self, kind: pa.DataType) -> None:
        self.kind = kind

    def array(self, values: Sequence[Any]) -> tuple[pa.Array, dict[int, str]]:
        """The values as an array, with the causes of those that do not fit, by place; they are null in it."""
        types = frozenset(map(type, values)) - {NONE}
        if types <= self.plain:
            try:
                return self.fill(values), {}
            except Exception:  # noqa: BLE001, S110 - one of them is out of range: which, and why, is found below
                pass
        return self.each(values)

    def each(self, values: Sequence[Any]) -> tuple[pa.Array, dict[int, str]]:
        """As `array`, value by value."""
        fitting: list[Any] = []
        causes: dict[int, str] = {}
        for place, value in enumerate(values):
            fitting.append(self._fit(place, value, self.one, causes))
        try:
            return self.fill(fitting), causes
        except Exception:  # noqa: BLE001 - whatever a foreign value does, it is that value's trouble
            for place, value in enumerate(fitting):
                fitting[place] = self._fit(place, value, self._alone, causes)
            return self.fill(fitting), causes

    def _fit(self, place: int, value: Any, take: Callable[[Any], Any], causes: dict[int, str]) -> Any:
        if value is None:
            return None
        try:
            return take(value)
        except Exception as error:  # noqa: BLE001 - whatever a foreign value does, it is that value's trouble
            causes[place] = _cause(error, self.kind)
            return None

    def _alone(self, value: Any) -> Any:
        self.fill([value])
        return value

    def fill(self, values: Sequence[Any]) -> pa.Array:
        """An array of values that fit."""
        return pa.array(values, self.kind)

    def one(self, value: Any) -> Any:
        """The value as `fill` takes it. Raises Unfit, or what Python raises, when it does not fit."""
        pa.scalar(value, self.kind)
        return value


def _cause(error: Exception, kind: pa.DataType) -> str:
    """Why a value does not fit, without the value."""
    if isinstance(error, Unfit):
        return f"does not fit {kind}: {error}"
    return f"does not fit {kind}"
