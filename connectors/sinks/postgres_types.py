"""What Arrow types are in PostgreSQL, and how COPY writes their values."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from connectors.sinks.texts import array_literals, hex_text, texts

_PLAIN = {
    pa.bool_(): "boolean",
    pa.int8(): "smallint",
    pa.uint8(): "smallint",
    pa.int16(): "smallint",
    pa.uint16(): "integer",
    pa.int32(): "integer",
    pa.uint32(): "bigint",
    pa.int64(): "bigint",
    pa.uint64(): "numeric(20,0)",
    pa.float16(): "real",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.date32(): "date",
    pa.date64(): "date",
}
_WIDTHS = (("smallint", "integer", "bigint", "numeric"), ("real", "double precision"))
_DIGITS = {"smallint": (5, 0), "integer": (10, 0), "bigint": (19, 0)}
_NUMERIC = re.compile(r"numeric\((\d+),(-?\d+)\)")


def postgres_type(kind: pa.DataType) -> str:
    """The type of a column, as PostgreSQL itself writes it. Lists of plain values are arrays, other nested jsonb."""
    is_a = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        named = {"arrow.uuid": "uuid", "uuid": "uuid", "arrow.json": "jsonb", "json": "jsonb"}
        return named.get(kind.extension_name) or postgres_type(kind.storage_type)
    if is_a.is_dictionary(kind):
        return postgres_type(kind.value_type)
    if kind in _PLAIN:
        return _PLAIN[kind]
    if is_a.is_decimal(kind):
        return f"numeric({kind.precision},{kind.scale})"
    if is_a.is_timestamp(kind):
        return f"timestamp {'with' if kind.tz else 'without'} time zone"
    if is_a.is_time(kind):
        return "time without time zone"
    if is_a.is_duration(kind):
        return "interval"
    if is_a.is_binary(kind) or is_a.is_large_binary(kind) or is_a.is_fixed_size_binary(kind):
        return "bytea"
    if _is_array(kind):
        return f"{postgres_type(kind.value_type)}[]"
    return "jsonb" if is_a.is_nested(kind) else "text"


def copied(array: pa.Array) -> pa.Array:
    """A column as the text that COPY reads."""
    kind = array.type
    if pa.types.is_duration(kind):
        return pc.binary_join_element_wise(texts(array), " microseconds", "")
    return array_literals(array) if _is_array(kind) else texts(array, hex_text)


def fits(given: str, there: str) -> bool:
    """Whether a column of one type takes every value of another."""
    if given == there or {given, there} == {"json", "jsonb"}:
        return True
    if given == "text":
        return there.startswith("character varying")
    if any(given in row and there in row and row.index(given) <= row.index(there) for row in _WIDTHS):
        return True
    small, wide = _digits(given), _digits(there)
    if small and there == "numeric":
        return True
    return bool(small and wide and wide[0] - wide[1] >= small[0] - small[1] and wide[1] >= small[1])


def _digits(kind: str) -> tuple[int, int] | None:
    found = _NUMERIC.fullmatch(kind)
    if found:
        return int(found[1]), int(found[2])
    return _DIGITS.get(kind)


def _is_array(kind: pa.DataType) -> bool:
    is_a = pa.types
    if not (is_a.is_list(kind) or is_a.is_large_list(kind) or is_a.is_fixed_size_list(kind)):
        return False
    value = kind.value_type
    return not (is_a.is_nested(value) or is_a.is_duration(value) or isinstance(value, pa.BaseExtensionType))
