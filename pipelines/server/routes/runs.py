"""Flow runs: what ran, how it ended, what it wrote down, what a preview or a check found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from connectors.model.external_run import RunStatus
from pipelines.external_runs import read_external_runs
from pipelines.flow_runs import FlowRun
from pipelines.flow_runs.ledger import RunRow
from pipelines.flow_runs.logs import run_log
from pipelines.flow_runs.model import LOST
from pipelines.project import Project
from pipelines.server.moments import Moment
from pipelines.server.operations import USUAL_LIMIT, Cursor, Limit, answers, json_answer, known_parameters
from pipelines.server.paging import page_dict, read_cursor, write_cursor
from pipelines.server.problems import ApiProblem
from pipelines.server.run_answers import ExternalRuns, FlowRunPage, LogPage, Run, UnderWay, WorkResult
from pipelines.server.served import Here

router = APIRouter(prefix="/api/v1", tags=["runs"], dependencies=[Depends(known_parameters)])

LARGEST = 2**53  # of a number in a cursor
Status = Literal["QUEUED", "RUNNING", "SUCCESS", "WARNING", "FAILED", "CANCELED"]
Flow = Annotated[
    str | None, Query(max_length=200, description="Of this connection and all that hangs from it.")
]
RunText = Annotated[
    str,
    Path(
        alias="id",
        min_length=1,
        max_length=100,
        description="Its number, its id, or a unique ending of that.",
    ),
]


@router.get("/runs", operation_id="list_runs", summary="Flow runs", responses=answers(FlowRunPage, 404, 503))
async def flow_runs(
    here: Here,
    flow: Flow = None,
    status: Annotated[Status | None, Query(description="That ended, or stand, so.")] = None,
    since: Annotated[Moment | None, Query(description="Of runs that were not created before then.")] = None,
    until: Annotated[Moment | None, Query(description="Of runs that were created before then.")] = None,
    limit: Limit = USUAL_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """The newest first: a connection's part of a run of Dagster, and that of all that hangs from it."""
    known_connection(here.project, flow)
    before = read_cursor(cursor, (int, str))

    def work() -> dict[str, Any]:
        place = (min(before[0], LARGEST), before[1]) if before else None
        found = here.runs.find(
            flow=flow, status=status, since=since, until=until, before=place, limit=limit + 1
        )
        shown = found[:limit]
        last = (shown[-1].run_number, shown[-1].flow) if len(found) > limit else None
        return page_dict([one.to_dict() for one in shown], write_cursor(last) if last else None)

    return json_answer(await to_thread.run_sync(work))


@router.get("/runs/{id}", operation_id="get_run", summary="One run", responses=answers(Run, 404, 409, 503))
async def run(here: Here, text: RunText) -> Response:
    """A run of Dagster and its flow runs: none for a preview or a check, and until it is recorded: `status` is null
    then.
    """

    def work() -> dict[str, Any]:
        run_id, row = here.projected.find(text)
        flows = here.runs.of_run(row) if row else []
        return {
            "id": run_id,
            "run_number": row.number if row else None,
            "status": row.status if row else None,
            "trigger": row.trigger if row else None,
            "error": _why(row, flows) if row else None,
            "link": f"/runs/{run_id}",
            "flows": [one.to_dict() for one in flows],
        }

    return json_answer(await to_thread.run_sync(work))


@router.get(
    "/runs/{id}/log",
    operation_id="get_run_log",
    summary="The log of a run",
    responses=answers(LogPage, 404, 409, 503),
)
async def log(here: Here, text: RunText, limit: Limit = USUAL_LIMIT, cursor: Cursor = None) -> Response:
    """The oldest line first. Of a run that is under way more may follow what is the last page now."""
    (start,) = read_cursor(cursor, (int,)) or (0,)
    if not 0 <= start <= LARGEST:
        raise ApiProblem(422, "cursor: is none that this list gave")

    def work() -> dict[str, Any]:
        lines = run_log(here.projected.instance, here.projected.id_of(text))
        found = [one.to_dict() for one in islice(lines, start, start + limit + 1)]
        return page_dict(found[:limit], write_cursor((start + limit,)) if len(found) > limit else None)

    return json_answer(await to_thread.run_sync(work))


@router.get(
    "/runs/{id}/result",
    operation_id="get_run_result",
    summary="What a preview or a check found",
    responses=answers(WorkResult, 404, 409, 503)
    | {202: {"description": "It has not ended.", "model": UnderWay}},
)
async def result(here: Here, text: RunText) -> Response:
    """Samples are masked as in Dagster's records. 202 while it runs."""

    def work() -> tuple[Mapping[str, Any], int]:
        run_id = here.projected.id_of(text)
        found = here.launcher.result(run_id)
        if found is not None:
            return found, 200
        row = here.projected.row_of(run_id)
        return {"status": row.status if row else None}, 202

    return json_answer(*await to_thread.run_sync(work))


@router.get(
    "/external_runs",
    operation_id="list_external_runs",
    summary="Runs of other systems",
    responses=answers(ExternalRuns, 404, 503),
)
async def external_runs(
    here: Here,
    connection: Annotated[str | None, Query(max_length=200, description="That this one told of.")] = None,
    status: Annotated[
        RunStatus | None,
        Query(description="That ended, or stand, so; of the newest 10,000 of each connection."),
    ] = None,
    since: Annotated[Moment | None, Query(description="That were not started before then.")] = None,
    limit: Limit = USUAL_LIMIT,
) -> Response:
    """dbt's, Airflow's, Spark's, as connections told of them; the newest first."""
    known_connection(here.project, connection)
    names = [connection] if connection else list(here.project.connections)

    def work() -> dict[str, Any]:
        found = read_external_runs(here.store, names, status=status, since=since, limit=limit)
        return {"items": found}

    return json_answer(await to_thread.run_sync(work))


def _why(row: RunRow, flows: Sequence[FlowRun]) -> str | None:
    """Why a run failed, None of one that did not: in the words of what failed in it, where that was recorded."""
    if row.error in (None, LOST):
        return row.error
    return next((one.error for one in flows if one.error), "its log says why")


def known_connection(project: Project, name: str | None) -> None:
    """Raises ApiProblem (404) for a name that no connection has."""
    if name is not None and name not in project.connections:
        raise ApiProblem(
            404, f"no connection is named {name}", hint=f"there are {', '.join(project.connections)}"
        )
