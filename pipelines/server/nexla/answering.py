"""How the Nexla-compatible API is asked and answers: who asks, pages, moments, errors in its client's words."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import orjson
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope

from connectors.errors import HeadwaterError
from pipelines.moments import moment_of
from pipelines.server.access import needed_scope
from pipelines.server.nexla.desk import Desk
from pipelines.server.problems import ApiProblem, status_of
from pipelines.server.tokens import Scope, Token

MOST = 1000  # of a list in one page
_LONGEST_NUMBER = 20  # digits
_LONGEST_PATH = 500
log = logging.getLogger("headwater.server")


def desk_of(request: Request) -> Desk:
    """What the routes of this API share."""
    desk: Desk = request.app.state.desk
    return desk


def client_of(request: Request) -> Token:
    """The API token that a request is made with. Raises ApiProblem 401 without one, 403 for one that may not do it."""
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    token = desk_of(request).sessions.find(bearer.strip()) if kind.lower() == "bearer" else None
    if token is None:
        raise ApiProblem(401, "the access token is not known, has expired or was revoked")
    refuse_smaller(token, needed_scope(request.method))
    return token


def refuse_smaller(token: Token, needed: Scope) -> None:
    """Raises ApiProblem 403 for a token of a smaller scope."""
    if not token.allows(needed):
        raise ApiProblem(403, f"the key's scope is {token.scope}, and this needs {needed}")


Here = Annotated[Desk, Depends(desk_of)]


def answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """JSON; what it has no type for as text."""
    return Response(orjson.dumps(value, default=str), status, headers, "application/json")


def paged(request: Request, items: Sequence[Any]) -> Response:
    """A list in pages, with the headers that tell of the others. Past the end it is empty: the client stops there."""
    number = whole(request, "page", 1, least=1)
    size = whole(request, "per_page", MOST, least=1)
    shown = items[(number - 1) * size : number * size]
    pages = -(-len(items) // size)
    headers = {"X-Total-Count": str(len(items)), "X-Page-Count": str(pages), "X-Current-Page": str(number)}
    ways = {"first": 1, "prev": number - 1, "next": number + 1, "last": pages}
    links = [
        f'<{request.url.include_query_params(page=page)}>; rel="{name}"'
        for name, page in ways.items()
        if 1 <= page <= pages and page != number
    ]
    return answer(shown, headers=headers | ({"Link": ", ".join(links)} if links else {}))


def page_meta(number: int, size: int, total: int) -> dict[str, int]:
    """How metrics tell of their pages."""
    return {"currentPage": number, "pageCount": -(-total // size), "totalCount": total}


def flag(request: Request, name: str) -> bool:
    """A parameter of a request that is yes or no: the client says 1, True and true."""
    text = request.query_params.get(name, "").lower()
    if text in ("", "0", "false"):
        return False
    if text in ("1", "true"):
        return True
    raise ApiProblem(400, f"{name} is 1 or 0, not {text}")


def whole(request: Request, name: str, default: int, *, least: int = 0, most: int = 10**15) -> int:
    """A parameter that is a whole number."""
    text = request.query_params.get(name)
    if text is None or text == "":
        return default
    if not text.isdecimal() or len(text) > _LONGEST_NUMBER or not least <= int(text) <= most:
        raise ApiProblem(400, f"{name} is a whole number, at least {least}")
    return int(text)


def moment(request: Request, name: str, *, ends: bool = False) -> datetime | None:
    """A parameter that is a day (which a period that ends with it holds), a moment, or seconds or milliseconds since
    1970.
    """
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        if text.isdecimal():
            number = int(text[:_LONGEST_NUMBER])
            return datetime.fromtimestamp(number / (1000 if number > 10**10 else 1), UTC)
        found = moment_of(text, -1)
        return found + timedelta(days=1) if ends and len(text) == 10 else found
    except (ValueError, OverflowError, OSError):
        raise ApiProblem(400, f"{name} is no day (2026-11-20) and no moment") from None


def _told(status: int, text: str) -> Response:
    named = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return answer({"error": text, "message": text}, status, named)


class Failures:
    """ASGI middleware: what fails by no purpose is told as other errors are, and no longer path is looked at."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        began = False

        async def sent(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        if len(scope.get("path", "")) > _LONGEST_PATH:
            await _told(404, "there is nothing at a path as long as that")(scope, receive, send)
            return
        try:
            await self._app(scope, receive, sent)
        except Exception:
            if began:  # a part of the answer is gone: that it breaks off must be seen
                raise
            log.exception("%s %s failed", scope["method"], scope["path"])
            failed = "the server failed; its log says more of the request that X-Request-Id names"
            await _told(500, failed)(scope, receive, send)


def add_handlers(app: FastAPI) -> None:
    """Makes every error one that the client maps to its exceptions."""

    async def on_purpose(request: Request, error: HeadwaterError) -> Response:
        return _told(status_of(error), error.message if not error.hint else f"{error.message}; {error.hint}")

    async def of_http(request: Request, error: HTTPException) -> Response:
        text = f"there is nothing at {request.url.path}" if error.status_code == 404 else str(error.detail)
        return _told(error.status_code, text)

    async def of_parameters(request: Request, error: RequestValidationError) -> Response:
        return _told(400, "; ".join(str(one["msg"]) for one in error.errors()))

    app.exception_handler(HeadwaterError)(on_purpose)
    app.exception_handler(HTTPException)(of_http)
    app.exception_handler(RequestValidationError)(of_parameters)
    app.add_middleware(Failures)
