"""Receives OpenLineage events, at the path that OpenLineage's clients use."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from pipelines.server.answers import Received
from pipelines.server.event_inbox import receive
from pipelines.server.operations import answers, json_answer, known_parameters
from pipelines.server.problems import ApiProblem
from pipelines.server.served import Here

router = APIRouter(prefix="/api/v1/lineage", tags=["lineage"], dependencies=[Depends(known_parameters)])

_EVENT = {
    "type": "object",
    "required": ["eventTime"],
    "properties": {
        "eventTime": {"type": "string", "format": "date-time"},
        "eventType": {"type": "string"},
        "run": {"type": "object"},
        "job": {"type": "object"},
        "inputs": {"type": "array"},
        "outputs": {"type": "array"},
    },
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"oneOf": [_EVENT, {"type": "array", "items": _EVENT}]}}},
    }
}


@router.post(
    "",
    operation_id="receive_events",
    summary="Receive OpenLineage events",
    status_code=201,
    responses=answers(Received, 409, 415, 503, status=201),
    openapi_extra=_BODY,
)
async def events(
    here: Here,
    request: Request,
    connection: Annotated[str | None, Query(max_length=200, description="The one that reads them.")] = None,
) -> Response:
    """One event, or a list of them, all or none. The next sync of the connection that reads them takes them up."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ApiProblem(415, "the body is compressed", hint="send it as it is")
    if (
        request.headers.get("content-type", "application/json").partition(";")[0].strip()
        != "application/json"
    ):
        raise ApiProblem(415, "the body is not application/json")
    try:
        given: Any = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise ApiProblem(422, f"the body is not JSON: {error.msg}") from None
    found = given if isinstance(given, list) else [given]
    name = await to_thread.run_sync(receive, here.project, found, connection)
    return json_answer({"received": len(found), "connection": name}, 201)
