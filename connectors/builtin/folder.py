"""The files below a configured path."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from connectors.errors import Unreachable


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


def location(root: Path, file: Path) -> str:
    """How a file is named in messages: below its folder."""
    return file.name if file == root else file.relative_to(root).as_posix()


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
