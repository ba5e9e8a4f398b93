"""Routes: metrics of resources by run and by day, and of flows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipelines.flow_runs.model import Metric, of_iso
from pipelines.server.nexla.answering import MOST, Here, answer, moment, page_meta, whole
from pipelines.server.nexla.desk import Desk, measured, origin_of
from pipelines.server.nexla.estate import SETS, SINKS, SOURCES
from pipelines.server.nexla.flow_trees import flow_tree, resources_of
from pipelines.server.nexla.flows import known_kind

Json = dict[str, Any]
router = APIRouter()


@router.get("/{kind}/{number:int}/metrics/run_summary")
def by_run(request: Request, here: Here, kind: str, number: int) -> Response:
    """Rows, the newest run first; without `groupby=runId` all runs in one."""
    which = measured(here.estate, known_kind(kind), number)
    page, size = whole(request, "page", 1, least=1), whole(request, "size", 20, least=1, most=MOST)
    data_set = _data_set(here, kind, number)
    if request.query_params.get("groupby") != "runId":
        every = which.by(here.runs, "run")
        last = max((of_iso(one.ended_at) or 0 for one in every), default=None)
        rows = [{"lastWritten": last, "dataSetId": data_set, **_sums(every)}] if every else []
        return answer({"status": 200, "metrics": {"data": rows, "meta": page_meta(1, 1, len(rows))}})
    found = which.by(here.runs, "run", limit=size, offset=(page - 1) * size)
    rows = [
        {
            "runId": one.run_number,
            "dataSetId": data_set,
            **_sums([one]),
            "status": one.status,
            "startTime": of_iso(one.started_at),
            "endTime": of_iso(one.ended_at),
        }
        for one in found
    ]
    meta = page_meta(page, size, here.runs.count_runs(whose=which.whose, dataset=which.dataset))
    return answer({"status": 200, "metrics": {"data": rows, "meta": meta}})


@router.get("/{kind}/{number:int}/metrics")
def by_day(request: Request, here: Here, kind: str, number: int) -> Response:
    """UTC days from the oldest on; a run counts for the day of its id."""
    which = measured(here.estate, known_kind(kind), number)
    since, until = moment(request, "from"), moment(request, "to", ends=True)
    days = which.by(here.runs, "day", since=since, until=until)
    return answer({"status": 200, "metrics": [{"time": one.day, **_sums([one])} for one in reversed(days)]})


@router.get("/{kind}/{number:int}/flow/metrics")
@router.get("/data_flows/{kind}/{number:int}/metrics")
def of_flow(request: Request, here: Here, kind: str, number: int) -> Response:
    """Sums of each resource of a flow; with `groupby=runId` those of each run, in pages of runs."""
    connection = origin_of(here.estate, known_kind(kind), number)
    since, until = moment(request, "from"), moment(request, "to", ends=True)
    numbers = resources_of(flow_tree(here.estate, connection, ""))
    found = {
        (one_kind, one): measured(here.estate, one_kind, one).by(here.runs, "run", since=since, until=until)
        for one_kind in (SOURCES, SETS, SINKS)
        for one in sorted(numbers[one_kind])
    }
    told = {"status": 200, "message": "Ok"}
    if request.query_params.get("groupby") != "runId":
        return answer({**told, "metrics": {"data": _sides(found), "meta": page_meta(1, 1, 1)}})
    runs = sorted({one.run_number or 0 for some in found.values() for one in some}, reverse=True)
    page, size = whole(request, "page", 1, least=1), whole(request, "per_page", 100, least=1, most=MOST)
    data = {
        str(run): _sides({key: [one for one in some if one.run_number == run] for key, some in found.items()})
        for run in runs[(page - 1) * size : page * size]
    }
    return answer({**told, "metrics": {"data": data, "meta": page_meta(page, size, len(runs))}})


def _data_set(here: Desk, kind: str, number: int) -> int:
    """The data set that a row names: a source's first, or 0 where it has none."""
    if kind == SETS:
        return number
    if kind == SOURCES:
        return next((one.id for one in here.estate.detected_by(here.estate.sources[number])), 0)
    key = here.estate.sinks[number].data_set
    return here.estate.set_by_key[key].id if key else 0


def _sides(found: dict[tuple[str, int], list[Metric]]) -> Json:
    return {
        kind: [{"id": one, "metric": _sums(some)} for (of, one), some in found.items() if of == kind]
        for kind in (SOURCES, SETS, SINKS)
    }


def _sums(metrics: Sequence[Metric]) -> Json:
    return {
        "records": sum(one.records for one in metrics),
        "size": sum(one.size_bytes for one in metrics),
        "errors": sum(one.errors for one in metrics),
    }
