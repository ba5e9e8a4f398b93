"""Probes, and the way in."""

from __future__ import annotations

from anyio import to_thread
from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.responses import RedirectResponse, Response

from connectors.errors import StoreError
from pipelines.server.answers import Alive, Ready
from pipelines.server.operations import answers, json_answer
from pipelines.server.served import Here

router = APIRouter(tags=["probes"])


@router.get(
    "/healthz", operation_id="get_health", summary="Whether the process lives", responses=answers(Alive)
)
async def healthz() -> Response:
    """Answers as long as the process does."""
    return json_answer({"status": "ok"})


@router.get(
    "/readyz",
    operation_id="get_readiness",
    summary="Whether the graph can be read",
    responses=answers(Ready, 503),
)
async def readyz(here: Here) -> Response:
    """Before the first sync `graph` is null. While the store cannot be read, the last graph is served on."""
    reading = here.graphs.newest
    if here.graphs.trouble:
        served = f"; the graph of {reading.as_of} is served" if reading else ""
        raise StoreError(f"{here.graphs.trouble}{served}", hint="look at the storage and the server's log")
    if reading is None:
        return json_answer({"status": "ready", "graph": None})
    graph = {"as_of": reading.as_of, "built_at": reading.graph.header.built_at, **reading.counts}
    return json_answer({"status": "ready", "graph": graph})


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """For Prometheus. In a thread: what others add to the registry may read Dagster's records."""
    registry: CollectorRegistry = request.app.state.registry
    text = await to_thread.run_sync(generate_latest, registry)
    return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)


@router.get("/", include_in_schema=False)
async def root() -> Response:
    """Until there is a page, the description of the API."""
    return RedirectResponse("/api/v1/docs")
