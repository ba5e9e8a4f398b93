"""Writes one part of records as they come."""

from __future__ import annotations

import queue
import threading
from types import TracebackType
from typing import TYPE_CHECKING

import pyarrow as pa

from lineage.store.datasets import Part, table_folder
from lineage.store.records_writer import SYNC, new_sync
from lineage.store.stored_types import stored_batch, stored_schema

if TYPE_CHECKING:
    from lineage.store.records import Records

_WAITING = 4  # batches
_WRITERS = 2  # at once, each of a file of its own
# Arrow's bytes of one commit, which is one file. Delta's writer would hold all of a stream, too, where a table has
# partitions.
_FILE_BYTES = 32 * 1024 * 1024


class PartStream:
    """A part that is written by threads of its own while its batches are made. Used as a context: left with an error,
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
        self._batches: queue.Queue[pa.RecordBatch] = queue.Queue(_WAITING)
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._error: BaseException | None = None

    def __enter__(self) -> PartStream:
        return self

    def add(self, batch: pa.RecordBatch) -> None:
        """Adds records. Raises StoreError for a value that cannot be stored, and what the writing failed with."""
        if not batch.num_rows:
            return
        if not self._threads:
            self._records.make(self._folder, self.schema.append(pa.field(SYNC, pa.string())))
            self._threads = [
                threading.Thread(target=self._write, name=f"headwater-part-{at}", daemon=True)
                for at in range(_WRITERS)
            ]
            for thread in self._threads:
                thread.start()
        self._put(stored_batch(batch, self.schema, self._name))
        self.rows += batch.num_rows
        self.size_bytes += batch.nbytes

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._threads:
            return
        self._error = self._error or error
        self._over.set()
        for thread in self._threads:
            thread.join()
        if error is None:
            self._raise()
            self.part = Part(self._folder, self._sync, self.rows)

    def _put(self, batch: pa.RecordBatch) -> None:
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
        try:
            while batches := self._of_one_file():
                rows = pa.Table.from_batches(batches, self.schema)
                tag = pa.repeat(pa.scalar(self._sync), rows.num_rows)
                self._records.append(self._folder, rows.append_column(SYNC, tag))
        except BaseException as error:  # noqa: BLE001 - raised where batches are added
            self._error = self._error or error

    def _of_one_file(self) -> list[pa.RecordBatch]:
        """The next batches, none after the last."""
        batches: list[pa.RecordBatch] = []
        size = 0
        while size < _FILE_BYTES and (batch := self._next()) is not None:
            batches.append(batch)
            size += batch.nbytes
        return batches

    def _next(self) -> pa.RecordBatch | None:
        """The next batch, None after the last; raises what ended the stream early."""
        while True:
            over = self._over.is_set()  # looked at first: what was put before it is there
            self._raise()
            try:
                return self._batches.get(timeout=0.02)
            except queue.Empty:
                if over:
                    return None
