"""Invalid records: the record, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import pyarrow as pa

from connectors.datasets.json_values import AllNulls, json_objects, json_text, json_values

MAX_FAULTS = 10


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a record. No part of it holds a value of the record.

    `pointer` is a JSON pointer into the record, empty for the record as a whole; `keyword` names the rule:
    not_null, unique, minimum, maximum, pattern, reference, or a keyword of JSON Schema.
    """

    message: str
    pointer: str
    keyword: str


def invalid_schema(schema: pa.Schema) -> pa.Schema:
    """What invalid records are given as, for records of a schema.

    `record` is the record, typed; `raw` the same as JSON; `message`, `pointer` and `keyword` tell its first fault;
    `errors` is a JSON list of up to ten such objects, the first among them.
    """
    texts = [pa.field(name, pa.string()) for name in ("raw", "message", "pointer", "keyword", "errors")]
    return pa.schema([pa.field("record", pa.struct(list(schema))), *texts])


def invalid_batch(records: pa.RecordBatch, faults: Sequence[Sequence[Fault]]) -> pa.RecordBatch:
    """Records with the faults of each, of which there is at least one."""
    columns = [json_values(column, AllNulls()) for column in records.columns]
    raw = json_objects(records.schema.names, columns, AllNulls(), records.num_rows)
    first = [one[0] for one in faults]
    arrays = [
        pa.StructArray.from_arrays(records.columns, fields=list(records.schema)),
        pa.array(map(json_text, raw), pa.string()),
        pa.array([fault.message for fault in first], pa.string()),
        pa.array([fault.pointer for fault in first], pa.string()),
        pa.array([fault.keyword for fault in first], pa.string()),
        pa.array([orjson.dumps(several[:MAX_FAULTS]).decode() for several in faults], pa.string()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=invalid_schema(records.schema))


def pointer(*parts: str | int) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)
