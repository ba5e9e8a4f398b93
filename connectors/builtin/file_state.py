"""Text that changes when a file does."""

from __future__ import annotations

import hashlib
from pathlib import Path

HASHED_BYTES = 256 * 1024 * 1024  # half a second's work; of a larger file, size and time must do


def file_state(path: Path) -> str:
    """The size of a file and a hash of its content, so that one merely touched is unchanged; or "absent".

    A file above `HASHED_BYTES` is judged by its size and modification time.
    """
    try:
        status = path.stat()
        if status.st_size > HASHED_BYTES:
            return f"{status.st_size}-{status.st_mtime_ns}"
        with path.open("rb") as stream:
            return f"{status.st_size}-{hashlib.file_digest(stream, 'blake2b').hexdigest()[:32]}"
    except FileNotFoundError:
        return "absent"
    except OSError as error:
        return f"unreadable-{error.errno}"
