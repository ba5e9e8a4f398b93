"""What changed, and what a change reaches."""

from __future__ import annotations

from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from lineage.graph.diff import diff
from lineage.graph.impact import impact_of
from pipelines.server.answers import Difference, Impact
from pipelines.server.operations import (
    KEY,
    AsOf,
    Columns,
    Depth,
    Id,
    IsOpen,
    answers,
    json_answer,
    known_parameters,
)
from pipelines.server.served import Here

router = APIRouter(prefix="/api/v1/lineage", tags=["lineage"], dependencies=[Depends(known_parameters)])

Partition = Annotated[str, Query(pattern=KEY, description="A partition: the newest graph at or before it.")]


@router.get(
    "/impact",
    operation_id="get_impact",
    summary="What a change reaches",
    responses=answers(Impact, 404, 409, 503),
)
async def impact(
    here: Here,
    id: Annotated[list[Id], Query(min_length=1, max_length=100)],
    depth: Depth = None,
    columns: Columns = False,
    is_open: IsOpen = False,
    as_of: AsOf = None,
) -> Response:
    """Everything downstream of the resources, counted by kind and by owner."""
    reading = await here.graphs.reading(as_of)

    def work() -> dict[str, Any]:
        return impact_of(reading.around(id, is_open=is_open), id, depth, columns=columns).to_dict()

    quick = len(id) == 1 and reading.has_view(is_open=is_open)
    return json_answer(await reading.ask(work, quick=quick))


@router.get("/diff", operation_id="get_diff", summary="What differs", responses=answers(Difference, 404, 503))
async def difference(here: Here, before: Partition, after: Partition) -> Response:
    """What came, went and changed from one partition to another, and what lost its source by that."""
    sides = [await here.graphs.reading(key) for key in (before, after)]
    return json_answer(await to_thread.run_sync(lambda: diff(sides[0].graph, sides[1].graph).to_dict()))
