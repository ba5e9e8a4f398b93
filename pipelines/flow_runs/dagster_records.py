"""One of Dagster's runs, and what it recorded of a connection, a dataset or a sink, as rows of the ledger."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster import DagsterRunStatus as Status

from pipelines.assets.extract import PROCESS_TAG, started
from pipelines.flow_runs.ledger import PartRow, RunRow
from pipelines.flow_runs.model import LOST, of_iso
from pipelines.statuses import CANCELED, FAILED, QUEUED, RUNNING, SUCCESS, WARNING

SILENCE = timedelta(hours=1)  # a started run of another host that says nothing for so long is taken for lost
TRIGGER_TAG = "headwater/trigger"  # `api`: the server launched the run
NOT_RECORDED = "the run ended before it recorded this"

_STATUS = {
    Status.QUEUED: QUEUED,
    Status.NOT_STARTED: QUEUED,
    Status.MANAGED: QUEUED,
    Status.STARTING: RUNNING,
    Status.STARTED: RUNNING,
    Status.CANCELING: RUNNING,
    Status.SUCCESS: SUCCESS,
    Status.FAILURE: FAILED,
    Status.CANCELED: CANCELED,
}
_TRIGGERS = (
    ("dagster/schedule_name", "schedule"),
    ("dagster/sensor_name", "sensor"),
    ("dagster/from_automation_condition", "sensor"),
    ("dagster/auto_materialize", "sensor"),
    ("dagster/backfill", "backfill"),
    (TRIGGER_TAG, "api"),
)
# A run waits in Dagster's queue as long as it takes; in any other of these states a process has it in hand.
_UNDER_WAY = frozenset({Status.NOT_STARTED, Status.STARTING, Status.STARTED, Status.CANCELING})
_ALL_ASSETS = "__ASSET_JOB"


def run_row(
    instance: dg.DagsterInstance,
    record: dg.RunRecord,
    number: int,
    attempt_before: int,
    flow_runs: Sequence[str],
) -> RunRow:
    """A run. `flow_runs` is the path below which recorded assets lie, `attempt_before` the attempt that this run
    repeats, 0 where it repeats none.
    """
    run = record.dagster_run
    status, error = _status(instance, record)
    repeated = int(run.tags.get("dagster/retry_number", "0"))
    planned = _planned(run, flow_runs)
    return RunRow(
        number=number,
        id=run.run_id,
        place=record.storage_id,
        status=status,
        trigger=next((trigger for tag, trigger in _TRIGGERS if tag in run.tags), "manual"),
        attempt=max(attempt_before, repeated) + 1,
        created_ms=created_ms(record),
        started_ms=_ms(record.start_time),
        ended_ms=_ms(record.end_time),
        partitions=_partitions(run),
        planned=None if planned is None else "\n".join(planned),
        error=error,
        updated=moment(record.update_timestamp),
        settled=False,
    )


def created_ms(record: dg.RunRecord) -> int:
    """When Dagster was asked for a run."""
    return round(moment(record.create_timestamp) * 1000)


def moment(time: datetime) -> float:
    """Seconds since 1970 of a time of Dagster's, which is in UTC even where it does not say so."""
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _planned(run: dg.DagsterRun, flow_runs: Sequence[str]) -> list[str] | None:
    """The recorded assets that a run was for, None for all of them."""
    if run.asset_selection is None and run.job_name == _ALL_ASSETS:
        return None
    found = (name_of(key, flow_runs) for key in run.asset_selection or ())
    return sorted(name for name in found if name is not None)


def name_of(key: dg.AssetKey, flow_runs: Sequence[str]) -> str | None:
    """What a recorded asset tells of: `<connection>`, `datasets/<name>` or `sinks/<sink>/<dataset>`."""
    path = list(key.path)
    ahead = len(flow_runs)
    if path[:ahead] != list(flow_runs) or len(path) == ahead:
        return None
    return "/".join(path[ahead:])


def dataset_of(whose: str) -> str:
    """The dataset under which a recorded asset counts as a whole."""
    return whose if "/" in whose else f"resources/{whose}"


def parts_of(number: int, whose: str, recorded: Mapping[str, Mapping[str, Any]]) -> Iterator[PartRow]:
    """What a run recorded of one asset, by partition; of a connection its tables with it."""
    for partition, facts in recorded.items():
        if "/" in whose:
            yield _of_dataset(number, whose, partition, facts)
            continue
        started_ms, ended_ms = of_iso(facts["started_at"]), of_iso(facts["ended_at"])
        failed = facts["status"] == FAILED
        counts = ("resources", "declarations", "statements")
        yield PartRow(
            number=number,
            dataset=dataset_of(whose),
            partition=partition,
            whose=whose,
            recorded=True,
            status=facts["status"],
            records=sum(facts[name] for name in counts),
            size_bytes=facts["bytes"],
            errors=facts["errors"],
            error=facts["error"],
            complete=facts["complete"],
            resources=facts["resources"],
            warnings=facts["warnings"],
            started_ms=started_ms,
            ended_ms=ended_ms,
        )
        for table, told in facts["tables"].items():
            errors = told["refused"] + told["errors"]
            yield PartRow(
                number=number,
                dataset=f"{whose}/{table}",
                partition=partition,
                whose=whose,
                recorded=True,
                # What a failed run has read is not stored.
                status=FAILED if failed else WARNING if errors or not told["complete"] else SUCCESS,
                records=0 if failed else told["rows"],
                size_bytes=0 if failed else told.get("bytes", 0),
                errors=errors,
                error="; ".join(told["messages"]) or None,
                complete=not failed and told["complete"],
                started_ms=started_ms,
                ended_ms=ended_ms,
            )


def _of_dataset(number: int, whose: str, partition: str, facts: Mapping[str, Any]) -> PartRow:
    # There was nothing to make or to give: `error` says why.
    status = facts["status"] if facts["status"] in (SUCCESS, WARNING, FAILED) else WARNING
    failed = status == FAILED
    return PartRow(
        number=number,
        dataset=whose,
        partition=partition,
        whose=whose,
        recorded=True,
        status=status,
        records=0 if failed else facts.get("records", facts["rows"]),
        size_bytes=0 if failed else facts["bytes"],
        errors=facts["invalid"] + failed,
        quarantined=facts.get("quarantined", 0),
        error=facts["error"],
        complete=not failed,
        started_ms=of_iso(facts["started_at"]),
        ended_ms=of_iso(facts["ended_at"]),
    )


def unrecorded(run: RunRow, whose: Iterable[str]) -> list[PartRow]:
    """What a run was for and has not recorded: as the run stands. A run that succeeded has left out what it did not
    record.
    """
    if run.status == SUCCESS:
        return []
    return [
        PartRow(
            number=run.number,
            dataset=dataset_of(name),
            partition=run.partitions,
            whose=name,
            recorded=False,
            status=run.status,
            errors=int(run.status == FAILED),
            started_ms=run.started_ms,
            ended_ms=run.ended_ms,
            error=run.error,
        )
        for name in whose
    ]


def _status(instance: dg.DagsterInstance, record: dg.RunRecord) -> tuple[str, str | None]:
    status = _STATUS[record.dagster_run.status]
    if record.dagster_run.status in _UNDER_WAY and _is_lost(instance, record):
        return FAILED, LOST
    if status == FAILED:
        reason = record.dagster_run.tags.get("dagster/failure_reason", "")
        return status, f"{NOT_RECORDED} {reason}".strip()
    return status, None


def _is_lost(instance: dg.DagsterInstance, record: dg.RunRecord) -> bool:
    """Whether nothing runs this any more: its process is gone, or, on another host, nothing was heard for long."""
    host, _, process = record.dagster_run.tags.get(PROCESS_TAG, "").partition(":")
    if host == socket.gethostname():
        pid, _, start = process.partition(":")
        return not _alive(int(pid), start)
    now, heard = datetime.now(UTC).timestamp(), moment(record.update_timestamp)
    if now - heard < SILENCE.total_seconds():
        return False
    last = instance.get_records_for_run(record.dagster_run.run_id, limit=1, ascending=False).records
    return now - max([heard, *(one.event_log_entry.timestamp for one in last)]) > SILENCE.total_seconds()


def _alive(pid: int, start: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives, as another user
    return not start or started(pid) in ("", start)


def _partitions(run: dg.DagsterRun) -> str:
    """The run's partition, `A...B` for a range, empty where it has none."""
    one = run.tags.get("dagster/partition")
    ends = [run.tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end")]
    return one or ("...".join(end or "" for end in ends) if all(ends) else "")


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
