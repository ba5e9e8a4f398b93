"""What tests deliver, and a sink as they open it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from connectors.sinks import Delivery, Sink

SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])
AWKWARD = ["Orders", "two words", 'quo"te', "quo'te", "größe", "订单", "a.b", "select", "50%", "a/b", "a[0]"]
OLD_ROWS, NEW_ROWS = 5_000, 20_000
MODES = [("replace", ()), ("append", ()), ("upsert", ("id",)), ("delete_stale", ("id",))]
modes = pytest.mark.parametrize(("mode", "key"), MODES, ids=[mode for mode, _ in MODES])
_MOVED = 100  # ids that each of the deliveries to delete_stale takes away, and adds


@dataclass
class Opened:
    """`make` gives the sink of a mode and key; `table` what a dataset's target holds in a mode."""

    sink: type[Sink]
    config: dict[str, Any]
    folder: Path
    table: Callable[[str, str], pa.Table]
    awkward: Sequence[str] = field(default_factory=lambda: list(AWKWARD))
    strict_types: bool = True

    def make(self, mode: str, key: Sequence[str] = ()) -> Sink:
        config = self.sink.Config.model_validate({**self.config, "mode": mode, "key": list(key)})
        return self.sink(config, self.folder)

    def read(self, dataset: str, mode: str) -> list[dict[str, str | None]]:
        """The rows, each value as text."""
        table = self.table(dataset, mode)
        columns = [column.cast(pa.string()) for column in table.columns]
        return pa.Table.from_arrays(columns, names=table.column_names).to_pylist()

    def rows(self, mode: str, dataset: str = "orders") -> list[tuple[str | None, ...]]:
        return sorted((tuple(row.values()) for row in self.read(dataset, mode)), key=str)

    def names(self, mode: str) -> dict[str, int]:
        """How many rows of orders have each name."""
        counts = pc.value_counts(self.table("orders", mode).column("name"))
        return {one["values"]: one["counts"] for one in counts.to_pylist()}


def records(rows: Sequence[dict[str, Any]], schema: pa.Schema = SCHEMA) -> Callable[[], pa.RecordBatchReader]:
    table = pa.Table.from_pylist(list(rows), schema=schema)
    return lambda: table.to_reader(1000)


def delivery(rows, number=1, schema=SCHEMA, *, partition="2026-11-20", stale=None, dataset="orders"):
    if stale is not None:
        key_schema = pa.schema([schema.field("id")])
        stale = records([{"id": one} for one in stale], key_schema)
    return Delivery(dataset, partition, number, schema, records(rows, schema), stale)


def row(number: int, name: str | None = "x") -> dict[str, Any]:
    return {"id": number, "name": name}


def failing() -> pa.RecordBatchReader:
    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.RecordBatch.from_pylist([row(7), row(8)], schema=SCHEMA)
        raise ValueError("the source went away")

    return pa.RecordBatchReader.from_batches(SCHEMA, batches())


def many(start: int, end: int, name: str) -> Callable[[], pa.RecordBatchReader]:
    """Records with ids from `start` to before `end`, all of one name."""

    def batches() -> Iterator[pa.RecordBatch]:
        for at in range(start, end, 2500):
            ids = pa.array(range(at, min(at + 2500, end)), pa.int64())
            yield pa.RecordBatch.from_arrays([ids, pa.repeat(name, len(ids))], schema=SCHEMA)

    return lambda: pa.RecordBatchReader.from_batches(SCHEMA, batches())


def many_delivery(mode: str, number: int) -> Delivery:
    """Many records named after the delivery. In delete_stale the ids move on, and those left behind are stale."""
    start = number * _MOVED if mode == "delete_stale" else 0
    given = many(start, start + (OLD_ROWS if number == 1 else NEW_ROWS), name_of(number))
    left = many(start - _MOVED, start, name_of(number - 1)) if mode == "delete_stale" else many(0, 0, "")
    keys = pa.schema([SCHEMA.field("id")])

    def stale() -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(keys, (batch.select(["id"]) for batch in left()))

    return Delivery("orders", "2026-11-20", number, SCHEMA, given, stale)


def name_of(number: int) -> str:
    """The name of all records of a delivery of many."""
    return f"delivery {number}"
