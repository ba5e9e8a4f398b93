"""Which Arrow types a Delta table has."""

from __future__ import annotations

import pyarrow as pa

from connectors.errors import DatasetError

_LACKING = (
    pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.float16(), pa.date64(), pa.null(),
)  # fmt: skip


def refuse_lacking(schema: pa.Schema, dataset: str) -> None:
    """Raises DatasetError for a column whose type Delta does not have, and for names that are one to it."""
    seen: dict[str, str] = {}
    for field in schema:
        if _lacks(field.type):
            raise DatasetError(
                f"{dataset}: {field.name} is {field.type}, which Delta does not have",
                hint="cast it in a transform",
            )
        if (other := seen.setdefault(field.name.lower(), field.name)) != field.name:
            raise DatasetError(
                f"{dataset}: the columns {other} and {field.name} are one to Delta, which knows no case",
                hint="rename one",
            )


def _lacks(kind: pa.DataType) -> bool:
    is_a = pa.types
    if isinstance(kind, pa.BaseExtensionType) or kind in _LACKING:
        return True
    if is_a.is_time(kind) or is_a.is_duration(kind) or is_a.is_decimal256(kind):
        return True
    if is_a.is_struct(kind) and not kind.num_fields:
        return True
    return any(_lacks(kind.field(at).type) for at in range(kind.num_fields))
