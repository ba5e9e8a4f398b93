"""Route: whether a credential lets in, tried through Dagster as `headwater check` tries it."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipelines.server.nexla.answering import Here, answer, flag
from pipelines.server.nexla.desk import Desk, known

WAIT_S = 8.0  # the client gives up after ten seconds
_EVERY_S = 0.2
router = APIRouter()


@router.get("/data_credentials/{number:int}/probe")
def probe(request: Request, here: Here, number: int) -> Response:
    """success or error; pending where the run takes longer than the client waits (the same call asks again); unknown
    where no source uses it.
    """
    name = known(here.estate.credentials, number, "credential")
    kind = here.shapes().credential(name)["credentials_type"]
    users = [one for one, model in here.served.project.connections.items() if model.credential == name]
    told: dict[str, Any] = {"connection_type": kind, "status": "unknown", "message": "no source uses it"}
    if users:
        told |= _tried(here, users[0], wait_s=0.0 if flag(request, "async") else WAIT_S)
    return answer(told)


def _tried(here: Desk, connection: str, wait_s: float) -> dict[str, Any]:
    launcher, until = here.served.launcher, time.monotonic() + wait_s
    run = here.probes.get(connection) or launcher.check(connection)
    here.probes[connection] = run
    found = launcher.result(run)
    while found is None and time.monotonic() < until:
        time.sleep(_EVERY_S)
        found = launcher.result(run)
    if found is None:
        return {"status": "pending", "message": f"{connection} is still being tried", "run_id": run}
    here.probes.pop(connection, None)
    error = found["error"]
    return {
        "status": "error" if error else "success",
        "message": error or f"{connection} can be read",
        "run_id": run,
    }
