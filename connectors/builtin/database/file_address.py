"""What others call a database that is one file."""

from __future__ import annotations

import os
from pathlib import Path


def database_file_addresses(scheme: str, file: Path) -> list[str]:
    """The file's path as it is configured, and as it is without symbolic links.

    Not as `file://`: in OpenLineage's words that is the file system, which every file shares.
    """
    paths = dict.fromkeys((os.path.abspath(file), os.path.realpath(file)))
    return [f"{scheme}://{Path(path).as_posix()}" for path in paths]
