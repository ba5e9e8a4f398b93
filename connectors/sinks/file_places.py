"""Where files lie: a local folder or an object store, and how a finished file takes its place at once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from connectors.errors import DatasetError
from connectors.sinks.workplace import BESIDE, remote_workplaces, workplace, workplace_name

_BLOCK_BYTES = 8 * 1024 * 1024


class FilePlace:
    """A folder of a file system; paths are below it. `uri` is what the folder is called, without a login."""

    def __init__(self, uri: str, files: pafs.FileSystem, root: str, *, local: bool) -> None:
        self.uri = uri
        self.files = files
        self._root = root
        self._local = local

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
        """A local folder to work in; see `workplace`. What a killed delivery began to write here is removed."""
        if self._local:
            with workplace(Path(self._root) / BESIDE, name) as folder:
                self._remove_begun(name)
                yield folder
        else:
            with workplace(remote_workplaces(), workplace_name(f"{self.uri}/{name}")) as folder:
                self._remove_begun(name)
                yield folder

    def begun(self, name: str) -> str:
        """The path at which a file of a dataset is written until it is finished."""
        return f"{BESIDE}/{name}.begun"

    def open_begun(self, name: str) -> Any:
        path = self.path(self.begun(name))
        self.files.create_dir(os.path.dirname(path), recursive=True)
        return self.files.open_output_stream(path)

    def settle(self, name: str, final: str) -> None:
        """Puts the begun file of a dataset where `final` is, at once, and for good."""
        begun, there = self.path(self.begun(name)), self.path(final)
        self.files.create_dir(os.path.dirname(there), recursive=True)
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

    def _remove_begun(self, name: str) -> None:
        # One of the content, one of what lies beside it.
        for one in (name, f"{name}.note"):
            if self.exists(self.begun(one)):
                self.files.delete_file(self.path(self.begun(one)))


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
            return FilePlace(
                f"s3://{rest.rstrip('/')}", pafs.S3FileSystem(**given), rest.rstrip("/"), local=False
            )
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
