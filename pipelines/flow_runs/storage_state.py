"""Whether Dagster's storage may have changed, told without Dagster, whose import takes longer than all else."""

from __future__ import annotations

from pathlib import Path

import yaml

_STORAGES = ("storage", "run_storage", "event_log_storage", "local_artifact_storage")
# Of Dagster's default storage: the runs, and what assets recorded.
_FILES = ("history/runs.db", "history/runs/index.db")


def storage_state(home: Path) -> str | None:
    """A text that differs when a run or what one recorded was written since; None where that cannot be told, as the
    home keeps its records elsewhere.
    """
    try:
        settings = yaml.safe_load((home / "dagster.yaml").read_text()) or {}
        if not isinstance(settings, dict) or any(name in settings for name in _STORAGES):
            return None
        return " ".join(_told(home / f"{name}{end}") for name in _FILES for end in ("", "-wal", "-journal"))
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _told(path: Path) -> str:
    try:
        status = path.stat()
    except FileNotFoundError:
        return "-"
    return f"{status.st_mtime_ns}:{status.st_size}"
