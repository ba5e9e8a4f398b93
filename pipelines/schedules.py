"""Schedules: one for each connection that has a cron expression, and one for the store's upkeep."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from lineage.store import Store, maintain
from pipelines.flows import keys_of_flows
from pipelines.keys import AssetKeys
from pipelines.partitions import TimePartitions, key_at, window_of
from pipelines.project import Project, usable_class

MAX_UNCLOSED = 48  # earlier partitions that one tick asks for


def connection_schedule(
    project: Project, store: Store, name: str, parts: TimePartitions, keys: AssetKeys
) -> dg.ScheduleDefinition | None:
    """`<name>_schedule`: asks for the partition under way, of a windowed connection also for those never
    closed.
    """
    cron = project.connections[name].schedule
    if cron is None:
        return None
    windowed = usable_class(project, name).windowed
    target = dg.AssetSelection.assets(*keys_of_flows(project, [name], keys))

    @dg.schedule(
        name=keys.name(f"{name}_schedule"),
        target=target,
        cron_schedule=cron,
        execution_timezone=project.model.partitions.timezone,
        description=f"Syncs {name}, and makes and delivers what hangs from it.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest]:
        moment = context.scheduled_execution_time
        today = key_at(project.model.partitions, moment)
        earlier = unclosed(store, name, parts, today, project.connections[name].lookback) if windowed else []
        return [
            dg.RunRequest(partition_key=key, run_key=f"{name}:{key}:{moment:%Y-%m-%dT%H:%M}")
            for key in [*earlier, today]
        ]

    return schedule


def unclosed(store: Store, name: str, parts: TimePartitions, today: str, lookback_days: int) -> Sequence[str]:
    """Partitions before today's that no complete run after their end has closed, the oldest first."""
    closed = {h.partition for h in store.snapshots.headers(name) if h.complete and not h.open}
    oldest = window_of(parts, today).start - timedelta(days=lookback_days)
    keys = [k for k in parts.get_partition_keys() if k < today and k not in closed]
    return [k for k in keys if window_of(parts, k).start >= oldest][-MAX_UNCLOSED:]


def maintenance_schedule(project: Project, store: Store, keys: AssetKeys) -> dg.ScheduleDefinition:
    """`maintenance_nightly` runs the job `maintenance` every night. It is no asset: `--select '*'` leaves it
    out.
    """

    @dg.op(name=keys.name("maintain_store"))
    def maintain_store(context: dg.OpExecutionContext) -> None:
        today = datetime.now(UTC).date()
        report = maintain(store, keep_days=project.model.keep_days, today=today)
        context.log.info("maintenance: %s", report)

    @dg.job(
        name=keys.name("maintenance"),
        description="Removes old partitions, compacts, cleans the store's logs.",
    )
    def maintenance() -> None:
        maintain_store()

    return dg.ScheduleDefinition(
        name=keys.name("maintenance_nightly"),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        job=maintenance,
        cron_schedule="30 3 * * *",
        execution_timezone=project.model.partitions.timezone,
    )
