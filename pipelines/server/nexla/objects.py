"""Routes: sources, data sets, destinations, credentials and transforms, listed and read."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipelines.server.nexla.answering import Here, answer, flag, paged
from pipelines.server.nexla.desk import RUNS_SHOWN, known
from pipelines.server.nexla.estate import CREDENTIALS, KINDS
from pipelines.server.problems import ApiProblem

router = APIRouter()


@router.get("/limits")
def limits() -> Response:
    """Requests are not limited."""
    return answer({"rate_limit": {"limit": None, "remaining": None}})


@router.get("/transforms/public")
@router.get("/attribute_transforms")
@router.get("/attribute_transforms/public")
@router.get("/code_containers")
@router.get("/code_containers/public")
@router.get("/data_maps")
def none_of_these(request: Request) -> Response:
    """There are none: transforms belong to the project, and lookups read data sets."""
    return paged(request, [])


@router.get("/{kind}")
def listed(request: Request, here: Here, kind: str) -> Response:
    """All of a kind; credentials also those of a type only."""
    _refuse_unknown(kind)
    shapes = here.shapes()
    shown = [shapes.of(kind, one) for one in here.estate.things(kind).values()]
    wanted = request.query_params.get("credentials_type")
    if kind == CREDENTIALS and wanted:
        shown = [one for one in shown if one["credentials_type"] == wanted]
    return paged(request, shown)


@router.get("/{kind}/{number:int}")
def one_of(request: Request, here: Here, kind: str, number: int) -> Response:
    """One of a kind; with `expand` what it refers to, too."""
    _refuse_unknown(kind)
    one = known(here.estate.things(kind), number, KINDS[kind])
    return answer(here.shapes(RUNS_SHOWN).of(kind, one, expand=flag(request, "expand")))


def _refuse_unknown(kind: str) -> None:
    if kind not in KINDS:
        raise ApiProblem(404, f"there are no {kind}")
