"""Which rows of a target stay when records are delivered by key.

An engine that may spill compares the keys alone; the rows themselves never pass through it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import numpy as np
import pyarrow as pa

from connectors.errors import DatasetError

MEMORY = "512MB"


class Keys:
    """The keys given, stale and held, as columns k0, k1 ... in an engine whose file is in `folder`."""

    def __init__(self, folder: Path, dataset: str, key: Sequence[str], types: Sequence[pa.DataType]) -> None:
        self._dataset = dataset
        self._key = key
        self._names = [f"k{at}" for at in range(len(key))]
        self._schema = pa.schema(zip(self._names, types, strict=True))
        self._engine = duckdb.connect(str(folder / "keys.duckdb"))
        self._engine.execute(f"set memory_limit = '{MEMORY}'")
        self._engine.execute("set timezone = 'UTC'")
        self._has_stale = self._has_held = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine.close()

    def give(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Takes the key columns of what is delivered. Raises DatasetError when two records share a key."""
        self._fill("given", batches)
        columns = ", ".join(self._names)
        found = self._engine.execute(
            f"select count(*) from (select 1 from given group by {columns} having count(*) > 1)"
        ).fetchall()
        refuse_shared(self._dataset, self._key, found[0][0])

    def take_stale(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Takes the key columns of the records that are to be deleted unless they are given too."""
        self._fill("stale", batches)
        self._has_stale = True

    def hold(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Takes the key columns of the target's rows, in their order."""
        schema = self._schema.append(pa.field("row", pa.int64()))
        self._has_held = True
        self._take("held", pa.RecordBatchReader.from_batches(schema, _numbered(batches, schema)))

    def survivors(self) -> Iterator[np.ndarray]:
        """The numbers of the held rows that are neither given nor stale, rising."""
        stale = f" and not exists (from stale where {self._same('stale')})" if self._has_stale else ""
        query = f"select row from held where not exists (from given where {self._same('given')}){stale} order by row"
        for batch in self._engine.sql(query).to_arrow_reader(65_536):
            yield batch.column(0).to_numpy()

    def deleted(self) -> int:
        """How many held rows are stale and not given."""
        if not (self._has_stale and self._has_held):
            return 0
        query = (
            f"select count(*) from held where exists (from stale where {self._same('stale')}) "
            f"and not exists (from given where {self._same('given')})"
        )
        return int(self._engine.execute(query).fetchall()[0][0])

    def _same(self, other: str) -> str:
        return " and ".join(f"{other}.{name} = held.{name}" for name in self._names)

    def _fill(self, table: str, batches: Iterable[pa.RecordBatch]) -> None:
        """Batches hold the columns of the key alone, in its order and types."""
        own = (pa.RecordBatch.from_arrays(batch.columns, schema=self._schema) for batch in batches)
        self._take(table, pa.RecordBatchReader.from_batches(self._schema, own))

    def _take(self, table: str, reader: pa.RecordBatchReader) -> None:
        self._engine.register("incoming", reader)
        self._engine.execute(f"create table {table} as from incoming")
        self._engine.unregister("incoming")


def refuse_shared(dataset: str, key: Sequence[str], shared: int) -> None:
    """Raises DatasetError when keys are shared by several records."""
    if shared:
        raise DatasetError(
            f"{dataset}: {shared} values of {', '.join(key)}, the sink's key, are those of several records each",
            hint="choose a key that names one record, or keep one record of each with a transform",
        )


def kept(batches: Iterable[pa.RecordBatch], survivors: Iterator[np.ndarray]) -> Iterator[pa.RecordBatch]:
    """The rows of batches whose numbers, counted over all of them, are among the survivors."""
    start = 0
    waiting = np.empty(0, np.int64)
    for batch in batches:
        end = start + batch.num_rows
        while not waiting.size or waiting[-1] < end:
            more = next(survivors, None)
            if more is None:
                break
            waiting = np.concatenate([waiting, more])
        here = int(np.searchsorted(waiting, end))
        if here:
            yield batch.take(pa.array(waiting[:here] - start))
        waiting = waiting[here:]
        start = end


def _numbered(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in batches:
        rows = pa.array(np.arange(start, start + batch.num_rows, dtype=np.int64))
        yield pa.RecordBatch.from_arrays([*batch.columns, rows], schema=schema)
        start += batch.num_rows
