"""Of each flow the last run that has ended, and of all runs how many ended how: cheap at any length of history."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pipelines.flow_runs.ledger import Ledger
from pipelines.flow_runs.model import worst
from pipelines.statuses import QUEUED, RUNNING, SUCCESS, WARNING

_UNDER_WAY, _ENDED_WELL = (QUEUED, RUNNING), (SUCCESS, WARNING)


@dataclass(frozen=True)
class LastRun:
    """A flow's newest run that extracted its connection and has ended. Moments are milliseconds since 1970;
    `succeeded_ms` is when the newest one that failed nowhere ended, None where there is none.
    """

    status: str
    started_ms: int | None
    ended_ms: int | None
    records: int
    size_bytes: int
    errors: int
    quarantined: int
    succeeded_ms: int | None


def last_runs(ledger: Ledger, flows: Mapping[str, Collection[str]]) -> dict[str, LastRun]:
    """By flow; `flows` are those of `FlowRuns`. A flow of which no run has ended is left out."""
    found = {}
    for flow, names in flows.items():
        number = _newest(ledger, flow, names, f"IN {_UNDER_WAY}")
        if number is not None:
            found[flow] = _last_run(ledger, flow, names, number)
    return found


def count_runs_by_status(ledger: Ledger) -> dict[str, int]:
    """How many of Dagster's runs stand how."""
    return dict(ledger.ask("SELECT status, count(*) FROM run GROUP BY status"))


def _last_run(ledger: Ledger, flow: str, names: Collection[str], number: int) -> LastRun:
    marks = ", ".join("?" * len(names))
    sums = ", ".join(f"sum({name})" for name in ("records", "size_bytes", "errors", "quarantined"))
    query = (
        f"SELECT group_concat(status), min(started_ms), max(ended_ms), {sums} FROM part "
        f"WHERE number = ? AND whose IN ({marks})"
    )
    (row,) = ledger.ask(query, [number, *names])
    statuses, started_ms, ended_ms, records, size_bytes, errors, quarantined = row
    status, succeeded_ms = worst(statuses.split(",")), ended_ms
    if status not in _ENDED_WELL:
        well = _newest(ledger, flow, names, f"NOT IN {_ENDED_WELL}")
        succeeded_ms = None if well is None else _ended_ms(ledger, names, well)
    return LastRun(status, started_ms, ended_ms, records, size_bytes, errors, quarantined, succeeded_ms)


def _newest(ledger: Ledger, flow: str, names: Collection[str], excluded: str) -> int | None:
    """The number of the newest run of a flow's connection no part of which has a status that is excluded."""
    marks = ", ".join("?" * len(names))
    query = (
        "SELECT number FROM part p WHERE dataset = ? AND NOT EXISTS (SELECT 1 FROM part q "
        f"WHERE q.number = p.number AND q.whose IN ({marks}) AND q.status {excluded}) "
        "ORDER BY number DESC LIMIT 1"
    )
    rows = ledger.ask(query, [f"resources/{flow}", *names])
    return int(rows[0][0]) if rows else None


def _ended_ms(ledger: Ledger, names: Collection[str], number: int) -> int | None:
    marks = ", ".join("?" * len(names))
    query = f"SELECT max(ended_ms) FROM part WHERE number = ? AND whose IN ({marks})"
    ended: int | None = ledger.ask(query, [number, *names])[0][0]
    return ended
