"""Removes what a Delta table does not need any more: files of killed deliveries and of old versions."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from pathlib import Path

from deltalake import DeltaTable, Transaction

_ID = json.dumps(["headwater", "vacuum"])
_WEEK_S = 7 * 24 * 3600  # Delta's own retention: longer than any writer or reader elsewhere takes
# deltalake writes a local file under such a name until it is whole, and its vacuum does not see those.
_BEGUN = re.compile(r".*#\d+")


def keep_up(table: DeltaTable, folder: Path | None, every: int) -> list[Transaction]:
    """Vacuums a table that has `every` versions more than when it was last vacuumed; `folder` is a local table's.

    Gives what the next commit is to say, so that it is known.
    """
    version = table.version()
    if version - (table.transaction_version(_ID) or 0) < every:
        return []
    if folder is not None:
        _remove_begun(folder)
    table.vacuum(dry_run=False, full=True)
    table.update_incremental()
    return [Transaction(_ID, version)]


def _remove_begun(folder: Path) -> None:
    oldest = time.time() - _WEEK_S
    for file in folder.rglob("*"):
        if _BEGUN.fullmatch(file.name):
            with suppress(FileNotFoundError):  # it was finished meanwhile
                if file.stat().st_mtime < oldest:
                    file.unlink()
