"""Values as text: what a CSV field, a JSON line and PostgreSQL's COPY hold of each Arrow type.

Times are ISO 8601, those with a zone in UTC; durations are microseconds; nested values are JSON.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

_JSON_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
_MICROSECOND = timedelta(microseconds=1)
_NEEDS_QUOTES = '[",\r\n]|^$|^\\s|\\s$|^\\\\\\.$'


def base64_text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def hex_text(value: bytes) -> str:
    """As PostgreSQL reads bytes."""
    return "\\x" + value.hex()


def plain(array: pa.Array) -> pa.Array:
    """Without dictionaries, extension types and what Python has no value for: nanoseconds are cut to microseconds.

    UUIDs become text.
    """
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name in ("arrow.uuid", "uuid"):
            texts = [None if one is None else str(uuid.UUID(bytes=one)) for one in array.storage.to_pylist()]
            return pa.array(texts, pa.string())
        return plain(array.storage)
    wanted = _plain_type(kind)
    return array if wanted == kind else array.cast(wanted, safe=False)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    is_a = pa.types
    if is_a.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if is_a.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if is_a.is_time(kind):
        return pa.time64("us")
    if is_a.is_duration(kind):
        return pa.duration("us")
    if is_a.is_map(kind):
        return pa.map_(_plain_type(kind.key_type), _plain_type(kind.item_type))
    if is_a.is_list(kind) or is_a.is_large_list(kind) or is_a.is_fixed_size_list(kind):
        return pa.list_(_plain_type(kind.value_type))
    if is_a.is_struct(kind):
        return pa.struct([pa.field(field.name, _plain_type(field.type)) for field in kind])
    return kind


def texts(array: pa.Array, bytes_text: Callable[[bytes], str] = base64_text) -> pa.Array:
    """The values of a column as text, null as null."""
    array = plain(array)
    kind, is_a = array.type, pa.types
    if is_a.is_string(kind):
        return array
    if is_a.is_timestamp(kind):
        return pc.replace_substring(array.cast(pa.string()), " ", "T", max_replacements=1)
    if is_a.is_duration(kind):
        return array.cast(pa.int64()).cast(pa.string())
    if is_a.is_binary(kind) or is_a.is_large_binary(kind) or is_a.is_fixed_size_binary(kind):
        return pa.array([None if one is None else bytes_text(one) for one in array.to_pylist()], pa.string())
    if is_a.is_nested(kind):
        made = [None if one is None else json_text(one).decode() for one in python_values(array)]
        return pa.array(made, pa.string())
    return array.cast(pa.string())


def python_values(array: pa.Array) -> list[Any]:
    """The values of a column as `json_text` takes them. A map is an object."""
    array = plain(array)
    maps = "lossy" if _has_map(array.type) else None
    return list(array.to_pylist(maps_as_pydicts=maps))


def json_text(value: Any) -> bytes:
    """JSON: decimals as text, so that no digit is lost; bytes in base64; NaN and infinity as null."""
    return orjson.dumps(value, default=_json_value, option=_JSON_OPTIONS)


def delimited(columns: Sequence[pa.Array]) -> pa.Buffer:
    """Lines of text columns as CSV: null is an empty field, an empty text is in quotes."""
    parts = [_quoted(column) for column in columns]
    parts[-1] = pc.binary_join_element_wise(parts[-1], "\n", "", null_handling="replace", null_replacement="")
    if len(parts) == 1:
        lines = parts[0]
    else:
        lines = pc.binary_join_element_wise(*parts, ",", null_handling="replace", null_replacement="")
    return lines.cast(pa.large_string()).buffers()[2] or pa.py_buffer(b"")


def array_literals(array: pa.Array) -> pa.Array:
    """PostgreSQL's text for a column of lists of plain values."""
    lists = plain(array)
    flat = texts(lists.flatten(), hex_text)
    inner = pc.replace_substring(pc.replace_substring(flat, "\\", "\\\\"), '"', '\\"')
    quoted = pc.binary_join_element_wise('"', inner, '"', "")
    values = pc.fill_null(quoted, "NULL")
    lengths = pc.fill_null(lists.value_lengths(), 0).to_numpy()
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, values), ",")
    whole = pc.binary_join_element_wise("{", joined, "}", "")
    return pc.if_else(lists.is_valid(), whole, pa.scalar(None, pa.string()))


def _quoted(column: pa.Array) -> pa.Array:
    needs = pc.match_substring_regex(column, _NEEDS_QUOTES)
    if not pc.any(needs).as_py():
        return column
    doubled = pc.replace_substring(column, '"', '""')
    return pc.if_else(needs, pc.binary_join_element_wise('"', doubled, '"', ""), column)


def _has_map(kind: pa.DataType) -> bool:
    if pa.types.is_map(kind):
        return True
    return any(_has_map(kind.field(at).type) for at in range(kind.num_fields))


def _json_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return base64_text(value)
    if isinstance(value, timedelta):
        return value // _MICROSECOND
    raise TypeError(f"{type(value).__name__} has no form in JSON")
