"""A connection as assets: what it gave, and the run that gave it."""

import multiprocessing
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import dagster as dg

from connectors import Window
from lineage.store import Store
from pipelines.checks import COMPLETE, DROP, flow_checks
from pipelines.extract import Outcome, RunInfo, extract_partition
from pipelines.keys import AssetKeys
from pipelines.metadata import flow_metadata, resource_metadata
from pipelines.openlineage import DagsterRun, told_extract
from pipelines.partitions import TimePartitions, window_of
from pipelines.project import Project, usable_class
from pipelines.records import records_held_open

PROCESS_TAG, ACCEPT_DROP_TAG = "headwater/process", "headwater/accept_drop"
REPLAY_TAG = "headwater/replay"  # a dataset whose refused records are tried again
FULL_TAG = "headwater/full"


def connection_asset(
    project: Project, store: Store, name: str, parts: TimePartitions, keys: AssetKeys
) -> dg.AssetsDefinition:
    """Two keys from one step: `resources/<name>` when it succeeded, `flow_runs/<name>` always."""
    cls = usable_class(project, name)
    kinds = set(cls.kinds) or {"python"}
    resources, flow_run = keys.of_connection(name)
    description = (cls.__doc__ or "").strip().splitlines()
    specs = [
        dg.AssetSpec(
            resources,
            skippable=True,
            group_name=name,
            kinds=kinds,
            partitions_def=parts,
            description=f"What {name} has. {description[0] if description else ''}".strip(),
        ),
        dg.AssetSpec(
            flow_run,
            deps=[resources],
            group_name=name,
            kinds=kinds,
            partitions_def=parts,
            description=f"The run of {name}: recorded whether it succeeded or not.",
        ),
    ]

    @dg.multi_asset(
        name=keys.name(f"extract_{name}"),
        specs=specs,
        can_subset=True,
        check_specs=[
            dg.AssetCheckSpec(check, asset=flow_run, partitions_def=parts) for check in (COMPLETE, DROP)
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=keys.name(f"connection_{name}"),
    )
    def extract(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        with records_held_open(context.instance, context.run.run_id):
            outcomes = _run(context, project, store, name, parts)
            if resources in context.selected_asset_keys and not any(o.error for o in outcomes):
                yield dg.MaterializeResult(
                    asset_key=resources, metadata=resource_metadata(outcomes[-1], project.storage)
                )
            if flow_run not in context.selected_asset_keys and (
                errors := [o.error for o in outcomes if o.error]
            ):
                # Without the flow run no check sees the failure: this step has to tell it.
                raise dg.Failure(f"{name} failed: {errors[0]}", allow_retries=False)
            if flow_run in context.selected_asset_keys:
                wanted = {key.name for key in context.selected_asset_check_keys}
                yield dg.MaterializeResult(
                    asset_key=flow_run,
                    metadata=flow_metadata(outcomes),
                    check_results=[c for c in flow_checks(flow_run, outcomes) if c.check_name in wanted],
                )

    return extract


def run_info(context: dg.AssetExecutionContext, *, accept_drop: bool) -> RunInfo:
    """The run that a step belongs to; its process is noted, so that one that is gone can be told."""
    record = context.instance.get_run_record_by_id(context.run.run_id)
    if (
        record is None or PROCESS_TAG not in record.dagster_run.tags
    ):  # the context's tags are the run's first ones
        mark_process(context)
    created = record.create_timestamp if record else datetime.now(UTC)
    return RunInfo(
        context.run.run_id,
        created.replace(tzinfo=created.tzinfo or UTC),
        accept_drop=accept_drop,
        full=FULL_TAG in context.run.tags,
    )


def _run(
    context: dg.AssetExecutionContext, project: Project, store: Store, name: str, parts: TimePartitions
) -> list[Outcome]:
    accepted = context.run.tags.get(ACCEPT_DROP_TAG, "").split(",")
    run = run_info(context, accept_drop=name in accepted)

    def extract(window: Window) -> Outcome:
        return extract_partition(project, store, name, window, run, context.log)

    parent = DagsterRun(context.run.run_id, context.run.job_name)
    windows = [window_of(parts, key) for key in context.partition_keys]
    return [told_extract(project, parent, name, window, partial(extract, window)) for window in windows]


def mark_process(context: dg.AssetExecutionContext) -> None:
    """Notes which process runs this, so that a run whose process is gone can be told from one that is running.

    Executors other than Dagster's two local ones spread over hosts: of their runs no process is noted.
    """
    if PROCESS_TAG in context.run.tags:
        return
    executor = context.job_def.executor_def.name
    parent = multiprocessing.parent_process()
    if executor == dg.in_process_executor.name:
        context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: process_mark(os.getpid())})
    elif executor == dg.multiprocess_executor.name and parent is not None and parent.pid:
        context.instance.add_run_tags(context.run.run_id, {PROCESS_TAG: process_mark(parent.pid)})


def process_mark(pid: int) -> str:
    """A process of this host: its host, id, and start (in clock ticks, to tell a number that is used again)."""
    return f"{socket.gethostname()}:{pid}:{started(pid)}"


def started(pid: int) -> str:
    """When a process of this host started, in clock ticks since boot; empty where that cannot be known."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
