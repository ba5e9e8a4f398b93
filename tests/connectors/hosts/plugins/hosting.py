"""Syncs the plugins of this folder."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from connectors.hosts.cloudquery import CloudQuery
from connectors.testing import Extract, run_connector
from tests.plugin_python import plugin_python

PLUGINS = Path(__file__).resolve().parent
ROOT = PLUGINS.parents[3]
TOKEN = "s3cret-0f-the-shop"


def sync_shop(*tables: str, spec: dict[str, Any] | None = None, **more: Any) -> Extract:
    """Syncs the plugin that is made with the SDK."""
    given = {"token": TOKEN, **(spec or {})}
    config = {"plugin": str(PLUGINS / "shop"), "python": plugin_python(), "spec": given}
    return sync(config, *tables, **more)


def sync_raw(*tables: str, spec: dict[str, Any] | None = None, **more: Any) -> Extract:
    """Syncs the plugin that is made without the SDK, in our own environment."""
    return sync({"plugin": str(PLUGINS / "raw"), "spec": spec or {}}, *tables, **more)


def sync(
    config: dict[str, Any],
    *tables: str,
    limits: dict[str, Any] | None = None,
    env: dict[str, str] | None = None,
    **more: Any,
) -> Extract:
    found = run_connector(
        CloudQuery, {**config, "limits": limits or {}, "env": env or {}}, tables=tables, **more
    )
    assert not left_running(), "a plugin was left running"
    return found


def left_running() -> list[str]:
    """The plugins of this process that still run."""
    told = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    mine = f'"parent": {os.getpid()},'
    return [line for line in told.splitlines() if "launcher.py" in line and mine in line]


def is_running(pid: int) -> bool:
    """Whether a process runs, and is not merely waiting to be buried."""
    told = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(told.stdout.strip()) and not told.stdout.strip().startswith("Z")


def ids(found: Extract, table: str) -> list[int]:
    return sorted(found.table(table).column("id").to_pylist())
