"""Records on their way into an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from connectors.errors import DatasetError, HeadwaterError

BATCH_ROWS = 65_536
_LONGEST_ROWS = 131_072  # what comes in longer batches is cut


class Feed:
    """Counts the records that pass, and keeps the error that the records themselves raise.

    Engines written in other languages turn it into one of theirs: `guard` gives it back. `change` is what is done to
    each batch; `key` are columns that must have a value in every record.
    """

    def __init__(
        self,
        open_records: Callable[[], pa.RecordBatchReader],
        dataset: str,
        *,
        change: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None,
        key: Sequence[str] = (),
    ) -> None:
        self.rows = 0
        self._open = open_records
        self._change = change
        self._key = key
        self._dataset = dataset
        self._error: BaseException | None = None

    def batches(self) -> Iterator[pa.RecordBatch]:
        try:
            with self._open() as reader:
                for whole in reader:
                    for start in range(0, whole.num_rows, _LONGEST_ROWS):
                        batch = whole.slice(start, _LONGEST_ROWS)
                        self._look_at_key(batch)
                        self.rows += batch.num_rows
                        yield batch if self._change is None else self._change(batch)
        except GeneratorExit:
            raise
        except BaseException as error:
            self._error = error
            raise

    def reader(self, schema: pa.Schema) -> pa.RecordBatchReader:
        """The batches as a stream of `schema`, which they have after `change`."""
        return pa.RecordBatchReader.from_batches(schema, self.batches())

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Around what reads the batches: the records' own error comes out in place of what became of it."""
        try:
            yield
        except Exception:
            self._raise_own()
            raise

    def _raise_own(self) -> None:
        """Raises the error of the records, if they raised one: what is not ours as a DatasetError."""
        error = self._error
        if isinstance(error, HeadwaterError) or not isinstance(error, Exception | None):
            raise error
        if error is not None:
            # Its words may quote a value.
            raise DatasetError(
                f"{self._dataset}: its records cannot be read: {type(error).__name__}"
            ) from error

    def _look_at_key(self, batch: pa.RecordBatch) -> None:
        for name in self._key:
            if batch.column(name).null_count:
                raise DatasetError(
                    f"{self._dataset}: a record has no value in {name}, which is the sink's key",
                    hint="refuse such records with a validation, or choose another key",
                )
