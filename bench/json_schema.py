"""Records of ten columns held to a JSON Schema, conversion from Arrow included, beside python-jsonschema on dicts."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import jsonschema_rs
import orjson
import pyarrow as pa

from bench.measure import Figure, environment
from connectors.datasets.checks import Checks
from connectors.datasets.json_schema import JsonSchema
from connectors.datasets.json_values import AllNulls, json_objects, json_values
from connectors.datasets.json_verdicts import JsonVerdicts
from connectors.datasets.rules import Rules

ROUNDS = 5
RECORDS, PEER_RECORDS = 100_000, 5_000
PEER = ("jsonschema==4.26.0",)
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "id": {"type": "integer", "minimum": 0},
        "email": {"type": "string", "pattern": "^[^@]+@[^@]+$", "maxLength": 100},
        "name": {"type": ["string", "null"], "maxLength": 50},
        "status": {"enum": ["new", "paid", "sent"]},
        "amount": {"type": "number", "minimum": 0, "maximum": 100_000},
        "quantity": {"type": "integer", "minimum": 1, "maximum": 1000},
        "paid": {"type": "boolean"},
        "day": {"type": "string", "format": "date"},
        "country": {"type": "string", "minLength": 2, "maxLength": 2},
        "score": {"type": "number"},
    },
    "required": ["id", "email", "status", "amount"],
}
# The same, and a rule over two columns, so that each record is checked as a whole.
WHOLE = {**SCHEMA, "if": {"properties": {"status": {"const": "paid"}}}, "then": {"required": ["paid"]}}
ON_DICTS = """
import json, sys, time, jsonschema
schema, records = json.load(open(sys.argv[1]))
validator = jsonschema.Draft202012Validator(schema)
begun = time.perf_counter()
assert all(validator.is_valid(record) for record in records)
print(time.perf_counter() - begun)
"""


def run(folder: Path) -> Iterator[Figure]:
    batch = _batch(RECORDS, 0)
    dirty = _batch(RECORDS, 100)
    peer = environment("jsonschema", PEER)
    for name, schema in (("by column", SCHEMA), ("whole records", WHOLE)):
        theirs = _peer(peer, folder, schema, batch.slice(0, PEER_RECORDS))
        verdicts = JsonVerdicts(JsonSchema(schema), batch.schema)
        ours = _each(lambda verdicts=verdicts: verdicts.wrong(batch), RECORDS)
        yield Figure(f"{name}: python-jsonschema on dicts, a record", theirs, "us")
        yield Figure(f"{name}: ours from Arrow, a record", ours, "us")
        yield Figure(f"{name}: python-jsonschema / ours", theirs / ours, "x", at_least=20)
        rules = Rules.read({"schema": schema}, folder)
        yield Figure(f"{name}: split, all pass", _split(rules, batch), "us")
        yield Figure(f"{name}: split, 1 in 100 is invalid and told", _split(rules, dirty), "us")
        for way, check in _ways(schema).items():
            yield Figure(f"{name}: not taken: {way}", _each(lambda check=check: check(batch), RECORDS), "us")


def _ways(schema: dict[str, Any]) -> dict[str, Callable[[pa.RecordBatch], bool]]:
    """Other ways to the same verdict, which were measured and not taken."""
    root = jsonschema_rs.validator_for(schema, validate_formats=False)
    names = list(SCHEMA["properties"])

    def told(batch: pa.RecordBatch) -> list[dict[str, Any]]:
        columns = [json_values(column, AllNulls()) for column in batch.columns]
        return json_objects(names, columns, AllNulls(), batch.num_rows)

    def lists(batch: pa.RecordBatch) -> bool:
        records = batch.set_column(7, "day", batch.column("day").cast(pa.string())).to_pylist()
        return all(map(root.is_valid, records))

    def text(batch: pa.RecordBatch) -> bool:
        with duckdb.connect() as engine:
            engine.register("records", batch)
            found = engine.execute("SELECT to_json(records) FROM records").fetchall()
        return all(root.is_valid(orjson.loads(one)) for (one,) in found)

    return {
        "to_pylist, a record at a time": lists,
        "columns zipped into dicts, a record at a time": lambda batch: all(map(root.is_valid, told(batch))),
        "DuckDB's to_json, orjson, a record at a time": text,
    }


def _batch(number: int, bad: int) -> pa.RecordBatch:
    """Records; of each `bad` one has an amount below zero."""
    first = date(2026, 1, 1)
    arrays = {
        "id": range(number),
        "email": [f"customer{at}@example.com" for at in range(number)],
        "name": [f"Customer {at}" if at % 10 else None for at in range(number)],
        "status": [("new", "paid", "sent")[at % 3] for at in range(number)],
        "amount": [-1.0 if bad and at % bad == 0 else at * 0.5 for at in range(number)],
        "quantity": [at % 1000 + 1 for at in range(number)],
        "paid": [at % 2 == 0 for at in range(number)],
        "day": [first + timedelta(days=at % 365) for at in range(number)],
        "country": [("NL", "DE", "FR", "BE")[at % 4] for at in range(number)],
        "score": [at / 7 for at in range(number)],
    }
    return pa.RecordBatch.from_pydict({name: pa.array(values) for name, values in arrays.items()})


def _each(task: Callable[[], Any], records: int) -> float:
    """Microseconds for a record, the median of some rounds."""
    took = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        task()
        took.append(time.perf_counter() - begun)
    return median(took) / records * 1e6


def _split(rules: Rules, batch: pa.RecordBatch) -> float:
    with duckdb.connect() as engine:
        engine.register("records", batch)
        checks = Checks(rules, batch.schema)
        return _each(lambda: list(checks.split(engine, "records")), batch.num_rows)


def _peer(python: str, folder: Path, schema: dict[str, Any], batch: pa.RecordBatch) -> float:
    columns = [json_values(column, AllNulls()) for column in batch.columns]
    records = json_objects(batch.schema.names, columns, AllNulls(), batch.num_rows)
    file = folder / "records.json"
    file.write_text(json.dumps([schema, records]))
    took = []
    for _ in range(ROUNDS):
        command = (python, "-c", ON_DICTS, str(file))
        took.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    return median(took) / len(records) * 1e6
