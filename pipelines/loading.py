"""From a project's file to Dagster definitions."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path

import dagster as dg

from connectors.errors import ConfigError
from lineage.store import open_store
from pipelines.assets.extract import connection_asset
from pipelines.assets.lineage_graph import graph_asset
from pipelines.checks import synced_check
from pipelines.keys import AssetKeys
from pipelines.partitions import partitions_definition
from pipelines.project import Project, find_project, read_project
from pipelines.schedules import connection_schedule, maintenance_schedule
from pipelines.sensors import graph_sensor, offers_fingerprint, run_status_sensor, source_changed_sensor

DEMO = Path(__file__).parent / "demo" / "shop"
log = logging.getLogger("headwater")


def load_project(path: str | os.PathLike[str], prefix: str | None = None) -> dg.Definitions:
    """The definitions of the project in a folder, to use or to merge into definitions that exist already.

    `prefix` goes before every asset key. Raises ConfigError with every fault of the file. Touches no network.
    """
    return build_definitions(read_project(find_project(path)), prefix)


def build_definitions(
    project: Project, prefix: str | None = None, *, executor: str | None = None
) -> dg.Definitions:
    """Assets, checks, schedules and sensors of a project.

    The executor is the one that the project's file names, else the one given, else left to whom this is merged into.
    """
    with warnings.catch_warnings():
        # What we use of Dagster beyond its stable surface is pinned and tested here; users need not be told.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return _definitions(project, AssetKeys(prefix), project.model.executor or executor)


_EXECUTORS = {"in_process": dg.in_process_executor, "multiprocess": dg.multiprocess_executor}


def _definitions(project: Project, keys: AssetKeys, executor: str | None) -> dg.Definitions:
    store = open_store(project.storage, project.storage_options)
    parts = partitions_definition(project.model.partitions)
    names = list(project.connections)
    changing = [name for name in names if offers_fingerprint(project, name)]
    schedules = [connection_schedule(project, store, name, parts, keys) for name in names]
    return dg.Definitions(
        assets=[
            *(connection_asset(project, store, name, parts, keys) for name in names),
            graph_asset(project, store, parts, keys),
        ],
        asset_checks=[synced_check(names, parts, keys)] if names else [],
        schedules=[*(s for s in schedules if s), maintenance_schedule(project, store, keys)],
        sensors=[
            run_status_sensor(keys),
            graph_sensor(keys),
            *([source_changed_sensor(project, changing, keys)] if changing else []),
        ],
        executor=_EXECUTORS[executor] if executor else None,
    )


def load_default() -> dg.Definitions:
    """What `pipelines.definitions` serves: the project of the environment, without one the packaged demo."""
    try:
        folder = find_project()
    except ConfigError:
        if os.environ.get("HEADWATER_PROJECT"):
            raise
        log.warning("no headwater.yaml here, and HEADWATER_PROJECT is not set: loading the packaged demo")
        folder = DEMO
    if not os.environ.get("DAGSTER_HOME"):
        log.warning("DAGSTER_HOME is not set: assets will be stored, but the run will not be recorded")
    return build_definitions(read_project(folder), executor="in_process")
