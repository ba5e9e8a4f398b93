"""Writes one part of records as they come."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

import pyarrow as pa

from lineage.store.datasets import Part, table_folder
from lineage.store.records_writer import SYNC, new_sync
from lineage.store.stored_types import stored_batch, stored_schema

if TYPE_CHECKING:
    from lineage.store.records import Records

_WAITING = 4  # batches
# Arrow's bytes of one commit, which is one file. Delta's writer holds all that one call is given where a table has
# partitions: memory would grow with the part.
_FILE_BYTES = 96 * 1024 * 1024


class PartStream:
    """A part that is written by a thread of its own while its batches are made. Used as a context: left with an error,
    nothing of it is seen, ever; left without one, `part` says what was written, None for no rows.
    """

    def __init__(self, records: Records, connection: str, name: str, schema: pa.Schema) -> None:
        self.schema = stored_schema(schema, name)
        self.rows = 0
        self.size_bytes = 0
        self.part: Part | None = None
        self._name = name
        self._records = records
        self._folder = table_folder(connection, name, self.schema)
        self._sync = new_sync()
        self._batches: queue.Queue[pa.RecordBatch | BaseException | None] = queue.Queue(_WAITING)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._ended = False

    def __enter__(self) -> PartStream:
        return self

    def add(self, batch: pa.RecordBatch) -> None:
        """Adds records. Raises StoreError for a value that cannot be stored, and what the writing failed with."""
        if not batch.num_rows:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="headwater-part", daemon=True)
            self._thread.start()
        self._put(stored_batch(batch, self.schema, self._name))
        self.rows += batch.num_rows
        self.size_bytes += batch.nbytes

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._thread is None:
            return
        if self._error is None:
            self._put(error)
        self._thread.join()
        if error is None:
            self._raise()
            self.part = Part(self._folder, self._sync, self.rows)

    def _put(self, batch: pa.RecordBatch | BaseException | None) -> None:
        while True:
            self._raise()
            try:
                self._batches.put(batch, timeout=0.5)
                return
            except queue.Full:
                continue

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _write(self) -> None:
        schema = self.schema.append(pa.field(SYNC, pa.string()))
        try:
            while (first := self._next()) is not None:
                rows = pa.RecordBatchReader.from_batches(schema, self._of_one_file(first, schema))
                self._records.append(self._folder, rows, again=False)
        except BaseException as error:  # noqa: BLE001 - raised where batches are added
            self._error = error

    def _next(self) -> pa.RecordBatch | None:
        """The next batch, None after the last; raises what ended the stream."""
        batch = None if self._ended else self._batches.get()
        if isinstance(batch, BaseException):
            raise batch
        self._ended = batch is None
        return batch

    def _of_one_file(self, first: pa.RecordBatch, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        size, batch = 0, first
        while True:
            tag = pa.repeat(pa.scalar(self._sync), batch.num_rows)
            yield pa.RecordBatch.from_arrays([*batch.columns, tag], schema=schema)
            size += batch.nbytes
            if size >= _FILE_BYTES or (following := self._next()) is None:
                return
            batch = following
