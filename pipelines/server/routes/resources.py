"""Resources: searched, listed, one."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from connectors.errors import LineageError
from lineage.graph.search import Term, parse_words, place_among, search
from pipelines.server.answers import Resource, ResourcePage
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
from pipelines.server.problems import ApiProblem
from pipelines.server.reading import Reading
from pipelines.server.served import Here

router = APIRouter(prefix="/api/v1/resources", tags=["resources"], dependencies=[Depends(known_parameters)])

Words = Annotated[
    str | None,
    Query(
        max_length=2000,
        description="Words, all of which are in its name, id, description, owners or tags, or fields as type:chart, "
        "owner:ada, column:amount, tag:pii, connection:bi. Without any: all resources, by id.",
    ),
]


@router.get(
    "", operation_id="find_resources", summary="Find resources", responses=answers(ResourcePage, 404, 503)
)
async def find(
    here: Here,
    q: Words = None,
    limit: Limit = USUAL_LIMIT,
    cursor: Cursor = None,
    as_of: AsOf = None,
) -> Response:
    """Those whose title is a word come first, then tables before their columns."""
    try:
        terms = parse_words(q.split() if q else [])
    except LineageError as error:
        raise ApiProblem(422, f"q: {error.message}", hint=error.hint) from None
    after = read_cursor(cursor, (bool, bool, str) if terms else (str,))
    reading = await here.graphs.reading(as_of)
    if not terms:
        return json_answer(await reading.ask(lambda: _by_id(reading, after, limit)))
    return json_answer(await reading.ask(lambda: _found(reading, terms, after, limit)))


@router.get(
    "/{id:path}",
    operation_id="get_resource",
    summary="One resource",
    responses=answers(Resource, 404, 409, 503),
)
async def get(
    here: Here,
    id: Annotated[str, Path(min_length=1, description="Its id, an alias, or a unique ending of one.")],
    as_of: AsOf = None,
) -> Response:
    """With every set field."""
    reading = await here.graphs.reading(as_of)
    return json_answer(await reading.ask(lambda: reading.graph.resource(id)))


def _by_id(reading: Reading, after: tuple[Any, ...] | None, limit: int) -> dict[str, Any]:
    graph = reading.graph

    def place(number: int) -> tuple[str]:
        return (graph.ids_of(np.array([number], np.int32))[0],)

    numbers, following = page(range(graph.topology.nodes), place, after, limit)
    return page_dict(graph.resources_at(np.array(numbers, np.int32)), following)


def _found(reading: Reading, terms: list[Term], after: tuple[Any, ...] | None, limit: int) -> dict[str, Any]:
    found = search(reading.graph.nodes, terms)
    return page_dict(*page(found, place_among(terms), after, limit))
