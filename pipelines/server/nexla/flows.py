"""Routes: flows, their runs' state, health and logs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from connectors.errors import RunError
from pipelines.flow_runs.logs import run_log
from pipelines.flow_runs.model import FlowRun, iso, of_iso
from pipelines.server.nexla.answering import MOST, Here, answer, flag, moment, whole
from pipelines.server.nexla.desk import Desk, known, origin_of
from pipelines.server.nexla.estate import CREDENTIALS, SETS, SINKS, SOURCES, Estate
from pipelines.server.nexla.flow_trees import flow_id, flow_tree, resources_of
from pipelines.server.problems import ApiProblem
from pipelines.surrogates import surrogate_id

METRICS_SHOWN = 100  # runs of each flow, the newest
_HEALTH = {"SUCCESS": "GREEN", "WARNING": "YELLOW", "FAILED": "RED", "CANCELED": "RED"}
_SEVERITY = {"DEBUG": "INFO", "INFO": "INFO", "WARNING": "WARNING", "ERROR": "ERROR", "CRITICAL": "ERROR"}
Json = dict[str, Any]
router = APIRouter()


@router.get("/flows")
def flows(request: Request, here: Here) -> Response:
    """All flows, as one object."""
    return answer_flows(request, here, list(here.estate.project.connections))


@router.get("/flows/{number:int}")
def flow(request: Request, here: Here, number: int) -> Response:
    return answer_flows(request, here, [_connection(here, number)])


@router.get("/{kind}/{number:int}/flow")
def flow_of_resource(request: Request, here: Here, kind: str, number: int) -> Response:
    return answer_flows(request, here, [origin_of(here.estate, known_kind(kind), number)])


@router.get("/flows/{number:int}/run_status/{run:int}")
def run_status(here: Here, number: int, run: int) -> Response:
    found = flow_run(here, _connection(here, number), run)
    told = {"flow_id": number, "run_id": run, "status": found.status, "records": found.records}
    times = {"started_at": found.started_at, "ended_at": found.ended_at}
    return answer({**told, "errors": found.errors, "size": found.size_bytes, **times, "error": found.error})


@router.get("/health/flow/{number:int}")
def health(here: Here, number: int) -> Response:
    """By the last run that has ended; without one it is not known."""
    runs = here.runs.find(flow=_connection(here, number), limit=10)
    last = next((one for one in runs if one.status in _HEALTH), None)
    told: Json = {"flow_id": number, "health": None, "run_id": None, "status": None}
    if last is not None:
        told |= {"health": _HEALTH[last.status], "run_id": last.run_number, "status": last.status}
        told |= {"errors": last.errors, "ended_at": last.ended_at}
    return answer({"status": 200, "metrics": told})


@router.get("/{kind}/{number:int}/flow/logs")
@router.get("/data_flows/{kind}/{number:int}/logs")
def logs_of_resource(request: Request, here: Here, kind: str, number: int) -> Response:
    return _logs(request, here, origin_of(here.estate, known_kind(kind), number))


@router.get("/flows/{number:int}/logs")
@router.post("/flows/{number:int}/logs_v2")
def logs_of_flow(request: Request, here: Here, number: int) -> Response:
    return _logs(request, here, _connection(here, number))


def known_kind(kind: str) -> str:
    """Raises ApiProblem 404 for a kind that has no flow."""
    if kind not in (SOURCES, SETS, SINKS):
        raise ApiProblem(404, f"there is no {kind}")
    return kind


def flow_run(here: Desk, connection: str, number: int) -> FlowRun:
    """A flow's part of a run. Raises ApiProblem 404 where there is none."""
    try:
        run = here.runs.run(str(number))
        found = [one for one in here.runs.of_run(run) if one.flow == connection and run.number == number]
    except RunError:
        found = []
    if not found:
        raise ApiProblem(404, f"the flow has no run {number}")
    return found[0]


def _connection(here: Desk, number: int) -> str:
    return known({flow_id(name): name for name in here.estate.project.connections}, number, "flow")


def answer_flows(request: Request, here: Desk, connections: Sequence[str]) -> Response:
    """The flows of connections, with what is in them and their runs as a request asks for it."""
    estate = here.estate
    trees = {
        name: flow_tree(estate, name, "ACTIVE" if here.is_active(name) else "PAUSED") for name in connections
    }
    told: Json = {"flows": list(trees.values())}
    if not flag(request, "flows_only"):
        told |= _elements(here, list(trees.values()))
    if flag(request, "include_run_metrics"):
        told["metrics"] = [
            {
                "origin_node_id": flow_id(name),
                "run_id": one.run_number,
                "records": one.records,
                "size": one.size_bytes,
                "errors": one.errors,
                "reporting_date": iso(one.run_number),
            }
            for name in connections
            for one in here.runs.metrics("run", whose=name, together=True, limit=METRICS_SHOWN)
        ]
    return answer(told)


def _elements(here: Desk, trees: Sequence[Json]) -> Json:
    """The objects of flows, those of no other."""
    told = here.shapes().all()
    named: dict[str, set[int]] = {SOURCES: set(), SETS: set(), SINKS: set()}
    for tree in trees:
        for kind, numbers in resources_of(tree).items():
            named[kind] |= numbers
    for kind, numbers in named.items():
        told[kind] = [one for one in told[kind] if one["id"] in numbers]
    used = {one["data_credentials_id"] for kind in (SOURCES, SINKS) for one in told[kind]}
    told[CREDENTIALS] = [one for one in told[CREDENTIALS] if one["id"] in used]
    return told


def _logs(request: Request, here: Desk, connection: str) -> Response:
    page, size = whole(request, "page", 1, least=1), whole(request, "per_page", 100, least=1, most=MOST)
    number = whole(request, "run_id", 0)
    if not number:
        newest = here.runs.numbers(connection, 1)
        number = newest[0] if newest else 0
    since, until = moment(request, "from"), moment(request, "to", ends=True)
    severity = request.query_params.get("severity", "").upper()
    entries = [
        one
        for one in (_entries(here, connection, number) if number else ())
        if (since is None or one["timestamp"] >= since.timestamp() * 1000)
        and (until is None or one["timestamp"] < until.timestamp() * 1000)
        and severity in ("", one["severity"])
    ]
    meta = {"current_page": page, "pages_count": -(-len(entries) // size), "total_count": len(entries)}
    shown = entries[(page - 1) * size : page * size]
    logs = {"data": shown, "meta": {**meta, "org_id": 1, "run_id": number or None}}
    return answer({"status": 200, "message": "Ok", "logs": logs})


def _entries(here: Desk, connection: str, number: int) -> Iterator[Json]:
    """What a run did with each dataset, then what it wrote down."""
    run = flow_run(here, connection, number)
    for one in run.datasets:
        counts = f"Processed records={one.records}, errors={one.errors}, size={one.size_bytes}"
        failed = one.status in ("FAILED", "CANCELED")
        yield {
            "timestamp": of_iso(one.ended_at or one.started_at) or number,
            "severity": "ERROR" if failed else "WARNING" if one.status == "WARNING" else "INFO",
            "log_type": "SUMMARY",
            "log": f"{one.dataset}: {one.status}. {counts}" + (f". {one.error}" if one.error else ""),
            "run_id": number,
            **_resource(here.estate, connection, one.dataset),
        }
    for entry in run_log(here.served.projected.instance, run.id):
        yield {
            "timestamp": of_iso(entry.at) or number,
            "severity": _SEVERITY[entry.level],
            "log_type": "LOG",
            "log": f"{entry.step}: {entry.message}" if entry.step else entry.message,
            "run_id": number,
            "resource_id": surrogate_id("connection", connection),
            "resource_type": "SOURCE",
        }


def _resource(estate: Estate, connection: str, dataset: str) -> Json:
    if dataset in estate.set_by_key:
        return {"resource_id": estate.set_by_key[dataset].id, "resource_type": "DATASET"}
    if (sink := estate.sink_by_key.get(dataset.removeprefix("sinks/"))) and dataset.startswith("sinks/"):
        return {"resource_id": sink.id, "resource_type": "SINK"}
    return {"resource_id": surrogate_id("connection", connection), "resource_type": "SOURCE"}
