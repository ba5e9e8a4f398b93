"""Flow runs and their metrics, as the client asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from pipelines.client.calls import Calls, segment
from pipelines.server.run_answers import ExternalRun, FlowRun, Launched, LogEntry, Metric, Run, WorkResult

Status = Literal["QUEUED", "RUNNING", "SUCCESS", "WARNING", "FAILED", "CANCELED"]
# As a text `2026-11-20`, `2026-11-20T15:00` (UTC), or so long ago: `7d`, `12h`, `30m`.
Moment = datetime | str
_PAGE = 1000


class Runs:
    """What ran, and how it ended. A run is named by its number, its id, or a unique beginning or ending of that."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(
        self,
        *,
        flow: str | None = None,
        status: Status | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int = 100,
    ) -> list[FlowRun]:
        """At most `limit` (1 to 1000) flow runs, the newest first."""
        given = {"flow": flow, "status": status, **_between(since, until)}
        found: list[FlowRun] = self._calls.items("/runs", **given, limit=limit)
        return found

    def iterate(
        self,
        *,
        flow: str | None = None,
        status: Status | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
    ) -> Iterator[FlowRun]:
        """All of them, page after page."""
        given = {"flow": flow, "status": status, **_between(since, until)}
        return self._calls.pages("/runs", **given, limit=_PAGE)

    def get(self, run: str | int) -> Run:
        """A run with its flow runs."""
        found: Run = self._calls.get(_path(run))
        return found

    def log(self, run: str | int) -> Iterator[LogEntry]:
        """What it wrote down, the oldest line first, page after page."""
        return self._calls.pages(f"{_path(run)}/log", limit=_PAGE)

    def result(self, run: str | int) -> WorkResult | None:
        """What a preview or a check found; None while it runs."""
        found = self._calls.get(f"{_path(run)}/result")
        return None if found.keys() == {"status"} else found

    def cancel(self, run: str | int) -> Launched:
        """Asks a run to end; it ends soon. Needs a token with the scope `write`."""
        found: Launched = self._calls.post(f"{_path(run)}/cancel", None)
        return found

    def external(
        self,
        *,
        connection: str | None = None,
        status: Status | None = None,
        since: Moment | None = None,
        limit: int = 100,
    ) -> Sequence[ExternalRun]:
        """At most `limit` (1 to 1000) runs of other systems, the newest first."""
        given = {"connection": connection, "status": status, **_between(since, None)}
        found: list[ExternalRun] = self._calls.items("/external_runs", **given, limit=limit)
        return found


class RunMetrics:
    """Sums of what runs did with each dataset, all of them, the newest first, page after page."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def by_run(
        self,
        *,
        flow: str | None = None,
        dataset: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
    ) -> Iterator[Metric]:
        """Of each run."""
        given = {"flow": flow, "dataset": dataset, **_between(since, until)}
        return self._calls.pages("/metrics", by="run", **given, limit=_PAGE)

    def by_day(
        self,
        *,
        flow: str | None = None,
        dataset: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
    ) -> Iterator[Metric]:
        """Of each UTC day; a run counts for that of its creation."""
        given = {"flow": flow, "dataset": dataset, **_between(since, until)}
        return self._calls.pages("/metrics", by="day", **given, limit=_PAGE)


def _path(run: str | int) -> str:
    return f"/runs/{segment(str(run))}"


def _between(since: Moment | None, until: Moment | None) -> dict[str, str | None]:
    return {name: _written(moment) for name, moment in (("since", since), ("until", until))}


def _written(moment: Moment | None) -> str | None:
    return moment.isoformat() if isinstance(moment, datetime) else moment
