"""From a project's file to Dagster definitions."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from connectors.errors import ConfigError
from lineage.store import Store, open_store
from pipelines.assets.extract import connection_asset
from pipelines.assets.lineage_graph import graph_asset
from pipelines.checks import synced_check
from pipelines.jobs import connection_jobs
from pipelines.keys import AssetKeys
from pipelines.partitions import TimePartitions, partitions_definition
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
    project: Project,
    prefix: str | None = None,
    *,
    executor: str | None = None,
    check_columns: bool = True,
) -> dg.Definitions:
    """Assets, checks, jobs, schedules and sensors of a project.

    The executor is the one that the project's file names, else the one given, else left to whom this is merged into.
    Raises ConfigError for columns that a dataset's input does not have as far as is known; not without `check_columns`.
    """
    with warnings.catch_warnings():
        # What we use of Dagster beyond its stable surface is pinned and tested here; users need not be told.
        warnings.simplefilter("ignore", dg.BetaWarning)
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return _definitions(project, AssetKeys(prefix), project.model.executor or executor, check_columns)


_EXECUTORS = {"in_process": dg.in_process_executor, "multiprocess": dg.multiprocess_executor}


def _definitions(
    project: Project, keys: AssetKeys, executor: str | None, check_columns: bool
) -> dg.Definitions:
    store = open_store(project.storage, project.storage_options)
    if check_columns and project.datasets:
        from pipelines.datasets.planning import refuse_unknown_columns

        refuse_unknown_columns(project, store)
    parts = partitions_definition(project.model.partitions)
    names = list(project.connections)
    changing = [name for name in names if offers_fingerprint(project, name)]
    runs = [keys.flow_run(name) for name in names]
    runs += [keys.dataset(name)[1] for name in project.datasets]
    deliveries = [(sink, name) for name, one in project.datasets.items() for sink in one.model.sinks]
    runs += [keys.sink(*delivery)[1] for delivery in deliveries]
    schedules = [connection_schedule(project, store, name, parts, keys) for name in names]
    return dg.Definitions(
        assets=[
            *(connection_asset(project, store, name, parts, keys) for name in names),
            *_dataset_assets(project, store, deliveries, parts, keys),
            graph_asset(project, store, runs, parts, keys),
        ],
        asset_checks=[synced_check(runs, parts, keys)] if runs else [],
        jobs=connection_jobs(project, keys),
        schedules=[*(s for s in schedules if s), maintenance_schedule(project, store, keys)],
        sensors=[
            run_status_sensor(keys),
            graph_sensor(keys),
            *([source_changed_sensor(project, changing, keys)] if changing else []),
        ],
        executor=_EXECUTORS[executor] if executor else None,
    )


def _dataset_assets(
    project: Project,
    store: Store,
    deliveries: Sequence[tuple[str, str]],
    parts: TimePartitions,
    keys: AssetKeys,
) -> list[dg.AssetsDefinition]:
    if not project.datasets:
        return []
    from pipelines.assets.datasets import dataset_asset
    from pipelines.assets.sinks import sink_asset

    made = [dataset_asset(project, store, name, parts, keys) for name in project.datasets]
    return made + [sink_asset(project, store, *delivery, parts, keys) for delivery in deliveries]


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
