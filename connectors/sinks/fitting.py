"""Whether the columns of a delivery fit those that a target has."""

from __future__ import annotations

import pyarrow as pa

from connectors.errors import DatasetError

_WIDTHS: tuple[tuple[pa.DataType, ...], ...] = (
    (pa.int8(), pa.int16(), pa.int32(), pa.int64()),
    (pa.float16(), pa.float32(), pa.float64()),
)
_PLAIN = {
    pa.large_string(): pa.string(),
    pa.string_view(): pa.string(),
    pa.large_binary(): pa.binary(),
    pa.binary_view(): pa.binary(),
}


def merged_schema(there: pa.Schema, given: pa.Schema, where: str) -> pa.Schema:
    """The columns that are there and then the new ones. Raises DatasetError for a type that does not fit."""
    for field in given:
        if field.name in there.names and not _fits(field.type, there.field(field.name).type):
            raise DatasetError(
                f"{where}: {field.name} is {there.field(field.name).type} there, and {field.type} in what is given",
                hint="cast it in a transform, deliver it once with mode: replace, or choose another target",
            )
    new = [field for field in given if field.name not in there.names]
    kept = [field.with_nullable(True) for field in there]
    return pa.schema([*kept, *(field.with_nullable(True) for field in new)])


def fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with the columns of a merged schema, in its order; those that it lacks are null."""
    columns = []
    for field in schema:
        if field.name not in batch.schema.names:
            columns.append(pa.nulls(batch.num_rows, field.type))
            continue
        column = batch.column(field.name)
        columns.append(column if column.type == field.type else column.cast(field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _fits(given: pa.DataType, there: pa.DataType) -> bool:
    given, there = _plain(given), _plain(there)
    if given == there or pa.types.is_null(given):
        return True
    if any(given in row and there in row and row.index(given) <= row.index(there) for row in _WIDTHS):
        return True
    if pa.types.is_decimal(given) and pa.types.is_decimal(there):
        whole = there.precision - there.scale >= given.precision - given.scale
        return bool(whole and there.scale >= given.scale)
    if pa.types.is_list(given) and pa.types.is_list(there):
        return _fits(given.value_type, there.value_type)
    if pa.types.is_struct(given) and pa.types.is_struct(there):
        mine, others = [field.name for field in given], [field.name for field in there]
        return mine == others and all(_fits(a.type, b.type) for a, b in zip(given, there, strict=True))
    if pa.types.is_map(given) and pa.types.is_map(there):
        return _fits(given.key_type, there.key_type) and _fits(given.item_type, there.item_type)
    return False


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_type)
    return _PLAIN.get(kind, kind)
