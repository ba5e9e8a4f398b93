"""What a connector prints and logs on its own, masked before anybody keeps it.

Dagster stores what a step writes to the standard streams (compute logs). A connector of ours runs in this
process, so its `print` and its standard `logging` are masked above the file descriptors that Dagster reads.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from pydantic import BaseModel

from connectors import Dataset, DeclaredLineage, ExternalRun, Ingest, RefusedRow, Resource, Statement
from connectors.config.secrets import RedactingFilter, Redactor
from connectors.errors import ConnectorError

if TYPE_CHECKING:
    import pyarrow as pa

M = TypeVar("M", bound=BaseModel)

_lock = threading.RLock()
_installed: _Installed | None = None


@contextmanager
def output_redacted(redact: Redactor) -> Iterator[None]:
    """Masks secrets in what is printed, or logged by standard `logging`, in this process meanwhile.

    Uses may nest and overlap: the streams are put back at the end of the last one. Output of child processes
    and of writes to a file descriptor does not pass here.
    """
    global _installed
    with _lock:
        if _installed is None:
            _installed = _Installed()
        here = _installed
        here.redactors.append(redact)
        here.users += 1
        here.watch_handlers(redact)
    try:
        yield
    finally:
        with _lock:
            here.users -= 1
            if here.users:
                here.flush()
            else:
                _installed = None
                here.remove()


class _Installed:
    """The masking streams in the place of the standard ones, and the filters on handlers."""

    def __init__(self) -> None:
        # None is dropped before the streams are gone: one that a logging handler has kept still masks.
        self.redactors: list[Redactor] = []
        self.users = 0
        self._filters: list[tuple[logging.Handler, RedactingFilter]] = []
        self._originals = (sys.stdout, sys.stderr)
        self._streams = [RedactingStream(stream, self.redactors) for stream in self._originals]
        sys.stdout, sys.stderr = self._streams

    def watch_handlers(self, redact: Redactor) -> None:
        """Filters every handler that there is: one may have been made with the stream as it was before."""
        loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
        for handler in {h for one in loggers if isinstance(one, logging.Logger) for h in one.handlers}:
            quiet = RedactingFilter(redact)
            handler.addFilter(quiet)
            self._filters.append((handler, quiet))

    def flush(self) -> None:
        for stream in self._streams:
            stream.finish()

    def remove(self) -> None:
        sys.stdout, sys.stderr = self._originals
        for handler, quiet in self._filters:
            handler.removeFilter(quiet)
        self.flush()


class _Lines(io.BufferedIOBase):
    """Takes bytes, and gives whole lines of text, masked. A line is held until it ends: its secret may come in
    parts.
    """

    def __init__(self, stream: TextIO, redactors: Sequence[Redactor]) -> None:
        self._stream = stream
        self._redactors = redactors
        self._pending = bytearray()
        self._lock = threading.RLock()

    @property
    def name(self) -> str:
        return str(getattr(self._stream, "name", ""))

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        given = bytes(data)
        with self._lock:
            self._pending += given
            end = max(self._pending.rfind(b"\n"), self._pending.rfind(b"\r")) + 1
            self._emit(end)
        return len(given)

    def finish(self) -> None:
        with self._lock:
            self._emit(len(self._pending))
            self._stream.flush()

    def _emit(self, end: int) -> None:
        if not end:
            return
        text = bytes(self._pending[:end]).decode("utf-8", "replace")
        del self._pending[:end]
        for redact in tuple(self._redactors):
            text = redact(text)
        self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        """Gives out what is left; the stream below is not this one's to close."""
        if self._pending:
            self.finish()

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()


class RedactingStream(io.TextIOWrapper):
    """A text stream that masks line by line what is written to it, or to its `buffer`."""

    def __init__(self, stream: TextIO, redactors: Sequence[Redactor]) -> None:
        self._original = stream
        self._lines = _Lines(stream, redactors)
        super().__init__(
            self._lines, encoding="utf-8", errors="backslashreplace", newline="", write_through=True
        )

    def finish(self) -> None:
        """Gives out the line that has not ended."""
        self.flush()
        self._lines.finish()

    def __getattr__(self, name: str) -> Any:
        # rich asks a stream for the one below it, to draw its progress there.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._original, name)


class RedactedIngest:
    """Hands on what a connector declares, with secrets masked wherever they stand in it but in no other text.

    Only values that are secret by their name or type are looked for: a user's or a database's name is part of what
    there is to know.
    """

    def __init__(self, ingest: Ingest, redact: Redactor) -> None:
        self._ingest = ingest
        self._redact = redact

    def resource(self, resource: Resource) -> None:
        self._ingest.resource(self._clean(resource))

    def declaration(self, declaration: DeclaredLineage) -> object:
        return self._ingest.declaration(self._clean(declaration))

    def statement(self, statement: Statement) -> None:
        self._ingest.statement(self._clean(statement))

    def run(self, run: ExternalRun) -> None:
        self._ingest.run(self._clean(run))

    def dataset(self, dataset: Dataset, schema: pa.Schema) -> None:
        """Raises ConnectorError for a name that holds a secret: masked it would be another."""
        names = "\n".join([dataset.name, *schema.names])
        if self._redact(names) != names:
            raise ConnectorError(
                f"a secret stands in a name of the table {self._redact(dataset.name)}", hint="name it without"
            )
        self._ingest.dataset(dataset, schema)

    def records(self, table: str, batch: pa.RecordBatch) -> None:
        self._ingest.records(table, masked(batch, self._redact))

    def refused(self, row: RefusedRow) -> None:
        told = {name: self._redact(value) for name, value in asdict(row).items()}
        self._ingest.refused(RefusedRow(**{**told, "table": row.table}))

    def _clean(self, declared: M) -> M:
        # What a resource does not set stays unset; a reference is read again by its `type`, set or not.
        text = declared.model_dump_json(exclude_unset=isinstance(declared, Resource))
        clean = self._redact(text)
        return declared if clean == text else type(declared).model_validate_json(clean)


def masked(batch: pa.RecordBatch, redact: Redactor) -> pa.RecordBatch:
    """The batch with secrets masked in its texts and bytes, also within JSON, lists and structs. One without a secret
    is given back as it is.
    """
    import pyarrow as pa

    forms = [form.encode("utf-8", "surrogateescape") for form in redact.forms]
    if not forms:
        return batch
    for at, column in enumerate(batch.columns):
        storage = column.storage if isinstance(column, pa.ExtensionArray) else column
        if not _has_text(storage.type):
            continue
        # All of a column's bytes at once: what runs over two values is looked at again, value by value.
        data = [buffer.to_pybytes() for buffer in storage.buffers() if buffer is not None]
        if not any(form in one for form in forms for one in data):
            continue
        clean = pa.array([_masked(value, redact) for value in storage.to_pylist()], storage.type)
        if isinstance(column, pa.ExtensionArray):
            clean = pa.ExtensionArray.from_storage(column.type, clean)
        batch = batch.set_column(at, batch.schema.field(at), clean)
    return batch


def _has_text(kind: pa.DataType) -> bool:
    """Whether texts or bytes of any length lie in values of a type."""
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        return _has_text(kind.storage_type)
    is_a = pa.types
    if any(
        test(kind) for test in (is_a.is_string, is_a.is_large_string, is_a.is_binary, is_a.is_large_binary)
    ):
        return True
    return any(_has_text(kind.field(at).type) for at in range(kind.num_fields))


def _masked(value: Any, redact: Redactor) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, bytes):
        text = value.decode("utf-8", "surrogateescape")
        return redact(text).encode("utf-8", "surrogateescape")
    if isinstance(value, Mapping):
        return {key: _masked(one, redact) for key, one in value.items()}
    if isinstance(value, list):
        return [_masked(one, redact) for one in value]
    if isinstance(value, tuple):
        return tuple(_masked(one, redact) for one in value)
    return value
