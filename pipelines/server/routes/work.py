"""Starts, ends and schedules work, through Dagster. What is started is a run: `/api/v1/runs/{id}` tells of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from anyio import to_thread
from fastapi import APIRouter, Body, Depends, Path
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from connectors.errors import ConfigError, RunError
from pipelines.server.operations import KEY, answers, json_answer, known_parameters
from pipelines.server.problems import ApiProblem
from pipelines.server.routes.runs import RunText, known_connection
from pipelines.server.run_answers import Launched, ScheduleState
from pipelines.server.served import Here, Served, requires

T = TypeVar("T")
router = APIRouter(prefix="/api/v1", tags=["work"], dependencies=[Depends(known_parameters)])

_LAUNCHES = answers(
    Launched, 400, 404, 409, 503, status=202, description="It was launched, or waits in the queue."
)
Name = Annotated[str, Path(min_length=1, max_length=200, description="A connection's.")]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class SyncOptions(_Given):
    """How to sync. `partition` is the one under way without it, `full` begins from the start, `accept_drop` lets a loss
    of resources through.
    """

    partition: str | None = Field(default=None, pattern=KEY)
    full: bool = False
    accept_drop: bool = False


class SyncOfSeveral(SyncOptions):
    """What to sync, and how; without `connections` all of them."""

    connections: list[str] | None = Field(default=None, min_length=1, max_length=1000)


class PreviewOptions(_Given):
    """`limit` is how many samples of each kind are shown; Dagster's records keep them."""

    limit: int = Field(default=5, ge=1, le=100)


class Switch(_Given):
    """Whether a schedule is to be on."""

    on: bool


@router.post(
    "/sync", operation_id="start_sync", summary="Sync connections", status_code=202, responses=_LAUNCHES
)
async def sync_several(here: Here, given: Annotated[SyncOfSeveral | None, Body()] = None) -> Response:
    """One run for all that are named, what hangs from them, and the graph."""
    options = given or SyncOfSeveral()
    names = options.connections or list(here.project.connections)
    return await _synced(here, names, options)


@router.post(
    "/connections/{name}/sync",
    operation_id="start_sync_of_connection",
    summary="Sync a connection",
    status_code=202,
    responses=_LAUNCHES,
)
async def sync(here: Here, name: Name, given: Annotated[SyncOptions | None, Body()] = None) -> Response:
    """With what hangs from it, and the graph."""
    return await _synced(here, [name], given or SyncOptions())


@router.post(
    "/connections/{name}/preview",
    operation_id="start_preview",
    summary="Preview a connection",
    status_code=202,
    responses=_LAUNCHES,
)
async def preview(here: Here, name: Name, given: Annotated[PreviewOptions | None, Body()] = None) -> Response:
    """Extracts it, and stores nothing but counts and masked samples: the run's result."""
    limit = (given or PreviewOptions()).limit
    known_connection(here.project, name)
    return await _started(here, lambda: here.launcher.preview(name, limit))


@router.post(
    "/connections/{name}/check",
    operation_id="start_check",
    summary="Check a connection",
    status_code=202,
    responses=_LAUNCHES,
)
async def check(here: Here, name: Name) -> Response:
    """Tries what it can do, one by one: the run's result."""
    known_connection(here.project, name)
    return await _started(here, lambda: here.launcher.check(name))


@router.post(
    "/connections/{name}/schedule",
    operation_id="switch_schedule",
    summary="Turn a schedule on or off",
    responses=answers(ScheduleState, 400, 404, 409, 503),
)
async def schedule(here: Here, name: Name, given: Annotated[Switch, Body()]) -> Response:
    """Dagster's daemon launches the runs of one that is on."""
    known_connection(here.project, name)
    await _asked(lambda: here.launcher.switch_schedule(name, given.on))
    cron = here.project.connection(name).schedule
    return json_answer({"connection": name, "schedule": cron, "on": given.on})


@router.post(
    "/runs/{id}/cancel",
    operation_id="cancel_run",
    summary="Cancel a run",
    status_code=202,
    responses=answers(Launched, 404, 409, 503, status=202, description="It was asked to end."),
)
async def cancel(here: Here, text: RunText) -> Response:
    """It ends soon. One that has ended, or that a command runs, is not canceled here."""

    def work() -> str:
        run_id = here.projected.id_of(text)
        here.launcher.cancel(run_id)
        return run_id

    return await _started(here, work)


@router.post(
    "/reload",
    operation_id="reload_definitions",
    summary="Read the project anew",
    status_code=204,
    dependencies=[requires("admin")],
    responses=answers(None, 409, 503, status=204),
)
async def reload(here: Here) -> Response:
    """Dagster's definitions, which work is started from. Where they do not load, those that were loaded go on."""

    def work() -> None:
        here.launcher.reload()
        here.current.look()

    await _asked(work)
    return Response(status_code=204)


async def _synced(here: Served, names: list[str], options: SyncOptions) -> Response:
    for name in names:
        known_connection(here.project, name)
    dropping = names if options.accept_drop else []
    return await _started(
        here,
        lambda: here.launcher.sync(names, options.partition, full=options.full, accept_drop=dropping),
    )


async def _started(here: Served, start: Callable[[], str]) -> Response:
    """The answer that tells which run `start` has to do with."""

    def work() -> dict[str, Any]:
        run_id = start()
        row = here.projected.row_of(run_id) if here.projected.is_open else None
        return {"run_id": run_id, "run_number": row.number if row else None, "link": f"/runs/{run_id}"}

    told = await _asked(work)
    answer = json_answer(told, 202)
    answer.headers["Location"] = f"/api/v1{told['link']}"
    return answer


async def _asked(work: Callable[[], T]) -> T:
    """What Dagster does, in a thread: it may start a process, or be far away."""
    try:
        return await to_thread.run_sync(work)
    except RunError as error:
        if error.retryable:
            raise ApiProblem(503, error.message, hint=error.hint) from None
        raise
    except ConfigError as error:
        if "unknown" not in error.context:
            raise
        # The project's file as it is now has it: Dagster's definitions are older.
        raise ApiProblem(
            409, f"{error.message} in Dagster's definitions", hint="POST /api/v1/reload"
        ) from None
