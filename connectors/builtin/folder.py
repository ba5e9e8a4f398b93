"""The files below a configured path."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

from connectors.errors import Unreachable
from connectors.model import Window

_CLOCKS_APART = timedelta(hours=1)  # of the machine that wrote a file and the one where it happened


def checked_glob(glob: str) -> str:
    """The pattern, if it stays below the folder. Raises ValueError."""
    pattern = PurePosixPath(glob)
    if not pattern.parts or pattern.is_absolute() or ".." in pattern.parts:
        raise ValueError("must be a pattern below the folder, such as **/*.sql")
    return glob


def find_files(root: Path, glob: str, warn: Callable[[str], None]) -> list[Path]:
    """The file itself, or those below the folder that match, sorted; hidden ones are left out.

    `warn` is told of folders that may not be read. Raises Unreachable when nothing is there.
    """
    if root.is_file():
        return [root]
    if not root.is_dir():
        hint = "look at `path`; relative ones start at the project's folder"
        raise Unreachable(f"{root} is not there", hint=hint)
    # A glob passes over folders that it may not read without a word.
    for _ in os.walk(root, onerror=lambda error: warn(f"{error.filename}: {error.strerror}")):
        pass
    return sorted(p for p in root.glob(glob) if p.is_file() and not _hidden(p.relative_to(root)))


def modified_at(file: Path) -> datetime:
    """When a file was last written to. Raises Unreachable, for one that was taken away meanwhile too."""
    try:
        return datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except OSError as error:
        raise Unreachable(f"{file} cannot be read: {error.strerror}") from None


def may_hold(file: Path, window: Window) -> bool:
    """Whether a file was modified late enough to tell of a window: nothing is written before it happens."""
    return modified_at(file) + _CLOCKS_APART >= window.start


def files_state(root: Path, files: Iterable[Path]) -> str:
    """Text that changes when one of the files is written to, added or taken away. By size and time: they are long."""
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        try:
            status = file.stat()
            state = f"{status.st_size}-{status.st_mtime_ns}"
        except OSError as error:  # taken away meanwhile, say
            state = f"unreadable-{error.errno}"
        digest.update(f"{location(root, file)}\0{state}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def location(root: Path, file: Path) -> str:
    """How a file is named in messages: below its folder."""
    return file.name if file == root else file.relative_to(root).as_posix()


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
