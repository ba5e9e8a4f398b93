"""Arrow columns as the values of JSON that they are told as."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

_TEXT = (pt.is_string, pt.is_large_string, pt.is_string_view)
_BINARY = (pt.is_binary, pt.is_large_binary, pt.is_binary_view, pt.is_fixed_size_binary)
_AS_THEY_ARE = (*_TEXT, pt.is_primitive, pt.is_decimal, pt.is_null)
_LISTS = (pt.is_list, pt.is_large_list, pt.is_fixed_size_list, pt.is_list_view, pt.is_large_list_view)


class Nulls(Protocol):
    """Which nulls of an object's properties are told."""

    def told(self, name: str) -> bool:
        """Whether a null property stays, as null."""

    def within(self, name: str) -> Nulls:
        """Of the objects that a property holds."""

    def elements(self) -> Nulls:
        """Of the objects that a list holds."""


class AllNulls:
    """Each null is told as null."""

    def told(self, name: str) -> bool:
        return True

    def within(self, name: str) -> AllNulls:
        return self

    def elements(self) -> AllNulls:
        return self


def json_values(array: pa.Array, nulls: Nulls) -> list[Any]:
    """A column's values: None, bool, int, float (NaN and infinities too), Decimal, str, list, dict.

    Structs are objects, and so are maps; lists are arrays; a date, a time and a timestamp are ISO texts, in UTC with
    a Z where the type has a zone, without a fraction where it is zero; binary is base64 text. Nulls in lists stay.
    """
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return json_values(array.storage, nulls)
    if pt.is_dictionary(kind):
        return json_values(array.cast(kind.value_type), nulls)
    if pt.is_struct(kind):
        return _objects(array, nulls)
    if pt.is_map(kind):
        return _maps(array, nulls)
    if any(test(kind) for test in _LISTS):
        return _lists(array, nulls)
    if pt.is_temporal(kind) and not pt.is_duration(kind) and not pt.is_interval(kind):
        return _iso(array)
    if any(test(kind) for test in _BINARY):
        return [None if value is None else b64encode(value).decode() for value in array.to_pylist()]
    if pt.is_integer(kind) and not array.null_count:
        numbers: list[Any] = array.to_numpy(zero_copy_only=False).tolist()
        return numbers
    values: list[Any] = array.to_pylist()
    if pt.is_duration(kind) or pt.is_interval(kind) or not any(test(kind) for test in _AS_THEY_ARE):
        return [None if value is None else str(value) for value in values]
    return values


def json_objects(
    names: Sequence[str], columns: Iterable[Sequence[Any]], nulls: Nulls, number: int
) -> list[dict[str, Any]]:
    """Columns of values as objects; a null that is not told is left out."""
    columns = list(columns)
    if not names:
        return [{} for _ in range(number)]
    left_out = [
        name for name, column in zip(names, columns, strict=True) if None in column and not nulls.told(name)
    ]
    made = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    for name in left_out:
        for row in made:
            if row[name] is None:
                del row[name]
    return made


def not_finite(array: pa.Array) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    """Which values hold NaN or an infinity somewhere, of which JSON has none; None for none of them."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return not_finite(array.storage)
    if pt.is_floating(kind):
        wrong = pc.fill_null(pc.invert(pc.is_finite(array)), False)
        found = wrong.to_numpy(zero_copy_only=False)
        return found if found.any() else None
    if not _holds_floats(kind):
        return None
    found = np.fromiter(
        (_holds_no_number(value) for value in json_values(array, AllNulls())), bool, len(array)
    )
    return found if found.any() else None


def json_text(value: Any) -> str:
    """A value as JSON, on one line. NaN and infinities, of which JSON has none, are told as texts."""
    return orjson.dumps(_printable(value)).decode()


def is_number(value: Any) -> bool:
    """Whether a value is no NaN and no infinity."""
    return not isinstance(value, float) or math.isfinite(value)


def _objects(array: pa.StructArray, nulls: Nulls) -> list[Any]:
    names = [field.name for field in array.type]
    fields = [array.field(at) for at in range(len(names))]
    columns = [json_values(field, nulls.within(name)) for name, field in zip(names, fields, strict=True)]
    made: list[Any] = json_objects(names, columns, nulls, len(array))
    return _with_nulls(made, array)


def _maps(array: pa.MapArray, nulls: Nulls) -> list[Any]:
    keys = [key if isinstance(key, str) else str(key) for key in json_values(array.keys, AllNulls())]
    values = json_values(array.items, AllNulls())
    offsets = array.offsets.to_pylist()
    made: list[Any] = [dict(zip(keys[a:b], values[a:b], strict=True)) for a, b in pairwise(offsets)]
    return _with_nulls(made, array)


def _lists(array: pa.Array, nulls: Nulls) -> list[Any]:
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_pylist()
    flat = json_values(array.flatten(), nulls.elements())
    made: list[Any] = []
    at = 0
    for length in lengths:
        made.append(flat[at : at + length])
        at += length
    return _with_nulls(made, array)


def _with_nulls(values: list[Any], array: pa.Array) -> list[Any]:
    if array.null_count:
        for at in np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False)).tolist():
            values[at] = None
    return values


def _iso(array: pa.Array) -> list[Any]:
    kind = array.type
    if pt.is_timestamp(kind):
        if kind.tz is not None and kind.tz != "UTC":
            array = array.cast(pa.timestamp(kind.unit, "UTC"))
        text = pc.replace_substring(array.cast(pa.string()), " ", "T", max_replacements=1)
    else:
        text = array.cast(pa.string())
    texts: list[str | None] = text.to_pylist()
    if not pt.is_date(kind) and kind.unit != "s":
        return [None if text is None else _short(text) for text in texts]
    return texts


def _short(text: str) -> str:
    """Without a fraction of a second that is zero."""
    head, _, fraction = text.partition(".")
    return text if fraction.rstrip("0Z") else head + ("Z" if fraction[-1:] == "Z" else "")


def _holds_floats(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return _holds_floats(kind.storage_type)
    return bool(pt.is_floating(kind)) or any(
        _holds_floats(kind.field(at).type) for at in range(kind.num_fields)
    )


def _holds_no_number(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_no_number, value.values()))
    if isinstance(value, list):
        return any(map(_holds_no_number, value))
    return not is_number(value)


def _printable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _printable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_printable(one) for one in value]
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return orjson.Fragment(str(value))
    return value if is_number(value) else {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
