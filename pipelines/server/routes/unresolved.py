"""What did not resolve."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from pipelines.server.answers import UnresolvedPage
from pipelines.server.operations import (
    USUAL_LIMIT,
    AsOf,
    Cursor,
    Limit,
    answers,
    json_answer,
    known_parameters,
)
from pipelines.server.paging import page, page_dict, read_cursor
from pipelines.server.served import Here

router = APIRouter(prefix="/api/v1/unresolved", tags=["lineage"], dependencies=[Depends(known_parameters)])

Reason = Literal[
    "not_found",
    "ambiguous",
    "ambiguous_column",
    "undeclared_internal",
    "unsupported_pair",
    "sql_parse_error",
    "sql_unsupported",
    "sql_budget",
]


@router.get(
    "",
    operation_id="list_unresolved",
    summary="What did not resolve",
    responses=answers(UnresolvedPage, 404, 503),
)
async def unresolved(
    here: Here,
    connection: Annotated[str | None, Query(max_length=200, description="Of this connection only.")] = None,
    reason: Annotated[Reason | None, Query(description="For this reason only.")] = None,
    limit: Limit = USUAL_LIMIT,
    cursor: Cursor = None,
    as_of: AsOf = None,
) -> Response:
    """References without an edge, why, and what they may have meant."""
    after = read_cursor(cursor, (str, str, str, int))
    reading = await here.graphs.reading(as_of)
    wanted = reading.unresolved
    if connection is not None or reason is not None:
        wanted = [
            one
            for one in wanted
            if connection in (None, one.told["connection"]) and reason in (None, one.told["reason"])
        ]
    shown, following = page(wanted, lambda one: one.place, after, limit)
    return json_answer(page_dict([one.told for one in shown], following))
