"""Where files lie: a local folder or an object store, and how a finished file takes its place at once."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from connectors.errors import DatasetError
from connectors.sinks.workplace import BESIDE, remote_workplaces, workplace, workplace_name

_BLOCK_BYTES = 8 * 1024 * 1024
_S3_BYTES = 5 * 1024**3  # S3 copies no longer object, and a finished file takes its place by a copy
_LEFT = timedelta(days=1)  # after which what another machine began counts as left behind


class Written:
    """A stream that knows what passed: how many bytes, and their digest."""

    def __init__(self, stream: Any, longest_bytes: int | None) -> None:
        self._stream = stream
        self._longest = longest_bytes
        self._known = hashlib.blake2b(digest_size=16)
        self.bytes = 0

    def write(self, data: Any) -> int:
        """Raises DatasetError when it becomes longer than the place takes."""
        size = memoryview(data).nbytes
        self.bytes += size
        if self._longest is not None and self.bytes > self._longest:
            raise DatasetError(
                f"a file of more than {self._longest} bytes cannot be put into this store",
                hint="use the sink delta, or deliver smaller partitions with mode: append",
            )
        self._known.update(data)
        self._stream.write(data)
        return size

    def digest(self) -> str:
        return self._known.hexdigest()

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        self._stream.flush()

    @property
    def closed(self) -> bool:
        return bool(self._stream.closed)


class FilePlace:
    """A folder of a file system; paths are below it. `uri` is what the folder is called, without a login.

    Nothing locks a folder that is not local: what each delivery begins there has a name of its own.
    """

    def __init__(
        self, uri: str, files: pafs.FileSystem, root: str, *, local: bool, longest_bytes: int | None = None
    ) -> None:
        self.uri = uri
        self.files = files
        self._root = root
        self._local = local
        self._longest_bytes = longest_bytes
        self._token = "" if local else f".{uuid.uuid4().hex}"

    def path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def exists(self, name: str) -> bool:
        return bool(self.files.get_file_info(self.path(name)).type == pafs.FileType.File)

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, sorted; none where the folder is not there."""
        selector = pafs.FileSelector(self.path(folder), allow_not_found=True)
        found = self.files.get_file_info(selector)
        return sorted(one.base_name for one in found if one.type == pafs.FileType.File)

    @contextmanager
    def work(self, name: str) -> Iterator[Path]:
        """A local folder to work in; see `workplace`. What was begun here and not finished is removed."""
        here = Path(self._root) / BESIDE if self._local else remote_workplaces()
        with workplace(here, name if self._local else workplace_name(f"{self.uri}/{name}")) as folder:
            self._remove_left(name)
            try:
                yield folder
            except Exception:
                with suppress(OSError):  # the next delivery does it
                    self._remove_begun(name)
                raise

    def begun(self, name: str) -> str:
        """The path at which a file of a dataset is written until it is finished."""
        return f"{BESIDE}/{name}{self._token}.begun"

    @contextmanager
    def open_begun(self, name: str) -> Iterator[Written]:
        path = self.path(self.begun(name))
        self._make_folder_of(path)
        with self.files.open_output_stream(path) as stream:
            yield Written(stream, self._longest_bytes)

    def settle(self, name: str, final: str) -> None:
        """Puts the begun file of a dataset where `final` is, at once, and for good."""
        begun, there = self.path(self.begun(name)), self.path(final)
        self._make_folder_of(there)
        if self._local:
            _flush(begun)
            os.replace(begun, there)
            _flush(os.path.dirname(there))
        else:
            self.files.move(begun, there)

    def digest(self, name: str) -> str | None:
        """What tells a file's content from another; None where it is not there."""
        if not self.exists(name):
            return None
        known = hashlib.blake2b(digest_size=16)
        with self.files.open_input_stream(self.path(name)) as stream:
            while block := stream.read(_BLOCK_BYTES):
                known.update(block)
        return known.hexdigest()

    def read_small(self, name: str) -> bytes | None:
        if not self.exists(name):
            return None
        with self.files.open_input_stream(self.path(name)) as stream:
            return bytes(stream.read())

    def write_small(self, name: str, final: str, content: bytes) -> None:
        with self.open_begun(name) as stream:
            stream.write(content)
        self.settle(name, final)

    def try_writing(self) -> None:
        """Writes a file and takes it away, with the folders that were made for it. Raises OSError."""
        name = f".check-{os.getpid()}"
        folders = [Path(self._root), *Path(self._root).parents]
        absent = [one for one in folders if self._local and not one.exists()]
        try:
            with self.open_begun(name) as stream:
                stream.write(b"headwater")
            self.files.delete_file(self.path(self.begun(name)))
        finally:
            if self._local:
                for one in (Path(self._root) / BESIDE, *absent):
                    with suppress(OSError):  # it holds something
                        one.rmdir()

    def _make_folder_of(self, path: str) -> None:
        if not isinstance(self.files, pafs.S3FileSystem):  # which has none
            self.files.create_dir(os.path.dirname(path), recursive=True)

    def _remove_begun(self, name: str) -> None:
        # One of the content, one of what lies beside it.
        for one in (name, f"{name}.note"):
            if self.exists(self.begun(one)):
                self.files.delete_file(self.path(self.begun(one)))

    def _remove_left(self, name: str) -> None:
        if self._local:
            self._remove_begun(name)
            return
        pattern = re.compile(rf"{re.escape(name)}(\.note)?\.[0-9a-f]{{32}}\.begun")
        before = datetime.now(UTC) - _LEFT
        for one in self.files.get_file_info(pafs.FileSelector(self.path(BESIDE), allow_not_found=True)):
            if pattern.fullmatch(one.base_name) and one.mtime is not None and one.mtime < before:
                self.files.delete_file(one.path)


def open_place(path: str, folder: Path, options: dict[str, str | None]) -> FilePlace:
    """The place at a path or URL. `options` are an S3 store's. Raises DatasetError."""
    if "://" not in path:
        root = os.path.abspath(folder / Path(path).expanduser())
        return FilePlace(root, pafs.LocalFileSystem(), root, local=True)
    try:
        scheme, _, rest = path.partition("://")
        if scheme in ("s3", "s3a"):
            given = {name: value for name, value in options.items() if value is not None}
            endpoint = given.pop("endpoint", None)
            if endpoint:
                protocol, _, host = endpoint.rpartition("://")
                given |= {"endpoint_override": host, "scheme": protocol or "https"}
            store, root = pafs.S3FileSystem(**given), rest.rstrip("/")
            return FilePlace(f"s3://{root}", store, root, local=False, longest_bytes=_S3_BYTES)
        files, root = pafs.FileSystem.from_uri(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise DatasetError(
            f"the path of the sink is no folder and no known URL: {type(error).__name__}"
        ) from None
    local = isinstance(files, pafs.LocalFileSystem)
    return FilePlace(root if local else path.rstrip("/"), files, root.rstrip("/"), local=local)


def _flush(path: str) -> None:
    """Until the disk has it: a rename may outlive the content of what it renames."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
