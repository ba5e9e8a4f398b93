"""Flow runs and their metrics, read from the ledger. Knows no Dagster."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Any, Literal

from connectors.errors import RunError
from pipelines.flow_runs.ledger import Ledger, PartRow, RunRow
from pipelines.flow_runs.model import DatasetRun, FlowRun, Metric, iso, worst
from pipelines.flows import datasets_of
from pipelines.project import Project
from pipelines.statuses import QUEUED, RUNNING

_LARGE_PAGE = 200
_SUMS = ("name", "records", "size_bytes", "errors", "quarantined", "runs")
_name = attrgetter("dataset")


class FlowRuns:
    """The flow runs of a project, as they were at the ledger's last refresh.

    A run's part in a dataset that several connections feed counts for the flows of those that ran with it; for all of
    them where none did.
    """

    def __init__(self, project: Project, ledger: Ledger) -> None:
        self._ledger = ledger
        hanging = {name: _hanging(project, name) for name in project.connections}
        self.flows: Mapping[str, Collection[str]] = {name: {name, *some} for name, some in hanging.items()}
        self._fed_by: dict[str, list[str]] = {}
        for name, some in hanging.items():
            for one in some:
                self._fed_by.setdefault(one, []).append(name)
        self._names = sorted({*self.flows, *self._fed_by})

    def find(
        self,
        *,
        flow: str | None = None,
        status: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        before: tuple[int, str] | None = None,
        limit: int = 100,
    ) -> list[FlowRun]:
        """The newest first, at most `limit`; of runs created from `since` to before `until`. `before` is the number and
        the flow of the last one that is known already.
        """
        found: list[FlowRun] = []
        last = before[0] + 1 if before else None
        page = limit
        while len(found) < limit:
            numbers = self._numbers(flow, since, until, last, page, status)
            for one in self._of(numbers):
                known = before is not None and (-one.run_number, one.flow) <= (-before[0], before[1])
                if not known and flow in (None, one.flow) and status in (None, one.status):
                    found.append(one)
            if len(numbers) < page:
                break
            last, page = numbers[-1], max(_LARGE_PAGE, limit)
        return found[:limit]

    def run(self, text: str) -> RunRow:
        """One run, of a flow or of none: by its number, its id, or an id's unique beginning or ending.

        Raises RunError where there is no such run, or there are several.
        """
        whole = self._ledger.runs("number = ? OR id = ?", (text, text))
        if not whole and text.strip():
            ends = "instr(id, ?) = 1 OR substr(id, -length(?)) = ? LIMIT 11"
            whole = self._ledger.runs(ends, (text, text, text))
        if not whole:
            raise RunError(f"there is no run {text}", hint="`headwater runs` lists them", unknown=text)
        if len(whole) > 1:
            named = ", ".join(run.id for run in whole[:10])
            raise RunError(f"{text} could be several runs: {named}", hint="give more of the id")
        return whole[0]

    def of_run(self, run: RunRow) -> list[FlowRun]:
        """Its flow runs; none where it is of no flow that the project has."""
        return list(self._of_run(run, self._ledger.parts([run.number])[run.number]))

    def metrics(
        self,
        by: Literal["run", "day"],
        *,
        flow: str | None = None,
        dataset: str | None = None,
        whose: str | None = None,
        together: bool = False,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Metric]:
        """Sums of each dataset by run or UTC day, the newest first. `whose` is a connection, of all that its own runs
        gave, `datasets/<name>` or `sinks/<sink>/<dataset>`; `together` sums all datasets, under no name.
        """
        where, values = self._where(flow, dataset, since, until, whose)
        sums = ", ".join(f"sum(p.{one}) AS {one}" for one in _SUMS[1:5])
        rest = "LIMIT ? OFFSET ?"
        values += [-1 if limit is None else limit, offset]
        day = "date(p.number / 1000, 'unixepoch')"
        name = "''" if together else "p.dataset"
        if by == "day":
            query = (
                f"SELECT {name} AS name, {sums}, count(DISTINCT p.number) AS runs, {day} AS day FROM part p "
            )
            query += f"WHERE {where} GROUP BY day, name ORDER BY day DESC, name {rest}"
            found = [Metric(*row) for row in self._ledger.ask_at_once((*_SUMS, "day"), query, values)]
            return sorted(sorted(found, key=_name), key=attrgetter("day"), reverse=True)
        query = (
            f"SELECT {name} AS name, {sums}, 1 AS runs, {day} AS day, p.number AS number, r.id AS id, "
            "group_concat(p.status) AS statuses, min(p.started_ms) AS started, max(p.ended_ms) AS ended "
            f"FROM part p JOIN run r ON r.number = p.number WHERE {where} "
            f"GROUP BY p.number, name ORDER BY p.number DESC, name {rest}"
        )
        columns = (*_SUMS, "day", "number", "id", "statuses", "started", "ended")
        found = [
            replace(
                Metric(*row[:9]),
                status=worst(row[9].split(",")),
                started_at=iso(row[10]),
                ended_at=iso(row[11]),
            )
            for row in self._ledger.ask_at_once(columns, query, values)
        ]
        return sorted(sorted(found, key=_name), key=attrgetter("run_number"), reverse=True)

    def count_runs(
        self,
        *,
        dataset: str | None = None,
        whose: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> int:
        """How many runs had to do with a dataset, or with all that `whose` is."""
        where, values = self._where(None, dataset, since, until, whose)
        query = f"SELECT count(DISTINCT p.number) FROM part p WHERE {where}"
        return int(self._ledger.ask(query, values)[0][0])

    # -- which runs

    def _numbers(
        self,
        flow: str | None,
        since: datetime | None,
        until: datetime | None,
        before: int | None,
        limit: int,
        status: str | None = None,
    ) -> list[int]:
        """The newest runs, with a status those of which a part has it: a whole's is one of its parts'."""
        where, values = self._where(flow, None, since, until)
        if status is not None:
            where += " AND p.status IN (?, ?)"
            values += [status, QUEUED if status == RUNNING else status]
        if before is not None:
            where += " AND p.number < ?"
            values.append(before)
        query = f"SELECT DISTINCT p.number AS number FROM part p WHERE {where} ORDER BY p.number DESC LIMIT ?"
        rows = self._ledger.ask_at_once(["number"], query, [*values, limit])
        return sorted((row[0] for row in rows), reverse=True)

    def numbers(self, flow: str, limit: int) -> list[int]:
        """The numbers of the newest runs that a flow had to do with."""
        return self._numbers(flow, None, None, None, limit)

    def _where(
        self,
        flow: str | None,
        dataset: str | None,
        since: datetime | None,
        until: datetime | None,
        whose: str | None = None,
    ) -> tuple[str, list[Any]]:
        names = [whose] if whose else self._names if flow is None else sorted(self.flows[flow])
        terms, values = [f"p.whose IN ({_marks(names)})"], list[Any](names)
        if flow is not None:
            for others, shared in self._shared_with(flow).items():
                # What `_of_run` says of parts that several connections feed.
                ran = "SELECT 1 FROM part q WHERE q.number = p.number AND q.whose"
                terms.append(
                    f"(p.whose NOT IN ({_marks(shared)}) OR EXISTS ({ran} = ?) OR NOT EXISTS ({ran} IN "
                    f"({_marks(others)})))"
                )
                values += [*shared, flow, *others]
        if dataset is not None:
            terms.append("p.dataset = ?")
            values.append(dataset)
        for sign, moment in ((">=", since), ("<", until)):
            if moment is not None:
                terms.append(f"p.number {sign} ?")
                values.append(int(moment.timestamp() * 1000))
        return " AND ".join(terms), values

    def _shared_with(self, flow: str) -> dict[tuple[str, ...], list[str]]:
        """Whose parts other connections feed too, by those."""
        found: dict[tuple[str, ...], list[str]] = {}
        for name in sorted(self.flows[flow]):
            if others := tuple(one for one in self._fed_by.get(name, ()) if one != flow):
                found.setdefault(others, []).append(name)
        return found

    # -- what is shown of them

    def _of(self, numbers: Sequence[int]) -> Iterator[FlowRun]:
        if not numbers:
            return
        runs = {run.number: run for run in self._ledger.runs(f"number IN ({_marks(numbers)})", numbers)}
        parts = self._ledger.parts(numbers)
        for number in numbers:
            if number in runs:
                yield from self._of_run(runs[number], parts[number])

    def _of_run(self, run: RunRow, parts: Sequence[PartRow]) -> Iterator[FlowRun]:
        present = {part.whose for part in parts} & set(self.flows)
        of_flow: dict[str, list[PartRow]] = {}
        for part in parts:
            feeding = [part.whose] if part.whose in self.flows else self._fed_by.get(part.whose, [])
            for flow in [one for one in feeding if one in present] or feeding:
                of_flow.setdefault(flow, []).append(part)
        for flow in sorted(of_flow):
            yield _flow_run(run, flow, of_flow[flow])


def _marks(values: Collection[Any]) -> str:
    return ", ".join("?" * len(values))


def _hanging(project: Project, connection: str) -> list[str]:
    """Whose runs belong to a flow beside the connection's own."""
    found = []
    for name in datasets_of(project, [connection]):
        found += [
            f"datasets/{name}",
            *(f"sinks/{sink}/{name}" for sink in project.datasets[name].model.sinks),
        ]
    return found


def _flow_run(run: RunRow, flow: str, parts: Sequence[PartRow]) -> FlowRun:
    catalogue = [part for part in parts if part.whose == flow]
    started = [part.started_ms for part in parts if part.started_ms is not None]
    ended = [part.ended_ms for part in parts]
    errors = dict.fromkeys(part.error for part in parts if part.error)
    datasets = dict.fromkeys(part.dataset for part in parts)
    return FlowRun(
        id=run.id,
        run_number=run.number,
        flow=flow,
        status=worst([part.status for part in parts]),
        trigger=run.trigger,
        attempt=run.attempt,
        partitions=_partitions(parts),
        started_at=iso(min(started, default=None)),
        ended_at=None if None in ended else iso(max(one for one in ended if one is not None)),
        complete=bool(catalogue) and all(part.complete for part in catalogue),
        resources=sum(part.resources for part in catalogue),
        warnings=sum(part.warnings for part in catalogue),
        error="; ".join(errors) or None,
        datasets=[_dataset_run(name, [part for part in parts if part.dataset == name]) for name in datasets],
    )


def _dataset_run(name: str, parts: Sequence[PartRow]) -> DatasetRun:
    started = [part.started_ms for part in parts if part.started_ms is not None]
    ended = [part.ended_ms for part in parts if part.ended_ms is not None]
    return DatasetRun(
        dataset=name,
        status=worst([part.status for part in parts]),
        records=sum(part.records for part in parts),
        size_bytes=sum(part.size_bytes for part in parts),
        errors=sum(part.errors for part in parts),
        quarantined=sum(part.quarantined for part in parts),
        started_at=iso(min(started, default=None)),
        ended_at=iso(max(ended)) if len(ended) == len(parts) else None,
        partitions=_partitions(parts),
        error="; ".join(dict.fromkeys(part.error for part in parts if part.error)) or None,
    )


def _partitions(parts: Sequence[PartRow]) -> list[str]:
    return sorted({part.partition for part in parts if part.partition})
