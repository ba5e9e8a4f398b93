"""Where Dagster keeps its records of a project's runs."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.errors import ConfigError, StoreError
from pipelines.project import Project

if TYPE_CHECKING:
    import dagster as dg

_SETTINGS = (
    "# Written once by headwater; yours to change.\ntelemetry:\n  enabled: false\nnux:\n  enabled: false\n"
)


def dagster_home(project: Project) -> Path:
    """DAGSTER_HOME: the one that is set, else `.headwater/dagster` beside the project's file, made when
    absent.

    Sets the variable for this process and its children.
    """
    given = os.environ.get("DAGSTER_HOME")
    home = Path(given).expanduser() if given else project.folder / ".headwater" / "dagster"
    if bad := sorted(set("%?\\") & set(str(home.absolute()))):
        raise ConfigError(f"Dagster cannot keep records in {home}: its path holds {' '.join(bad)}")
    os.environ["DAGSTER_HOME"] = str(home.absolute())
    try:
        _make(home)
    except OSError as error:
        raise ConfigError(
            f"Dagster's records cannot be kept in {home}: {error.strerror}",
            hint="set DAGSTER_HOME to a folder that can be written",
        ) from None
    return home


def _make(home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    # Several processes that open a new SQLite home at once break it for good: the first makes it, alone.
    with open(home / ".made_by_one.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "dagster.yaml").exists():
            (home / "dagster.yaml").write_text(_SETTINGS)
        if not (home / "history").exists():
            open_instance().get_run_records(limit=1)


def open_instance() -> dg.DagsterInstance:
    """The instance of DAGSTER_HOME."""
    import dagster as dg

    return dg.DagsterInstance.get()


@contextmanager
def reading_dagster() -> Iterator[dg.DagsterInstance]:
    """The instance of DAGSTER_HOME; StoreError where its records cannot be read."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with open_instance() as instance:
            yield instance
    except SQLAlchemyError as error:
        told = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        raise StoreError(f"Dagster's records cannot be read: {told}", hint="see DAGSTER_HOME") from None
