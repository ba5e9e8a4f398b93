"""The Nexla-compatible API: what Nexla's own client reads, at `/nexla`. It always asks for a key."""

from __future__ import annotations

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.routing import iter_route_contexts
from starlette.responses import Response

from pipelines.server.nexla import flows, measures, objects, probe, samples, writes
from pipelines.server.nexla.answering import Here, add_handlers, answer, client_of
from pipelines.server.nexla.desk import Desk
from pipelines.server.problems import ApiProblem

PREFIX = "/nexla"
_session = APIRouter()


@_session.post("/token")
def token(request: Request, here: Here) -> Response:
    """An access token for a service key, which is an API token."""
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    issued = here.sessions.issue(key.strip()) if kind.lower() == "basic" else None
    if issued is None:
        raise ApiProblem(401, "the service key is not known, has expired or was revoked")
    access_token, expires_in = issued
    return answer({"access_token": access_token, "token_type": "Bearer", "expires_in": expires_in})


@_session.post("/token/logout")
def logout(request: Request, here: Here) -> Response:
    """Ends the access token that it is called with."""
    here.sessions.end(request.headers.get("authorization", "").partition(" ")[2].strip())
    return answer({})


def make_nexla(desk: Desk) -> FastAPI:
    """The app of the API, to be mounted at PREFIX."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.desk = desk
    add_handlers(app)
    app.include_router(_session)
    for one in (samples, probe, flows, measures, writes, objects):
        app.include_router(one.router, dependencies=[Depends(client_of)])
    # FastAPI would make the validators of these routes at their first request, under warning filters that are the
    # whole process's: two threads that do so at once take each other's away.
    for _ in iter_route_contexts(app.routes):
        pass
    return app


__all__ = ["PREFIX", "Desk", "make_nexla"]
