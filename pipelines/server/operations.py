"""How routes are declared, and how they answer: JSON as it is, unchecked, and every error that they document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import orjson
from fastapi import Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator
from starlette.responses import Response

from pipelines.server.paging import MOST, USUAL
from pipelines.server.problems import MEDIA_TYPE

KEY = r"^\d{4}-\d{2}-\d{2}(-\d{2}:\d{2}([+-]\d{4})?)?$"
_REASONS = {
    400: "The request is not understood.",
    401: "No token, or one that is not valid.",
    403: "The token's scope is too small.",
    404: "Nothing is called so, or there is no graph yet.",
    409: "It cannot be done as things are: the id fits several resources, say.",
    413: "The request is too large.",
    415: "The body is of a type that is not read.",
    421: "The Host header names another machine.",
    422: "A parameter or the body is wrong.",
    500: "The server failed.",
    503: "The store, or Dagster, cannot be asked now.",
}
_EVERYWHERE = (401, 403, 413, 421, 422, 500)


def json_answer(value: Any, status: int = 200) -> Response:
    """An answer for machines."""
    return Response(orjson.dumps(value, default=str), status, media_type="application/json")


def answers(
    model: Any, *errors: int, status: int = 200, description: str = "Done."
) -> dict[int | str, dict[str, Any]]:
    """What an operation documents: its answer (no body where `model` is None), its errors and those of every other."""
    told: dict[int | str, dict[str, Any]] = {status: {"description": description}}
    if model is not None:
        told[status]["model"] = model
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for error in sorted({*errors, *_EVERYWHERE}):
        told[error] = {"description": _REASONS[error], "content": {MEDIA_TYPE: problem}}
    return told


async def known_parameters(request: Request) -> None:
    """A dependency of routers: a parameter that there is not, or that is given twice, is a mistake and is told so."""
    allowed = {one.alias: one.field_info.annotation for one in request.scope["route"].dependant.query_params}
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name not in allowed:
            there = f"there are {', '.join(sorted(allowed))}" if allowed else "there are none"
            raise _wrong(name, f"is not a parameter; {there}")
        if name in seen and "list" not in str(allowed[name]).lower():
            raise _wrong(name, "is given twice")
        seen.add(name)


def _wrong(name: str, said: str) -> RequestValidationError:
    return RequestValidationError([{"loc": ("query", name), "msg": said, "type": "value_error"}])


def _truth(value: Any) -> Any:
    known: Mapping[Any, bool] = {"true": True, "false": False, True: True, False: False}
    if not isinstance(value, bool | str) or value not in known:
        raise ValueError("is true or false")
    return known[value]


def _text(value: Any) -> Any:
    if isinstance(value, str) and "\0" in value:
        raise ValueError("has a null character")
    return value


Flag = Annotated[bool, BeforeValidator(_truth)]
Id = Annotated[
    str,
    BeforeValidator(_text),
    Query(min_length=1, max_length=2000, description="A resource's id, an alias, or a unique ending of one."),
]
Depth = Annotated[int | None, Query(ge=1, le=1_000_000, description="So many hops; all the way without it.")]
Columns = Annotated[Flag, Query(description="Column by column.")]
IsOpen = Annotated[
    Flag, Query(alias="open", description="Show what is temporary or collapsed by the project, too.")
]
AsOf = Annotated[
    str | None, Query(pattern=KEY, description="In the newest graph at or before this partition.")
]
Limit = Annotated[int, Query(ge=1, le=MOST, description="At most so many.")]
Cursor = Annotated[str | None, Query(max_length=4000, description="The `next_cursor` of the page before.")]
LevelName = Annotated[
    Literal["column", "resource", "schema", "database", "connection"] | None,
    Query(description="Of columns, resources, schemas, databases or connections."),
]
USUAL_LIMIT = USUAL
