"""Values to Arrow arrays, a column at a time, with the CloudQuery SDK's coercions.

A column whose values are all of its own Python type is filled by Arrow at once; any other value by value, and what
does not fit is told apart from what does. Both ways give the same array: the first is only faster.

Where the SDK changes a value without a word, it is refused here: a float with a fraction in an integer column, an
integer with more digits than a float keeps, a time of day in a date's column, "now", and texts that only a guess makes
a time of ("02/01/2026"). In JSON, which has neither, NaN and infinity are null.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import math
import operator
import uuid
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import ConnectorError
from connectors.tables.filler import NONE, Filler, Unfit
from connectors.tables.times import Dates, Timestamps
from connectors.tables.types import is_inet, is_json, is_uuid

_ADDRESSES = ipaddress.IPv4Address | ipaddress.IPv6Address | ipaddress.IPv4Network | ipaddress.IPv6Network
_TRUE, _FALSE = frozenset({"true", "t", "yes", "y", "1"}), frozenset({"false", "f", "no", "n", "0"})
_UUID_TEXT = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"


class _Int(Filler):
    plain = frozenset({int})

    def __init__(self, kind: pa.DataType) -> None:
        super().__init__(kind)
        signed = pa.types.is_signed_integer(kind)
        self._least = -(2 ** (kind.bit_width - 1)) if signed else 0
        self._most = 2 ** (kind.bit_width - signed) - 1

    def one(self, value: Any) -> int:
        if isinstance(value, bool):
            raise Unfit("a bool is no number")
        if isinstance(value, str):
            number = int(value)
        elif isinstance(value, float | Decimal):
            number = int(value)
            if number != value:
                raise Unfit("it has a fraction")
        else:
            number = operator.index(value)
        if not self._least <= number <= self._most:
            raise Unfit("out of range")
        return number


class _Float(Filler):
    plain = frozenset({float, int})

    def fill(self, values: Sequence[Any]) -> pa.Array:
        if self.kind.bit_width == 64:
            return pa.array(values, self.kind)
        wide = pa.array(values, pa.float64())
        narrow = wide.cast(self.kind, safe=False)
        if pc.sum(pc.is_inf(narrow)).as_py() != pc.sum(pc.is_inf(wide)).as_py():
            raise ValueError("out of range")
        return narrow

    def one(self, value: Any) -> float:
        if isinstance(value, bytes | bytearray):
            raise Unfit("bytes are no number")
        number = float(value)
        if isinstance(value, int) and math.isfinite(number) and int(number) != value:
            raise Unfit("it has more digits than a float keeps")
        if isinstance(value, Decimal) and math.isfinite(number) != value.is_finite():
            raise Unfit("out of range")
        if self.kind.bit_width < 64 and math.isfinite(number):
            self.fill([number])
        return number


class _Bool(Filler):
    plain = frozenset({bool})

    def one(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and (text := value.lower()) in _TRUE | _FALSE:
            return text in _TRUE
        raise Unfit("neither true nor false")


class _Text(Filler):
    plain = frozenset({str})

    def one(self, value: Any) -> str:
        if not isinstance(value, str):
            raise Unfit("no text")
        value.encode()
        return value


class _Binary(Filler):
    plain = frozenset({bytes, str})

    def one(self, value: Any) -> bytes:
        data = value.encode() if isinstance(value, str) else bytes(memoryview(value))
        if pa.types.is_fixed_size_binary(self.kind) and len(data) != self.kind.byte_width:
            raise Unfit(f"{len(data)} bytes, not {self.kind.byte_width}")
        return data


class _Extension(Filler):
    """A type of which Arrow takes the storage's values."""

    def fill(self, values: Sequence[Any]) -> pa.Array:
        return pa.ExtensionArray.from_storage(self.kind, pa.array(values, self.kind.storage_type))


class _Uuid(_Extension):
    plain = frozenset({str})

    def array(self, values: Sequence[Any]) -> tuple[pa.Array, dict[int, str]]:
        types = frozenset(map(type, values)) - {NONE}
        if types == self.plain:
            try:
                texts = pa.array(values, pa.string())
            except Exception:  # noqa: BLE001 - half characters: which of them it is, is found below
                return self.each(values)
            if pc.all(pc.match_substring_regex(texts, _UUID_TEXT)).as_py():
                return self._from_texts(texts, values), {}
        return self.each(values)

    def _from_texts(self, texts: pa.Array, values: Sequence[Any]) -> pa.Array:
        digits = bytes.fromhex("".join(value or "0" * 32 for value in values).replace("-", ""))
        valid = texts.buffers()[0]
        storage = pa.Array.from_buffers(
            self.kind.storage_type, len(values), [valid, pa.py_buffer(digits)], texts.null_count
        )
        return pa.ExtensionArray.from_storage(self.kind, storage)

    def one(self, value: Any) -> bytes:
        if isinstance(value, bytes):
            return uuid.UUID(bytes=value).bytes
        return (value if isinstance(value, uuid.UUID) else uuid.UUID(value)).bytes


class _Json(_Extension):
    def array(self, values: Sequence[Any]) -> tuple[pa.Array, dict[int, str]]:
        types = frozenset(map(type, values))
        if not types & {str, bytes}:
            try:
                texts = [None if value is None else orjson.dumps(value) for value in values]
                return self.fill(texts), {}
            except Exception:  # noqa: BLE001, S110 - which of them it is, is found below
                pass
        return self.each(values)

    def fill(self, values: Sequence[Any]) -> pa.Array:
        text = self.kind.storage_type
        return pa.ExtensionArray.from_storage(self.kind, pa.array(values, pa.binary()).cast(text))

    def one(self, value: Any) -> bytes:
        if isinstance(value, str | bytes):
            json.loads(value, parse_constant=_no_json)
            return value.encode() if isinstance(value, str) else value
        try:
            return orjson.dumps(value)
        except (TypeError, ValueError):  # numbers beyond 64 bits, keys that are no text
            return json.dumps(value).encode()


def _no_json(name: str) -> None:
    raise Unfit(f"{name} is no JSON")


class _Inet(_Extension):
    def array(self, values: Sequence[Any]) -> tuple[pa.Array, dict[int, str]]:
        return self.each(values)

    def one(self, value: Any) -> str:
        if not isinstance(value, str | _ADDRESSES):
            raise Unfit("no text")
        ipaddress.ip_interface(str(value))
        return str(value)


class _Decimal(Filler):
    plain = frozenset({Decimal, int})

    def one(self, value: Any) -> Decimal:
        if isinstance(value, bool):
            raise Unfit("a bool is no number")
        try:
            number = Decimal(str(value) if isinstance(value, float) else value)
        except InvalidOperation:
            raise Unfit("no number") from None
        pa.scalar(number, self.kind)
        return number


class _Other(Filler):
    """Times of day, durations and the like: what Arrow takes, number by number excepted."""

    def one(self, value: Any) -> Any:
        if not isinstance(value, dt.time | dt.timedelta):
            raise Unfit(f"no {self.kind}")
        return super().one(value)


class _Nested(Filler):
    """Lists, structs and maps, coerced within."""

    def array(self, values: Sequence[Any]) -> tuple[pa.Array, dict[int, str]]:
        return self.each(values)


class _List(_Nested):
    def __init__(self, kind: pa.DataType) -> None:
        super().__init__(kind)
        self._item = _inner(kind.value_type)

    def one(self, value: Any) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise Unfit("no list")
        if pa.types.is_fixed_size_list(self.kind) and len(value) != self.kind.list_size:
            raise Unfit(f"{len(value)} items, not {self.kind.list_size}")
        return [self._item(item) for item in value]


class _Struct(_Nested):
    def __init__(self, kind: pa.DataType) -> None:
        super().__init__(kind)
        self._fields = {field.name: _inner(field.type) for field in kind}

    def one(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise Unfit("no mapping")
        return {name: inner(value.get(name)) for name, inner in self._fields.items()}


class _Map(_Nested):
    def __init__(self, kind: pa.DataType) -> None:
        super().__init__(kind)
        self._key, self._value = _inner(kind.key_type), _inner(kind.item_type)

    def one(self, value: Any) -> list[tuple[Any, Any]]:
        if not isinstance(value, Mapping | list | tuple):
            raise Unfit("no mapping")
        pairs = value.items() if isinstance(value, Mapping) else value
        return [(self._key(key), self._value(item)) for key, item in pairs]


def _inner(kind: pa.DataType) -> Callable[[Any], Any]:
    if isinstance(kind, pa.BaseExtensionType):
        raise ConnectorError(f"{kind.extension_name} cannot lie within another type", hint="use JSONType()")
    filler = filler_of(kind)
    return lambda value: None if value is None else filler.one(value)


_FILLERS: list[tuple[Callable[[pa.DataType], bool], type[Filler]]] = [
    (is_json, _Json),
    (is_uuid, _Uuid),
    (is_inet, _Inet),
    (pa.types.is_integer, _Int),
    (pa.types.is_floating, _Float),
    (pa.types.is_boolean, _Bool),
    (pa.types.is_string, _Text),
    (pa.types.is_large_string, _Text),
    (pa.types.is_binary, _Binary),
    (pa.types.is_large_binary, _Binary),
    (pa.types.is_fixed_size_binary, _Binary),
    (pa.types.is_date, Dates),
    (pa.types.is_timestamp, Timestamps),
    (pa.types.is_decimal, _Decimal),
    (pa.types.is_map, _Map),
    (pa.types.is_struct, _Struct),
    (pa.types.is_list, _List),
    (pa.types.is_large_list, _List),
    (pa.types.is_fixed_size_list, _List),
    (pa.types.is_time, _Other),
    (pa.types.is_duration, _Other),
]


def filler_of(kind: pa.DataType) -> Filler:
    """What fills a column of the type. Raises ConnectorError for a type that no column may have."""
    for is_it, filler in _FILLERS:
        if is_it(kind):
            return filler(kind)
    raise ConnectorError(
        f"a column cannot be of type {kind}",
        hint="it can be a number, text, binary, date, time, JSONType(), UUIDType(), or a list, struct or map of them",
    )
