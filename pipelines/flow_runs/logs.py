"""What a run of Dagster wrote down while it ran."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.flow_runs.model import iso

if TYPE_CHECKING:
    import dagster as dg

_LEVELS = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}
_PAGE = 1000


@dataclass(frozen=True)
class LogEntry:
    """A line of a run's log. `at` is an ISO text in UTC; `step` the step that it is of, `event` Dagster's kind of event
    where it is one.
    """

    at: str
    level: str
    message: str
    step: str | None = None
    event: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def run_log(instance: dg.DagsterInstance, run_id: str) -> Iterator[LogEntry]:
    """All lines, the oldest first. Secrets were masked before Dagster was told."""
    cursor: str | None = None
    while True:
        page = instance.get_records_for_run(run_id, cursor=cursor, limit=_PAGE)
        for record in page.records:
            entry = record.event_log_entry
            event = entry.dagster_event
            message = (event.message if event else entry.user_message) or ""
            if event is not None and event.is_step_failure and event.step_failure_data.error is not None:
                error = event.step_failure_data.error
                message = f"{message}\n{(error.cause or error).message.strip()}"
            yield LogEntry(
                iso(entry.timestamp * 1000) or "",
                _LEVELS.get(int(entry.level), "INFO"),
                message,
                entry.step_key,
                None if event is None else event.event_type_value,
            )
        if not page.has_more:
            return
        cursor = page.cursor
