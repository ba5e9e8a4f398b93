"""Route: whether a credential lets in, tried through Dagster as `headwater check` tries it."""

from __future__ import annotations

import time
from threading import BoundedSemaphore
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from pipelines.server.nexla.answering import Here, answer, client_of, flag, refuse_smaller
from pipelines.server.nexla.desk import Desk, known
from pipelines.server.tokens import Token

WAIT_S = 8.0  # the client gives up after ten seconds
_EVERY_S = 0.2
# Requests that wait for a run at once: each keeps a thread that others want to be answered in.
_waiting = BoundedSemaphore(4)
router = APIRouter()


@router.get("/data_credentials/{number:int}/probe")
def probe(request: Request, here: Here, number: int, token: Annotated[Token, Depends(client_of)]) -> Response:
    """success or error; pending where the run takes longer than the client waits (the same call asks again); unknown
    where no source uses it. It starts a run, and so needs a key that may.
    """
    refuse_smaller(token, "write")
    name = known(here.estate.credentials, number, "credential")
    kind = here.shapes().credential(name)["credentials_type"]
    users = [one for one, model in here.served.project.connections.items() if model.credential == name]
    told: dict[str, Any] = {"connection_type": kind, "status": "unknown", "message": "no source uses it"}
    if users:
        told |= _tried(here, users[0], wait_s=0.0 if flag(request, "async") else WAIT_S)
    return answer(told)


def _tried(here: Desk, connection: str, wait_s: float) -> dict[str, Any]:
    if not _waiting.acquire(blocking=False):
        return {"status": "pending", "message": "others are being tried: ask again"}
    try:
        return _told(here, connection, time.monotonic() + wait_s)
    finally:
        _waiting.release()


def _told(here: Desk, connection: str, until: float) -> dict[str, Any]:
    """One run tries a connection at a time, however many ask for it."""
    pending = {"status": "pending", "message": f"{connection} is still being tried"}
    if not here.served.reloader.wait(max(0.0, until - time.monotonic())):
        return pending
    launcher = here.served.launcher
    with here.probing:
        run = here.probes.get(connection) or launcher.check(connection)
        here.probes[connection] = run
    found = launcher.result(run)
    while found is None and time.monotonic() < until:
        time.sleep(_EVERY_S)
        found = launcher.result(run)
    if found is None:
        return {**pending, "run_id": run}
    with here.probing:
        if here.probes.get(connection) == run:
            del here.probes[connection]
    error = found["error"]
    return {
        "status": "error" if error else "success",
        "message": error or f"{connection} can be read",
        "run_id": run,
    }
