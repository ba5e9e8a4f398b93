"""Records that were refused, as the quarantine of their dataset has them."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pyarrow as pa

from connectors.datasets.invalid import invalid_schema

QUARANTINE = "_quarantine"  # the name of its table beside the dataset's own
TRANSFORM, VALIDATION, COLUMNS = "transform", "validation", "columns"
STAGE = "stage"


def quarantine_schema(schema: pa.Schema) -> pa.Schema:
    """The columns of a dataset's quarantine: what is told of invalid records, and at which `stage` it was found.

    `record` is null for what was refused before it had become a record of the dataset.
    """
    return invalid_schema(schema).append(pa.field(STAGE, pa.string()))


def invalid_rows(invalid: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Records that validation refused."""
    stage = pa.repeat(pa.scalar(VALIDATION), invalid.num_rows)
    return pa.RecordBatch.from_arrays([*invalid.columns, stage], schema=schema)


def raw_rows(
    raws: Sequence[str], faults: Sequence[tuple[str, str, str]], stage: str, schema: pa.Schema
) -> pa.RecordBatch:
    """Records that were refused before; `faults` are each one's message, pointer and keyword."""
    errors = [
        orjson.dumps([{"message": message, "pointer": pointer, "keyword": keyword}]).decode()
        for message, pointer, keyword in faults
    ]
    count = len(raws)
    columns = {
        "record": pa.nulls(count, schema.field("record").type),
        "raw": pa.array(raws, pa.string()),
        "message": pa.array([fault[0] for fault in faults], pa.string()),
        "pointer": pa.array([fault[1] for fault in faults], pa.string()),
        "keyword": pa.array([fault[2] for fault in faults], pa.string()),
        "errors": pa.array(errors, pa.string()),
        STAGE: pa.repeat(pa.scalar(stage), count),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
