"""What runs did with each dataset, by run or by day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from pipelines.flow_runs import Metric
from pipelines.server.moments import Moment
from pipelines.server.operations import USUAL_LIMIT, Cursor, Limit, answers, json_answer, known_parameters
from pipelines.server.paging import page_dict, read_cursor, write_cursor
from pipelines.server.problems import ApiProblem
from pipelines.server.routes.runs import LARGEST, Flow, known_connection
from pipelines.server.run_answers import MetricPage
from pipelines.server.served import Here

router = APIRouter(prefix="/api/v1/metrics", tags=["runs"], dependencies=[Depends(known_parameters)])

By = Literal["run", "day"]
Place = tuple[Any, int]  # a run's number or a day, and how many lines of it were shown


@router.get(
    "", operation_id="list_metrics", summary="Sums by run or by day", responses=answers(MetricPage, 404, 503)
)
async def metrics(
    here: Here,
    by: Annotated[By, Query(description="Sums of what.")] = "day",
    flow: Flow = None,
    dataset: Annotated[
        str | None,
        Query(max_length=2000, description="Of one: datasets/orders_tidy, warehouse/shop.sales.orders."),
    ] = None,
    since: Annotated[Moment | None, Query(description="Of runs that were not created before then.")] = None,
    until: Annotated[Moment | None, Query(description="Of runs that were created before then.")] = None,
    limit: Limit = USUAL_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """Records, bytes, errors and quarantined records of each dataset, the newest first. A run counts for the UTC day
    of its creation, so that the sums of days are the sums of runs.
    """
    known_connection(here.project, flow)
    after: Any = read_cursor(cursor, (int if by == "run" else str, int))
    ends = [one for one in (until, _end_of(after)) if one]

    def work() -> dict[str, Any]:
        found = here.runs.metrics(
            by,
            flow=flow,
            dataset=dataset,
            since=since,
            until=min(ends, default=None),
            limit=limit + 1,
            offset=after[1] if after else 0,
        )
        shown = found[:limit]
        following = write_cursor(_place(by, shown, after)) if len(found) > limit else None
        return page_dict([one.to_dict() for one in shown], following)

    return json_answer(await to_thread.run_sync(work))


def _place(by: By, shown: Sequence[Metric], after: Place | None) -> Place:
    wholes = [one.run_number if by == "run" else one.day for one in shown]
    last = wholes[-1]
    before = after[1] if after and after[0] == last else 0
    return last, wholes.count(last) + before


def _end_of(after: Place | None) -> datetime | None:
    """Just after the run or the day in which a page ended. Raises ApiProblem (422) for a cursor that no page gave."""
    if after is None:
        return None
    whole, shown = after
    try:
        if not 0 < shown <= LARGEST:
            raise ValueError
        if isinstance(whole, str):
            return datetime.strptime(whole, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
        # A run's number is its millisecond. Half of one more, or a fraction that is rounded off would lose it.
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=whole + 1, microseconds=500)
    except (ValueError, OverflowError):
        raise ApiProblem(422, "cursor: is none that this list gave") from None
