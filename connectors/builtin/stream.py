"""A file's bytes and lines, unpacked; what it is packed with is seen in its first bytes, not in its name."""

from __future__ import annotations

import gzip
import io
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, cast

import pyarrow as pa

from connectors.errors import Unreachable

BUFFER = 1024 * 1024
SMALL_READ = 4096  # Arrow gives nothing of a read in which it finds the damage
BOM = b"\xef\xbb\xbf"
PARQUET = b"PAR1"
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


class BrokenFile(Exception):
    """A file ends too early or is damaged; what was read before counts. The text is the cause."""


class TooLong(NamedTuple):
    """Stands for a line over the limit. `quotes` is how many double quotes it had."""

    quotes: int


def open_stream(path: Path) -> io.BufferedReader:
    """The file's unpacked bytes, buffered. Raises Unreachable."""
    with ExitStack() as on_failure:
        try:
            packed = on_failure.enter_context(cast(io.BufferedReader, path.open("rb", BUFFER)))
            start = packed.peek(4)
        except OSError as error:
            hint = "look at its permissions"
            raise Unreachable(f"{path} cannot be read: {error.strerror}", hint=hint) from None
        on_failure.pop_all()
    if start.startswith(_GZIP):
        # `read` would read on for as much as it is asked for, and lose it all where it finds damage.
        unzipped = gzip.GzipFile(fileobj=packed)
        return io.BufferedReader(_Owning(packed, unzipped, unzipped.read1, BUFFER), BUFFER)
    if start.startswith(_ZSTD):
        unpacked = pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), "zstd")
        return io.BufferedReader(_Owning(packed, unpacked, unpacked.read, SMALL_READ), BUFFER)
    return packed


class _Closes(Protocol):
    """Has to be closed."""

    def close(self) -> None: ...


class _Owning(io.RawIOBase):
    """Unpacked bytes, at most so many at once, that close the packed file with them."""

    def __init__(self, packed: BinaryIO, unpacked: _Closes, read: Callable[[int], bytes], most: int) -> None:
        super().__init__()
        self._packed, self._unpacked, self._read, self._most = packed, unpacked, read, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            given = self._read(min(len(buffer), self._most))
        except (OSError, EOFError, zlib.error) as error:
            raise BrokenFile(str(error)) from None
        buffer[: len(given)] = given
        return len(given)

    def close(self) -> None:
        if not self.closed:
            self._unpacked.close()
            self._packed.close()
        super().close()


def lines(stream: BinaryIO, limit: int) -> Iterator[tuple[int, bytes | TooLong]]:
    """The lines with their ends, by number from 1; none is held that is over `limit` bytes. Raises BrokenFile."""
    number = 0
    while line := _readline(stream, limit + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(BOM)
        if len(line) > limit and not line.endswith(b"\n"):
            quotes = line.count(b'"')
            while (rest := _readline(stream, BUFFER)) and not rest.endswith(b"\n"):
                quotes += rest.count(b'"')
            yield number, TooLong(quotes + rest.count(b'"'))
            continue
        yield number, line


def _readline(stream: BinaryIO, most: int) -> bytes:
    try:
        return stream.readline(most)
    except OSError as error:
        raise BrokenFile(str(error.strerror)) from None


def seekable(stream: BinaryIO) -> BinaryIO:
    """The stream itself, or its bytes in a temporary file, for a format that begins at its end. Raises BrokenFile."""
    if stream.seekable():
        return stream
    unpacked = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - the caller closes it
    try:
        shutil.copyfileobj(stream, unpacked, BUFFER)
    except BrokenFile:
        unpacked.close()
        raise
    unpacked.seek(0)
    return unpacked
