"""Questions to the graph: what is upstream, what is downstream, which way leads there, why, and all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import orjson
from anyio import to_thread
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response, StreamingResponse

from lineage.graph.lift import LEVELS
from lineage.graph.topology import Direction
from lineage.graph.traverse import LineageGraph
from pipelines.graph_answers import reached_dict
from pipelines.server.answers import Explanation, Graph, Reached, Way
from pipelines.server.operations import (
    AsOf,
    Columns,
    Depth,
    Id,
    IsOpen,
    LevelName,
    answers,
    json_answer,
    known_parameters,
)
from pipelines.server.problems import ApiProblem
from pipelines.server.reading import Reading
from pipelines.server.served import Here, Served

router = APIRouter(prefix="/api/v1/lineage", tags=["lineage"], dependencies=[Depends(known_parameters)])

_PIECE = 2000  # nodes or edges of an export that are put together at a time
From = Annotated[Id, Query(alias="from")]
To = Annotated[Id, Query(alias="to")]
_OF_A_GRAPH = (404, 409, 503)


@router.get(
    "/upstream",
    operation_id="get_upstream",
    summary="Where it comes from",
    responses=answers(Reached, *_OF_A_GRAPH),
)
async def upstream(
    here: Here,
    id: Id,
    depth: Depth = None,
    columns: Columns = False,
    level: LevelName = None,
    is_open: IsOpen = False,
    as_of: AsOf = None,
) -> Response:
    """Every resource that it draws from, its distance in hops, and the edges between them."""
    return await _reached(here, "upstream", id, depth, columns, level, is_open, as_of)


@router.get(
    "/downstream",
    operation_id="get_downstream",
    summary="What it reaches",
    responses=answers(Reached, *_OF_A_GRAPH),
)
async def downstream(
    here: Here,
    id: Id,
    depth: Depth = None,
    columns: Columns = False,
    level: LevelName = None,
    is_open: IsOpen = False,
    as_of: AsOf = None,
) -> Response:
    """Every resource that draws from it, its distance in hops, and the edges between them."""
    return await _reached(here, "downstream", id, depth, columns, level, is_open, as_of)


async def _reached(
    here: Served,
    direction: Direction,
    identifier: str,
    depth: int | None,
    columns: bool,
    level: LevelName,
    is_open: bool,
    as_of: str | None,
) -> Response:
    if columns and level not in (None, "column"):
        raise ApiProblem(422, "columns and level: give either of them")
    reading = await here.graphs.reading(as_of)
    higher = level if level in LEVELS[2:] else None

    def work() -> dict[str, Any]:
        view = reading.around([identifier], is_open=is_open)
        lifted = reading.lifted(view, higher) if higher else None
        ask = getattr(lifted or view, direction)
        return reached_dict(view, lifted, ask(identifier, depth, columns=columns or level == "column"))

    quick = higher is None and reading.has_view(is_open=is_open)
    return json_answer(await reading.ask(work, quick=quick))


@router.get("/path", operation_id="get_path", summary="A shortest way", responses=answers(Way, *_OF_A_GRAPH))
async def path(here: Here, start: From, end: To, is_open: IsOpen = False, as_of: AsOf = None) -> Response:
    """The edges of a shortest way that data takes from one to the other; none where there is no way."""
    reading = await here.graphs.reading(as_of)

    def work() -> dict[str, Any]:
        view = reading.around([start, end], is_open=is_open)
        told = {"from": view.find_id(start), "to": view.find_id(end), "as_of": view.as_of}
        return told | {"edges": view.path(start, end)}

    return json_answer(await reading.ask(work, quick=reading.has_view(is_open=is_open)))


@router.get(
    "/explain",
    operation_id="explain_edge",
    summary="Why there is an edge",
    responses=answers(Explanation, *_OF_A_GRAPH),
)
async def explain(here: Here, start: From, end: To, as_of: AsOf = None) -> Response:
    """The edges between two resources, a table's columns included, each with every reason for it."""
    reading = await here.graphs.reading(as_of)

    def work() -> dict[str, Any]:
        graph = reading.graph
        told = {"from": graph.find_id(start), "to": graph.find_id(end), "as_of": graph.as_of}
        return told | {"edges": graph.explain(start, end)}

    return json_answer(await reading.ask(work))


@router.get(
    "/export", operation_id="export_graph", summary="The whole graph", responses=answers(Graph, *_OF_A_GRAPH)
)
async def export(
    here: Here,
    focus: Annotated[Id | None, Query(description="Only what is around this resource.")] = None,
    depth: Annotated[int, Query(ge=1, le=1_000_000, description="With `focus`: so many hops.")] = 1,
    columns: Annotated[Columns, Query(description="With `focus`: column by column.")] = False,
    as_of: AsOf = None,
) -> Response:
    """As `headwater lineage export` writes it; or what is around one resource."""
    reading = await here.graphs.reading(as_of)
    if focus is not None:
        part = await to_thread.run_sync(lambda: reading.graph.around(focus, depth, columns=columns))
        return json_answer(part)
    return StreamingResponse(_pieces(reading), media_type="application/json")


def _pieces(reading: Reading) -> Iterator[bytes]:
    """A whole graph as JSON, put together piece by piece: all of a large one would not fit in memory."""
    graph = reading.graph
    head = orjson.dumps({"as_of": graph.as_of, "partitions": graph.header.partitions})
    yield head[:-1] + b',"resources":['
    yield from _listed(graph.resources_at(numbers) for numbers in _in_pieces(graph.topology.nodes))
    yield b'],"edges":['
    yield from _listed(_edges(graph))
    yield b'],"unresolved":['
    yield from _listed([[one.told for one in reading.unresolved]])
    yield b"]}"


def _edges(graph: LineageGraph) -> Iterator[list[dict[str, Any]]]:
    for numbers in _in_pieces(graph.edge_rows.num_rows):
        yield graph.edges(numbers)


def _in_pieces(count: int) -> Iterator[Any]:
    for start in range(0, count, _PIECE):
        yield np.arange(start, min(start + _PIECE, count), dtype=np.int32)


def _listed(pieces: Any) -> Iterator[bytes]:
    """The elements of lists, as they stand between the brackets of one."""
    is_first = True
    for piece in pieces:
        if piece:
            yield (b"" if is_first else b",") + orjson.dumps(piece, default=str)[1:-1]
            is_first = False
