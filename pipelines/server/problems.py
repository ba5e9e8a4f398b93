"""Errors as answers: application/problem+json (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from connectors.errors import ConfigError, HeadwaterError, LineageError, RunError, StoreError

MEDIA_TYPE = "application/problem+json"


class ApiProblem(HeadwaterError):
    """Trouble that has a status of its own."""

    def __init__(self, status: int, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint, status=status)
        self.status = status

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.status, self.message, self.hint)


def _rebuilt(status: int, message: str, hint: str | None) -> ApiProblem:
    return ApiProblem(status, message, hint=hint)


def problem(
    status: int, detail: str, path: str, *, hint: str | None = None, headers: dict[str, str] | None = None
) -> Response:
    """The answer for an error. `path` is what was asked for."""
    told = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    if hint:
        told["hint"] = hint
    told["instance"] = path
    return Response(orjson.dumps(told, default=str), status, headers, MEDIA_TYPE)


def status_of(error: HeadwaterError) -> int:
    """The status that an error raised on purpose is told with."""
    if isinstance(error, ApiProblem):
        return error.status
    if isinstance(error, StoreError):
        return 503
    if isinstance(error, LineageError):
        return 409 if "candidates" in error.context else 404
    if isinstance(error, ConfigError | RunError):
        return 404 if "unknown" in error.context else 409
    return 500


def add_handlers(app: FastAPI) -> None:
    """Makes every error of an app's routes a problem."""

    async def on_purpose(request: Request, error: HeadwaterError) -> Response:
        status = status_of(error)
        headers = {"Retry-After": "1"} if status == 503 else None
        return problem(status, error.message, request.url.path, hint=error.hint, headers=headers)

    async def of_http(request: Request, error: HTTPException) -> Response:
        detail = {
            404: f"there is nothing at {request.url.path}",
            405: f"{request.url.path} does not answer {request.method}",
        }.get(error.status_code, str(error.detail))
        return problem(error.status_code, detail, request.url.path, headers=dict(error.headers or {}))

    async def of_parameters(request: Request, error: RequestValidationError) -> Response:
        return problem(422, "; ".join(map(_fault, error.errors())), request.url.path)

    app.exception_handler(HeadwaterError)(on_purpose)
    app.exception_handler(HTTPException)(of_http)
    app.exception_handler(RequestValidationError)(of_parameters)


def _fault(fault: Any) -> str:
    where, *path = fault["loc"]
    named = ".".join(map(str, path))
    said = str(fault["msg"]).removeprefix("Value error, ")
    return f"{named or where}: {said[0].lower()}{said[1:]}"
