"""The project's connections: what they are and what the graph has of them, never how they log in."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from pipelines.project import Project
from pipelines.server.answers import Connection, ConnectionPage
from pipelines.server.operations import USUAL_LIMIT, Cursor, Limit, answers, json_answer, known_parameters
from pipelines.server.paging import page, page_dict, read_cursor
from pipelines.server.problems import ApiProblem
from pipelines.server.reading import Reading
from pipelines.server.served import Here

router = APIRouter(
    prefix="/api/v1/connections", tags=["connections"], dependencies=[Depends(known_parameters)]
)


@router.get("", operation_id="list_connections", summary="The connections", responses=answers(ConnectionPage))
async def connections(here: Here, limit: Limit = USUAL_LIMIT, cursor: Cursor = None) -> Response:
    """By name."""
    after = read_cursor(cursor, (str,))
    project, reading = here.project, here.graphs.newest
    names, following = page(sorted(project.connections), lambda name: (name,), after, limit)
    return json_answer(page_dict([_told(project, reading, name) for name in names], following))


@router.get(
    "/{name}", operation_id="get_connection", summary="One connection", responses=answers(Connection, 404)
)
async def connection(here: Here, name: Annotated[str, Path(min_length=1, max_length=200)]) -> Response:
    """A connection of the project's file."""
    if name not in here.project.connections:
        raise ApiProblem(
            404, f"no connection is named {name}", hint=f"there are {', '.join(here.project.connections)}"
        )
    return json_answer(_told(here.project, here.graphs.newest, name))


def _told(project: Project, reading: Reading | None, name: str) -> dict[str, Any]:
    model = project.connection(name)
    sources = reading.graph.header.sources if reading else ()
    taken = [source for source in sources if source["connection"] == name]
    last = max(taken, key=lambda source: source["partition"], default=None)
    return {
        "name": name,
        "connector": model.connector,
        "instance": model.instance or name,
        "schedule": model.schedule,
        "last_partition": last["partition"] if last else None,
        "run_id": last["run_id"] if last else None,
        "resources": reading.resources_of.get(name, 0) if reading else 0,
        "unresolved": reading.unresolved_of.get(name, 0) if reading else 0,
    }
