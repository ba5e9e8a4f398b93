"""Records as DuckDB takes them, and which of its types fit others."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from connectors.errors import DatasetError
from connectors.sinks.texts import plain

_WIDTHS = (("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), ("FLOAT", "DOUBLE"))


def changed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """With the types that DuckDB lacks as others; a column of nulls is text."""
    columns = [_column(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def changed_schema(schema: pa.Schema, names: Sequence[str] | None = None) -> pa.Schema:
    """The columns of batches that `changed` gives: all, or those named."""
    fields = schema if names is None else [schema.field(name) for name in names]
    empty = [pa.nulls(0, field.type) for field in fields]
    return changed(pa.RecordBatch.from_arrays(empty, schema=pa.schema(fields))).schema


def fits(given: str, there: str) -> bool:
    """Whether values of one of DuckDB's types go into a column of another."""
    if given == there:
        return True
    return any(given in row and there in row and row.index(given) <= row.index(there) for row in _WIDTHS)


def refuse_columns(schema: pa.Schema, dataset: str) -> None:
    """Raises DatasetError for columns that DuckDB cannot have."""
    seen: dict[str, str] = {}
    for field in schema:
        if (other := seen.setdefault(field.name.lower(), field.name)) != field.name:
            raise DatasetError(
                f"{dataset}: the columns {other} and {field.name} are one to DuckDB, which knows no case",
                hint="rename one",
            )
        if not field.name or "\0" in field.name:
            raise DatasetError(f"{dataset}: a column has no name that DuckDB takes", hint="rename it")
        if pa.types.is_decimal256(field.type):
            raise DatasetError(
                f"{dataset}: {field.name} is {field.type}, which DuckDB does not have",
                hint="cast it in a transform",
            )


def _column(array: pa.Array) -> pa.Array:
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return array if kind.extension_name in ("arrow.uuid", "arrow.json") else plain(array)
    if kind == pa.float16():
        return array.cast(pa.float32())
    return array.cast(pa.string()) if pa.types.is_null(kind) else array
