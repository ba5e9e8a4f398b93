"""What the processes of one run have waited together for a receiver that does not answer.

Each step of a run may be a process; they know of each other only by the run's id. A file of the machine's temporary
folder, of this user alone, has a line for each wait.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path


def waited(runs: Collection[str]) -> float:
    """Seconds that processes have waited in vain in the one of these runs that has waited longest."""
    return max((_sum(_file(run)) for run in runs), default=0.0)


def add_wait(runs: Collection[str], seconds: float) -> None:
    """Adds what this process has waited in vain. Where that cannot be written, each process counts for itself."""
    for run in runs:
        with suppress(OSError):
            _folder().mkdir(mode=0o700, exist_ok=True)
            _own(_folder())
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
            file = os.open(_file(run), flags, 0o600)
            try:
                os.write(file, f"{seconds:.3f}\n".encode())
            finally:
                os.close(file)


def _folder() -> Path:
    return Path(tempfile.gettempdir()) / f"headwater-openlineage-{os.getuid()}"


def _file(run: str) -> Path:
    return _folder() / hashlib.sha256(run.encode()).hexdigest()[:32]


def _own(folder: Path) -> None:
    """Raises OSError where another user has made the folder, who could then say what we have waited."""
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != os.getuid():
        raise PermissionError(f"{folder} is not this user's")


def _sum(file: Path) -> float:
    try:
        _own(file.parent)
        return sum(float(line) for line in file.read_text().splitlines())
    except (OSError, ValueError):  # nobody has waited yet
        return 0.0
