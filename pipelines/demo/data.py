"""Makes the demo's data where it is missing: the application's database, and the warehouse fed by it."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.demo.application import make_application
from pipelines.demo.warehouse import LOAD, MANIFEST, NIGHTLY, REPORTING, make_warehouse

DATA, APPLICATION, WAREHOUSE = "data", "app.db", "shop.duckdb"
_MADE_FROM = "made_from.txt"


def make_data(project: Path) -> None:
    """Makes `data/` in the project's folder, unless it is there and made from what the folder holds now.

    Safe beside others that do the same at once, and beside readers: each file appears whole.
    """
    data = project / DATA
    data.mkdir(exist_ok=True)
    with _alone(data):
        state = _state(project)
        stamp = data / _MADE_FROM
        names = (APPLICATION, WAREHOUSE)
        if all((data / name).exists() for name in names) and stamp.exists() and stamp.read_text() == state:
            return
        stamp.unlink(missing_ok=True)
        # A folder and not another name: DuckDB calls a database by its file's name.
        with _new_folder(data) as new:
            make_application(new / APPLICATION)
            make_warehouse(new / WAREHOUSE, new / APPLICATION, project)
            for name in names:
                (new / name).replace(data / name)
        stamp.write_text(state)


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    with (data / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel lets go of it, however this process ends
        yield


@contextmanager
def _new_folder(data: Path) -> Iterator[Path]:
    for left in data.glob(".new-*"):  # by a process that was killed: nobody else is here
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=data) as folder:
        yield Path(folder)


def _state(project: Path) -> str:
    """Changes when the data would."""
    here = Path(__file__).parent
    inputs = (project / script for script in (LOAD, NIGHTLY, REPORTING, MANIFEST))
    sources = [here / "application.py", here / "warehouse.py", *inputs]
    digest = hashlib.blake2b(digest_size=16)
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()
