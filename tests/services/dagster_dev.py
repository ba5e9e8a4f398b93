"""A real `dagster dev`, asked over the UI's GraphQL."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

START_S = 90.0
STOP_S = 20.0
ASSETS = "{ assetNodes { assetKey { path } dependencyKeys { path } groupName } }"
LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus locationOrLoadError {
    ... on RepositoryLocation { repositories { name } } ... on PythonError { message } } } } } }"""
LAUNCH = """mutation($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) { __typename
    ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } } } }"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


class DagsterDev:
    """The server at a port of this host."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self._url = f"http://127.0.0.1:{port}/graphql"
        self._process = process
        self._log = log
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})
        with self._opener.open(request, timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
        assert "errors" not in found, found["errors"]
        return dict(found["data"])

    def locations(self) -> list[dict[str, Any]]:
        """The code locations, once all of them are loaded."""
        return wait_for(self._loaded, START_S, self._said)

    def launch(self, assets: Sequence[Sequence[str]], partition: str) -> str:
        """Launches a run as the UI does; gives its id."""
        location = self.locations()[0]
        selector = {
            "repositoryLocationName": location["name"],
            "repositoryName": location["locationOrLoadError"]["repositories"][0]["name"],
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [{"path": path} for path in assets],
        }
        tags = [{"key": "dagster/partition", "value": partition}]
        params = {
            "selector": selector,
            "runConfigData": {},
            "mode": "default",
            "executionMetadata": {"tags": tags},
        }
        launched = self.ask(LAUNCH, params=params)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def end_of(self, run_id: str) -> str:
        """The status with which the run ended."""

        def ended() -> str | None:
            status = str(self.ask(STATUS, id=run_id)["runOrError"]["status"])
            return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None

        return wait_for(ended, START_S, self._said)

    def _loaded(self) -> list[dict[str, Any]] | None:
        assert self._process.poll() is None, self._said()
        try:
            entries = self.ask(LOCATIONS)["workspaceOrError"]["locationEntries"]
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None
        return entries if entries and all(entry["loadStatus"] == "LOADED" for entry in entries) else None

    def _said(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]


def wait_for(look: Callable[[], Any], seconds: float, why: Callable[[], str]) -> Any:
    """What `look` gives as soon as it gives something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.3)
    raise AssertionError(f"nothing after {seconds:.0f} s; the server said:\n{why()}")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def without_network() -> dict[str, str]:
    """An environment in which every proxy is a port where nothing listens, and no project is named."""
    environment = {k: v for k, v in os.environ.items() if k not in ("DAGSTER_HOME", "HEADWATER_PROJECT")}
    closed = f"http://127.0.0.1:{free_port()}"
    return environment | dict.fromkeys(
        ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), closed
    )


@contextmanager
def serving(
    arguments: Sequence[str], port: int, folder: Path, environment: Mapping[str, str], log: Path
) -> Iterator[DagsterDev]:
    """Starts the server in a process group of its own, and ends that group afterwards."""
    with log.open("wb") as said:
        process = subprocess.Popen(
            arguments, cwd=folder, env=environment, stdout=said, stderr=said, start_new_session=True
        )
    try:
        yield DagsterDev(port, process, log)
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGINT to the group, as Ctrl-C does; SIGKILL for what is still there after a while."""
    group = process.pid
    if process.poll() is None:
        os.killpg(group, signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    process.wait()
