"""What Arrow types become in a Delta table, which has fewer."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import StoreError

_OWN = "_headwater_"
_WIDER = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20, 0),
    pa.float16(): pa.float32(),
    pa.date64(): pa.date32(),
    pa.null(): pa.string(),
}


def stored_type(kind: pa.DataType) -> pa.DataType:
    """The type under which values of a type are stored: one that holds them all, but for nanoseconds, which are cut to
    microseconds. UUIDs, JSON, addresses, times of day and durations are texts.
    """
    is_a = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return (
            pa.string() if kind.extension_name in ("arrow.uuid", "uuid") else stored_type(kind.storage_type)
        )
    if kind in _WIDER:
        return _WIDER[kind]
    if is_a.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if is_a.is_time(kind) or is_a.is_duration(kind) or is_a.is_decimal256(kind):
        return pa.string()
    if is_a.is_large_string(kind) or is_a.is_string_view(kind):
        return pa.string()
    if is_a.is_large_binary(kind) or is_a.is_fixed_size_binary(kind) or is_a.is_binary_view(kind):
        return pa.binary()
    if is_a.is_dictionary(kind):
        return stored_type(kind.value_type)
    if is_a.is_map(kind):
        return pa.map_(stored_type(kind.key_type), stored_type(kind.item_type))
    if is_a.is_list(kind) or is_a.is_large_list(kind) or is_a.is_fixed_size_list(kind):
        return pa.list_(stored_type(kind.value_type))
    if is_a.is_struct(kind):
        fields = [pa.field(field.name, stored_type(field.type)) for field in kind]
        return pa.struct(fields) if fields else pa.string()
    return kind


def stored_schema(schema: pa.Schema, table: str) -> pa.Schema:
    """The schema under which a table is stored. Raises StoreError for names that Delta takes for one, for those that
    begin as headwater's own do, and for types that it has nothing for.
    """
    seen: dict[str, str] = {}
    for name in schema.names:
        if name.lower().startswith(_OWN):
            raise StoreError(
                f"{table}: the column {name} begins with {_OWN}", hint="such names are headwater's own"
            )
        if not name or not name.isprintable():
            raise StoreError(f"{table}: a column is named {name!r}", hint="give it a name that can be read")
        if name.lower() in seen:
            raise StoreError(
                f"{table}: the columns {seen[name.lower()]} and {name} are one to Delta, which knows no case",
                hint="rename one, or skip the table",
            )
        seen[name.lower()] = name
        if _is_refused(schema.field(name).type):
            raise StoreError(
                f"{table}: {name} is of type {schema.field(name).type}, which cannot be stored",
                hint="convert it, to a text or to a number of seconds, or leave it out",
            )
    return pa.schema([pa.field(field.name, stored_type(field.type)) for field in schema])


def _is_refused(kind: pa.DataType) -> bool:
    """Intervals and unions, within others too: Delta has nothing for them."""
    if pa.types.is_interval(kind) or pa.types.is_union(kind):
        return True
    if pa.types.is_map(kind):
        return _is_refused(kind.key_type) or _is_refused(kind.item_type)
    if pa.types.is_struct(kind):
        return any(_is_refused(field.type) for field in kind)
    return bool(pa.types.is_nested(kind)) and _is_refused(kind.value_type)


def stored_batch(batch: pa.RecordBatch, schema: pa.Schema, table: str) -> pa.RecordBatch:
    """A batch in the types of its stored schema. Raises StoreError for a value that cannot be."""
    arrays = []
    for field, array in zip(schema, batch.columns, strict=True):
        try:
            arrays.append(_stored(array, field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
            raise StoreError(
                f"{table}.{field.name}: {array.type} cannot be stored as {field.type}: {error}"
            ) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _stored(array: pa.Array, kind: pa.DataType) -> pa.Array:
    given = array.type
    if given == kind:
        return array
    if isinstance(given, pa.BaseExtensionType):
        if given.extension_name in ("arrow.uuid", "uuid"):
            return _uuid_texts(array.storage)
        return _stored(array.storage, kind)
    if pa.types.is_timestamp(given):
        return pc.cast(array, kind, safe=False)
    if pa.types.is_struct(given) and not given.num_fields:
        return pc.if_else(array.is_null(), pa.scalar(None, pa.string()), pa.scalar("{}"))
    return pc.cast(array, kind)


def _uuid_texts(storage: pa.Array) -> pa.Array:
    """16 bytes each, in the usual hexadecimal form."""
    texts = []
    for value in storage.to_pylist():
        digits = None if value is None else value.hex()
        texts.append(digits and f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}")
    return pa.array(texts, pa.string())
