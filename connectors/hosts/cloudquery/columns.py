"""CloudQuery's Arrow types as headwater's.

Its extension types are not registered here: a process may register a name once, and a plugin's SDK may have. They
are told by the field's metadata, or by the type where somebody registered it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.tables import InetType, JSONType, UUIDType

NAME = b"cq:table_name"
_EXTENSION, _PREFIX = b"ARROW:extension:name", b"ARROW:extension:"
_NAMES = {
    "json": "json",
    "arrow.json": "json",
    "uuid": "uuid",
    "arrow.uuid": "uuid",
    "inet": "inet",
    "mac": "mac",
}


@dataclass(frozen=True)
class BadValue:
    """A value that a table does not take, and whose row therefore is left out."""

    column: str
    value_type: str
    cause: str


def our_schema(schema: pa.Schema) -> pa.Schema:
    """A schema with headwater's types; CloudQuery's own metadata stay.

    `json`, `uuid` and `inet` become headwater's types, `mac` a string; within lists and structs all are text. What
    is encoded by a dictionary is taken as its values.
    """
    fields = []
    for field in schema:
        metadata = {k: v for k, v in (field.metadata or {}).items() if not k.startswith(_PREFIX)}
        fields.append(pa.field(field.name, _our_type(field, outside=True), field.nullable, metadata))
    return pa.schema(fields, schema.metadata)


def our_batch(batch: pa.RecordBatch, schema: pa.Schema) -> tuple[pa.RecordBatch, list[BadValue]]:
    """A batch in a table's schema, by the names of its columns, and a fault for each row that is left out of it.

    A column that it lacks is null; a null in a primary key, or where none may be, is a fault. Raises ArrowException
    or ValueError when values cannot be of the schema's type.
    """
    arrays, bad = [], _Bad(batch.num_rows)
    places = {name: place for place, name in enumerate(batch.schema.names)}
    for field in schema:
        place = places.get(field.name)
        if place is None:
            array = pa.nulls(batch.num_rows, field.type)
        else:
            array = _our_array(batch.column(place), batch.schema.field(place), field, bad)
        if array.null_count and (not field.nullable or _is_key(field)):
            bad.add(array.is_null(), BadValue(field.name, "null", "is null"))
        arrays.append(array)
    made = pa.RecordBatch.from_arrays(arrays, schema=schema)
    return (made.filter(bad.good), bad.faults) if bad.faults else (made, [])


def _is_key(field: pa.Field) -> bool:
    return bool((field.metadata or {}).get(b"cq:extension:primary_key") == b"true")


class _Bad:
    """The rows of a batch that have a bad value; the first that is found of each counts."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._found: dict[int, BadValue] = {}

    def add(self, mask: pa.Array, fault: BadValue) -> None:
        for row in pc.indices_nonzero(mask).to_pylist():
            self._found.setdefault(row, fault)

    @property
    def faults(self) -> list[BadValue]:
        return list(self._found.values())

    @property
    def good(self) -> pa.Array:
        return pa.array([row not in self._found for row in range(self._rows)], pa.bool_())


def kind_of(field: pa.Field) -> str:
    """Which of CloudQuery's types a field has: "json", "uuid", "inet", "mac", or "" for one of Arrow's own."""
    if isinstance(field.type, pa.BaseExtensionType):
        return _NAMES.get(field.type.extension_name, "")
    told = (field.metadata or {}).get(_EXTENSION, b"").decode("utf-8", "replace")
    return _NAMES.get(told, "")


def _our_type(field: pa.Field, *, outside: bool) -> pa.DataType:
    kind, type_ = kind_of(field), field.type
    if kind:
        return (
            {"json": JSONType(), "uuid": UUIDType(), "inet": InetType()}.get(kind, pa.string())
            if outside
            else pa.string()
        )
    if isinstance(type_, pa.BaseExtensionType):
        return type_.storage_type
    if pa.types.is_dictionary(type_):
        return type_.value_type
    if not _holds_kinds(field):
        return type_
    if pa.types.is_struct(type_):
        return pa.struct([pa.field(f.name, _our_type(f, outside=False), f.nullable) for f in type_])
    if pa.types.is_map(type_):
        return pa.map_(_our_type(type_.key_field, outside=False), _our_type(type_.item_field, outside=False))
    inner = pa.field(
        type_.value_field.name, _our_type(type_.value_field, outside=False), type_.value_field.nullable
    )
    return pa.large_list(inner) if pa.types.is_large_list(type_) else pa.list_(inner)


def _holds_kinds(field: pa.Field) -> bool:
    """Whether there is one of CloudQuery's types in a field, at any depth."""
    return bool(kind_of(field)) or any(_holds_kinds(one) for one in _inner(field.type))


def _inner(type_: pa.DataType) -> Iterator[pa.Field]:
    for place in range(0 if isinstance(type_, pa.BaseExtensionType) else type_.num_fields):
        yield type_.field(place)


def _our_array(array: pa.Array, field: pa.Field, wanted: pa.Field, bad: _Bad) -> pa.Array:
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind, type_ = kind_of(field), wanted.type
    if kind == "uuid" and array.type != pa.binary(16):
        array = _each(array, _uuid_bytes, pa.binary(16), wanted.name, "is no UUID", bad)
    if kind == "mac" and not _is_text(array.type):
        array = _each(array, _mac_text, pa.string(), wanted.name, "is no address", bad)
    if not kind and _holds_kinds(field):
        return pa.array([_plain(value, field) for value in array.to_pylist()], type_)
    storage = type_.storage_type if isinstance(type_, pa.BaseExtensionType) else type_
    if array.type != storage:
        if pa.types.is_string(storage) and not _is_text(array.type) and kind:
            array = _text(array, wanted.name, bad)
        else:
            array = array.cast(storage)
    return pa.ExtensionArray.from_storage(type_, array) if storage is not type_ else array


def _is_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))


def _text(array: pa.Array, column: str, bad: _Bad) -> pa.Array:
    """Bytes as text; a row whose bytes are none is left out."""
    try:
        return array.cast(pa.string())
    except pa.ArrowInvalid:
        return _each(array, bytes.decode, pa.string(), column, "is not UTF-8", bad)


def _each(
    array: pa.Array, make: Callable[[Any], Any], kind: pa.DataType, column: str, cause: str, bad: _Bad
) -> pa.Array:
    """The values made one by one; a row whose value cannot be is left out."""
    values: list[Any] = []
    for value in array.to_pylist():
        try:
            values.append(None if value is None else make(value))
        except (AttributeError, TypeError, ValueError):
            values.append(None)
    made = pa.array(values, kind)
    bad.add(pc.and_(made.is_null(), array.is_valid()), BadValue(column, str(array.type), cause))
    return made


def _uuid_bytes(value: bytes | str) -> bytes:
    return uuid.UUID(value).bytes if isinstance(value, str) else uuid.UUID(bytes=value).bytes


def _mac_text(value: bytes) -> str:
    return value.hex(":")


def _plain(value: Any, field: pa.Field) -> Any:
    """A value of a list or a struct, with CloudQuery's types as text."""
    kind, type_ = kind_of(field), field.type
    if value is None:
        return None
    if kind == "uuid":
        return str(uuid.UUID(bytes=value) if isinstance(value, bytes) else value)
    if kind == "mac":
        return value if isinstance(value, str) else value.hex(":")
    if kind:
        return value.decode() if isinstance(value, bytes) else value
    if pa.types.is_struct(type_):
        return {one.name: _plain(value[one.name], one) for one in type_}
    if pa.types.is_map(type_):
        return [(_plain(key, type_.key_field), _plain(item, type_.item_field)) for key, item in value]
    if inner := list(_inner(type_)):
        return [_plain(one, inner[0]) for one in value]
    return value
