"""Where Dagster keeps its records of a project's runs."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.errors import ConfigError
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
    home.mkdir(parents=True, exist_ok=True)
    os.environ["DAGSTER_HOME"] = str(home.absolute())
    # Several processes that open a new SQLite home at once break it for good: the first makes it, alone.
    with open(home / ".made_by_one.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "dagster.yaml").exists():
            (home / "dagster.yaml").write_text(_SETTINGS)
        if not (home / "history").exists():
            open_instance().get_run_records(limit=1)
    return home


def open_instance() -> dg.DagsterInstance:
    """The instance of DAGSTER_HOME."""
    import dagster as dg

    return dg.DagsterInstance.get()
