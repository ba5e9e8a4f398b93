"""Dagster's records seen as flow runs: one for each connection and partition of a run.

A projection: nothing is stored. A run that ended without recording a connection (failed early, cancelled,
killed) counts as a flow run of every connection that it was for.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster import DagsterRunStatus as Status

from pipelines.assets.extract import PROCESS_TAG, started
from pipelines.metadata import PARTITIONS

SILENCE = timedelta(hours=1)  # a started run of another host that says nothing for so long is taken for lost

_STATUS = {
    Status.QUEUED: "QUEUED",
    Status.NOT_STARTED: "QUEUED",
    Status.MANAGED: "QUEUED",
    Status.STARTING: "RUNNING",
    Status.STARTED: "RUNNING",
    Status.CANCELING: "RUNNING",
    Status.SUCCESS: "SUCCESS",
    Status.FAILURE: "FAILED",
    Status.CANCELED: "CANCELED",
}
_TRIGGERS = (
    ("dagster/schedule_name", "schedule"),
    ("dagster/sensor_name", "sensor"),
    ("dagster/from_automation_condition", "sensor"),
    ("dagster/auto_materialize", "sensor"),
    ("dagster/backfill", "backfill"),
)
# A run waits in Dagster's queue as long as it takes; in any other of these states a process has it in hand.
_UNDER_WAY = frozenset({Status.NOT_STARTED, Status.STARTING, Status.STARTED, Status.CANCELING})
LOST = "the process that ran it is gone"


@dataclass(frozen=True)
class FlowRun:
    """One connection's part of a run, for one partition. Times are ISO texts in UTC; sizes are bytes.

    `status` is QUEUED, RUNNING, SUCCESS, WARNING (partial), FAILED or CANCELED. `datasets` has the counts of what it
    gave. `link` is the run's page below the address of Dagster's UI.
    """

    id: str
    run_number: int
    flow: str
    partition: str
    trigger: str
    status: str
    started_at: str | None
    ended_at: str | None
    attempt: int
    complete: bool
    resources: int
    size_bytes: int
    errors: int
    warnings: int
    error: str | None
    datasets: Sequence[Mapping[str, Any]]
    link: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_flow_runs(
    instance: dg.DagsterInstance,
    flows: Mapping[str, dg.AssetKey],
    *,
    flow: str | None = None,
    since: datetime | None = None,
    limit: int = 100,
) -> list[FlowRun]:
    """The newest flow runs first, at most `limit`. `flows` are the keys of `flow_runs/<connection>` by
    connection.

    Reads what it shows, whatever the number of runs stored: the newest runs, and the materializations in
    their time.
    """
    found: list[FlowRun] = []
    cursor: str | None = None
    filters = dg.RunsFilter(created_after=since - timedelta(seconds=5)) if since else dg.RunsFilter()
    wanted = {name: key for name, key in flows.items() if flow in (None, name)}
    while wanted and len(found) < limit:
        records = instance.get_run_records(filters=filters, limit=max(50, limit), cursor=cursor)
        if not records:
            break
        cursor = records[-1].dagster_run.run_id
        facts = {name: _facts(instance, key, records) for name, key in wanted.items()}
        for record in records:
            found += _of_run(instance, record, wanted, facts)
    return found[:limit]


def _facts(
    instance: dg.DagsterInstance, key: dg.AssetKey, records: Sequence[dg.RunRecord]
) -> dict[str, dict[str, Any]]:
    """Of each of the runs, what it recorded of the connection: facts by partition.

    Dagster gives materializations by asset, the newest first: reads until all runs were met, or their time is over.
    """
    missing = {record.dagster_run.run_id for record in records}
    oldest = min(record.create_timestamp for record in records).replace(tzinfo=UTC).timestamp() - 60
    newest = max(record.update_timestamp for record in records).replace(tzinfo=UTC).timestamp() + 60
    span = dg.AssetRecordsFilter(asset_key=key, after_timestamp=oldest, before_timestamp=newest)
    recorded: dict[str, dict[str, Any]] = {}
    cursor = None
    while missing:
        page = instance.fetch_materializations(span, limit=len(records) + 20, cursor=cursor)
        for record in page.records:
            event = record.asset_materialization
            if event and PARTITIONS in event.metadata:
                recorded.setdefault(record.run_id, {}).update(_json(event.metadata[PARTITIONS].value))
            missing.discard(record.run_id)
        if not page.has_more:
            break
        cursor = page.cursor
    return recorded


def _json(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _of_run(
    instance: dg.DagsterInstance,
    record: dg.RunRecord,
    flows: Mapping[str, dg.AssetKey],
    facts: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> Iterator[FlowRun]:
    run = record.dagster_run
    planned = run.asset_selection
    status, error = _run_status(instance, record)
    for name, key in flows.items():
        mine = facts[name].get(run.run_id, {})
        if mine:
            for partition, one in mine.items():
                yield _recorded(record, name, partition, one)
        elif status != "SUCCESS" and (key in planned if planned else run.job_name == "__ASSET_JOB"):
            for partition in _partitions(run) or [""]:
                yield _unrecorded(record, name, partition, status, error)


def _run_status(instance: dg.DagsterInstance, record: dg.RunRecord) -> tuple[str, str | None]:
    status = _STATUS[record.dagster_run.status]
    if record.dagster_run.status in _UNDER_WAY and _is_lost(instance, record):
        return "FAILED", LOST
    if status == "FAILED":
        reason = record.dagster_run.tags.get("dagster/failure_reason", "")
        return status, f"the run failed before it recorded this connection {reason}".strip()
    return status, None


def _is_lost(instance: dg.DagsterInstance, record: dg.RunRecord) -> bool:
    """Whether nothing runs this any more: its process is gone, or, on another host, nothing was heard for
    long.
    """
    host, _, process = record.dagster_run.tags.get(PROCESS_TAG, "").partition(":")
    if host == socket.gethostname():
        pid, _, start = process.partition(":")
        return not _alive(int(pid), start)
    last = instance.get_records_for_run(record.dagster_run.run_id, limit=1, ascending=False).records
    heard = record.create_timestamp.replace(tzinfo=UTC).timestamp()
    if last:
        heard = max(heard, last[0].event_log_entry.timestamp)
    return datetime.now(UTC).timestamp() - heard > SILENCE.total_seconds()


def _alive(pid: int, start: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives, as another user
    return not start or started(pid) in ("", start)


def _recorded(record: dg.RunRecord, name: str, partition: str, facts: Mapping[str, Any]) -> FlowRun:
    return FlowRun(
        **_common(record, name, partition),
        status=facts["status"],
        started_at=facts["started_at"],
        ended_at=facts["ended_at"],
        complete=facts["complete"],
        resources=facts["resources"],
        size_bytes=facts["bytes"],
        errors=facts["errors"],
        warnings=facts["warnings"],
        error=facts["error"],
        datasets=[
            {
                "dataset": f"resources/{name}",
                "records_processed": facts["resources"] + facts["declarations"] + facts["statements"],
                "size_bytes": facts["bytes"],
                "errors": facts["errors"],
            }
        ],
    )


def _unrecorded(record: dg.RunRecord, name: str, partition: str, status: str, error: str | None) -> FlowRun:
    return FlowRun(
        **_common(record, name, partition),
        status=status,
        started_at=_iso(record.start_time),
        ended_at=_iso(record.end_time),
        complete=False,
        resources=0,
        size_bytes=0,
        errors=int(status == "FAILED"),
        warnings=0,
        error=error,
        datasets=[],
    )


def _common(record: dg.RunRecord, name: str, partition: str) -> dict[str, Any]:
    run = record.dagster_run
    begun = record.start_time or record.create_timestamp.replace(tzinfo=UTC).timestamp()
    return {
        "id": run.run_id,
        "run_number": int(begun * 1000),
        "flow": name,
        "partition": partition,
        "trigger": next((trigger for tag, trigger in _TRIGGERS if tag in run.tags), "manual"),
        "attempt": int(run.tags.get("dagster/retry_number", "0")) + 1,
        "link": f"/runs/{run.run_id}",
    }


def _partitions(run: dg.DagsterRun) -> list[str]:
    one = run.tags.get("dagster/partition")
    ends = [run.tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end")]
    if one or not all(ends):
        return [one] if one else []
    return [f"{ends[0]}...{ends[1]}"]


def _iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
