"""Routes: sources, data sets, destinations, credentials and transforms, listed and read."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipelines.server.nexla.answering import Here, answer, flag, paged
from pipelines.server.nexla.desk import RUNS_SHOWN, known

router = APIRouter()


@router.get("/data_sources")
def sources(request: Request, here: Here) -> Response:
    shapes = here.shapes()
    return paged(request, [shapes.source(name) for name in here.estate.sources.values()])


@router.get("/data_sources/{number:int}")
def source(request: Request, here: Here, number: int) -> Response:
    name = known(here.estate.sources, number, "source")
    return answer(here.shapes(RUNS_SHOWN).source(name, expand=flag(request, "expand")))


@router.get("/data_sets")
def data_sets(request: Request, here: Here) -> Response:
    shapes = here.shapes()
    return paged(request, [shapes.data_set(one) for one in here.estate.sets.values()])


@router.get("/data_sets/{number:int}")
def data_set(request: Request, here: Here, number: int) -> Response:
    one = known(here.estate.sets, number, "data set")
    return answer(here.shapes().data_set(one, expand=flag(request, "expand")))


@router.get("/data_sinks")
def sinks(request: Request, here: Here) -> Response:
    shapes = here.shapes()
    return paged(request, [shapes.sink(one) for one in here.estate.sinks.values()])


@router.get("/data_sinks/{number:int}")
def sink(request: Request, here: Here, number: int) -> Response:
    one = known(here.estate.sinks, number, "destination")
    return answer(here.shapes().sink(one, expand=flag(request, "expand")))


@router.get("/data_credentials")
def credentials(request: Request, here: Here) -> Response:
    shapes, wanted = here.shapes(), request.query_params.get("credentials_type")
    shown = [shapes.credential(name) for name in here.estate.credentials.values()]
    return paged(request, [one for one in shown if wanted in (None, one["credentials_type"])])


@router.get("/data_credentials/{number:int}")
def credential(here: Here, number: int) -> Response:
    return answer(here.shapes().credential(known(here.estate.credentials, number, "credential")))


@router.get("/transforms")
def transforms(request: Request, here: Here) -> Response:
    shapes = here.shapes()
    return paged(request, [shapes.transform(name) for name in here.estate.transforms.values()])


@router.get("/transforms/public")
@router.get("/attribute_transforms")
@router.get("/attribute_transforms/public")
@router.get("/code_containers")
@router.get("/code_containers/public")
@router.get("/data_maps")
def none_of_these(request: Request) -> Response:
    """There are none: transforms belong to the project, and lookups read data sets."""
    return paged(request, [])


@router.get("/transforms/{number:int}")
def transform(here: Here, number: int) -> Response:
    return answer(here.shapes().transform(known(here.estate.transforms, number, "transform")))


@router.get("/limits")
def limits() -> Response:
    """Requests are not limited."""
    return answer({"rate_limit": {"limit": None, "remaining": None}})
