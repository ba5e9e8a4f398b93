"""The API over the demo, synced once: reads of every kind at 20 connections, beside a bare uvicorn app."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.measure import HEADWATER, ROOT, Figure, run_command, succeed
from lineage import open_store
from tests.pipelines.demo.copying import copy_shop

CONNECTIONS = 20
REQUESTS = 50_000
WARM = 5_000
AT_LEAST_PER_S = 500
LIMIT_P99_MS = 200
LIMIT_GROWTH = 1.05
WITHIN_S = 30.0
# What any answer costs here: the same server, an app that does nothing.
BARE = """
import socket, uvicorn
async def app(scope, receive, send):
    if scope["type"] == "http":
        headers = [(b"content-type", b"application/json"), (b"content-length", b"15")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"status":"ok"}'})
listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
print(f"bare serves http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
uvicorn.Server(config).run(sockets=[listener])
"""


def run(folder: Path) -> Iterator[Figure]:
    shop = copy_shop(folder / "shop")
    environment = {"HEADWATER_PROJECT": str(shop), "DAGSTER_HOME": str(folder / "home")}
    (folder / "home").mkdir()
    succeed(run_command((*HEADWATER, "sync"), shop, environment))
    with _running((sys.executable, "-c", BARE), folder, {}) as (_, port):
        _ask(port, WARM, ["/"])
        bare = _ask(port, REQUESTS, ["/"])
    with _running((*HEADWATER, "serve", "--port", "0"), folder, environment) as (pid, port):
        paths = _paths(shop, port)
        warm = _ask(port, WARM, paths)
        before = _resident_mib(pid)
        found = _ask(port, REQUESTS, paths)
        after = _resident_mib(pid)
        light = _ask(port, WARM, ["/healthz"])
    yield Figure("a bare app", bare["per_s"], "requests/s")
    yield Figure("healthz", light["per_s"], "requests/s")
    yield Figure("mixed reads", found["per_s"], "requests/s", at_least=AT_LEAST_PER_S)
    yield Figure("a bare app / mixed reads", bare["per_s"] / found["per_s"], "x")
    yield Figure("mixed reads, half within", found["p50_ms"], "ms")
    yield Figure("mixed reads, 99 of 100 within", found["p99_ms"], "ms", LIMIT_P99_MS)
    yield Figure("requests that failed", found["failed"] + warm["failed"], "", 0)
    yield Figure(f"resident after {WARM:,} requests", before, "MiB")
    yield Figure(f"resident after {REQUESTS:,} more / before", after / before, "x", LIMIT_GROWTH)


def _paths(shop: Path, port: int) -> list[str]:
    """Mixed reads, each kind as often as the others, over different resources."""
    graph = open_store(shop / ".headwater").graph()
    tables = [one["id"] for one in graph.resources() if one["entity_type"] in ("table", "view")]
    columns = [one["id"] for one in graph.resources() if one["entity_type"] == "column"]
    edges = [(quote(edge["from"]), quote(edge["to"])) for edge in graph.edges()]
    made = ["/api/v1/connections", "/api/v1/unresolved", "/api/v1/resources?limit=20", "/readyz"]
    names = [one["name"] for one in _get(port, "/api/v1/connections")["items"]]
    run_id = _newest_run(port)
    for number in range(20):
        table, column = (quote(some[number % len(some)]) for some in (tables, columns))
        start, end = edges[number % len(edges)]
        made += [
            f"/api/v1/resources/{table}",
            f"/api/v1/resources?q={table.rpartition('.')[2]}&limit=10",
            f"/api/v1/lineage/upstream?id={table}&depth=2",
            f"/api/v1/lineage/downstream?id={table}",
            f"/api/v1/lineage/upstream?id={column}",
            f"/api/v1/lineage/impact?id={column}",
            f"/api/v1/lineage/path?from={start}&to={end}",
            f"/api/v1/lineage/explain?from={start}&to={end}",
            f"/api/v1/runs?limit=20&flow={names[number % len(names)]}",
            f"/api/v1/runs/{run_id}",
            f"/api/v1/metrics?by={('run', 'day')[number % 2]}&limit=20",
        ]
    return made


def _newest_run(port: int) -> str:
    """Once it is known: Dagster's records are read after the server has begun to answer."""
    until = time.monotonic() + WITHIN_S
    while time.monotonic() < until:
        with suppress(urllib.error.HTTPError):
            if runs := _get(port, "/api/v1/runs")["items"]:
                return str(runs[0]["id"])
        time.sleep(0.1)
    raise TimeoutError(f"the server knows no run after {WITHIN_S:.0f} s")


def _get(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=WITHIN_S) as answer:
        return json.load(answer)


def _ask(port: int, requests: int, paths: Sequence[str]) -> dict[str, float]:
    """In a process of its own, which is not to take time from the server's."""
    command = (sys.executable, "-m", "bench.http_load", "127.0.0.1", *map(str, (port, CONNECTIONS, requests)))
    done = subprocess.run(
        command, cwd=ROOT, input="\n".join(paths), capture_output=True, text=True, check=True
    )
    told: dict[str, float] = json.loads(done.stdout)
    return told


@contextmanager
def _running(
    command: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[tuple[int, int]]:
    """A server's process and its port, which it names in its first line."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment}
    child = subprocess.Popen(
        command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert child.stdout
    try:
        named = re.search(r":(\d+)\s*$", child.stdout.readline())
        assert named, child.stdout.read()
        yield child.pid, int(named[1])
    finally:
        child.terminate()
        child.wait(timeout=20)


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024
