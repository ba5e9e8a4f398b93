"""Edges that people add and remove."""

from __future__ import annotations

from threading import Lock
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Body, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from pipelines.hand_edges import add_by_hand, remove_by_hand
from pipelines.server.answers import AddedEdge
from pipelines.server.operations import Id, answers, json_answer, known_parameters
from pipelines.server.problems import ApiProblem
from pipelines.server.served import Here, Served

router = APIRouter(prefix="/api/v1/edges", tags=["edges"], dependencies=[Depends(known_parameters)])

# Each builds the graph: at once they would do the same work twice, and one would undo what the other shows.
_one_at_a_time = Lock()


class NewEdge(BaseModel):
    """An edge to add. `note` is shown where the edge is explained."""

    model_config = ConfigDict(extra="forbid", strict=True)

    start: str = Field(alias="from", min_length=1, max_length=2000, pattern=r"^[^\x00]*$")
    end: str = Field(alias="to", min_length=1, max_length=2000, pattern=r"^[^\x00]*$")
    note: str | None = Field(default=None, max_length=4000, pattern=r"^[^\x00]*$")


@router.post(
    "",
    operation_id="add_edge",
    summary="Add an edge",
    status_code=201,
    responses=answers(AddedEdge, 400, 404, 409, 503, status=201),
)
async def add(here: Here, edge: Annotated[NewEdge, Body()]) -> Response:
    """From the newest partition on; no run removes it. The graph is built again, and the answer given when it shows
    the edge.
    """
    return json_answer(await to_thread.run_sync(_add, here, edge), 201)


@router.delete(
    "",
    operation_id="remove_edge",
    summary="Remove an edge",
    status_code=204,
    responses=answers(None, 404, 409, 503, status=204),
)
async def remove(
    here: Here, start: Annotated[Id, Query(alias="from")], end: Annotated[Id, Query(alias="to")]
) -> Response:
    """One that was added by hand; earlier partitions keep it."""
    await to_thread.run_sync(_remove, here, start, end)
    return Response(status_code=204)


def _add(here: Served, edge: NewEdge) -> dict[str, object]:
    with _one_at_a_time:
        graph = here.store.graph()
        ends = graph.find_id(edge.start), graph.find_id(edge.end)
        if ends[0] == ends[1]:
            raise ApiProblem(422, f"an edge from {ends[0]} to itself says nothing")
        known = [one for one in graph.explain(*ends) if (one["from"], one["to"]) == ends]
        if any(why["origin"] == "manual" for one in known for why in one["provenance"]):
            raise ApiProblem(409, f"an edge from {ends[0]} to {ends[1]} was added by hand already")
        add_by_hand(here.project, *ends, edge.note)
        here.graphs.look()
        return {"from": ends[0], "to": ends[1], "note": edge.note, "as_of": graph.as_of}


def _remove(here: Served, start: str, end: str) -> None:
    with _one_at_a_time:
        try:
            remove_by_hand(here.project, start, end)
        finally:
            here.graphs.look()
