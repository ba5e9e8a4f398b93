"""A folder to work in for one delivery, which one delivery at a time may have."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.errors import DatasetError

BESIDE = ".headwater"  # readers of folders leave out what begins with a dot


def remote_workplaces() -> Path:
    """The folder for work on targets that are not local: one of this user's own in the temporary folder."""
    folder = Path(tempfile.gettempdir()) / f"headwater-sinks-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise DatasetError(f"{folder} is another user's", hint="set TMPDIR to a folder of your own")
    return folder


def workplace_name(uri: str) -> str:
    """A file's name for a target that is not local."""
    return hashlib.sha256(uri.encode()).hexdigest()[:24]


@contextmanager
def workplace(folder: Path, name: str) -> Iterator[Path]:
    """An empty folder `<folder>/<name>.work`, removed at the end; what a killed delivery left in it is removed.

    Raises a retryable DatasetError while another delivery has it. The lock is the system's, and ends with a process.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise DatasetError(f"{folder} cannot be written to: {error.strerror}") from None
    work = folder / f"{name}.work"
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatasetError(
                f"another delivery is being written to {folder.parent / name}",
                hint="try again when it has ended",
                retryable=True,
            ) from None
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
    finally:
        os.close(lock)
