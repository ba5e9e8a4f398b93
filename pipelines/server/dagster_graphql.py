"""What the launcher says to Dagster, in the GraphQL that Dagster's UI speaks; and the way to a running Dagster."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from connectors.errors import ConfigError, RunError

ANSWER_S = 120.0  # reading definitions anew starts a process

PLACES = """query HeadwaterPlaces { workspaceOrError { __typename ... on Error { message }
  ... on Workspace { locationEntries { name locationOrLoadError { __typename ... on PythonError { message }
    ... on RepositoryLocation { repositories { name jobs { name tags { key value } } } } } } } } }"""
LAUNCH = """mutation HeadwaterLaunch($params: ExecutionParams!) { outcome: launchRun(executionParams: $params) {
  __typename ... on Error { message } ... on LaunchRunSuccess { run { runId } }
  ... on RunConfigValidationInvalid { errors { message } } } }"""
CANCEL = """mutation HeadwaterCancel($run: String!) { outcome: terminateRun(runId: $run) {
  __typename ... on Error { message } ... on TerminateRunFailure { message } } }"""
SCHEDULE = """query HeadwaterSchedule($schedule: ScheduleSelector!) {
  outcome: scheduleOrError(scheduleSelector: $schedule) {
    __typename ... on Error { message } ... on Schedule { scheduleState { id status } } } }"""
SWITCH_ON = """mutation HeadwaterOn($schedule: ScheduleSelector!) {
  outcome: startSchedule(scheduleSelector: $schedule) { __typename ... on Error { message } } }"""
SWITCH_OFF = """mutation HeadwaterOff($id: String!) { outcome: stopRunningSchedule(id: $id) {
  __typename ... on Error { message } } }"""
RELOAD = """mutation HeadwaterReload($location: String!) {
  outcome: reloadRepositoryLocation(repositoryLocationName: $location) { __typename ... on Error { message }
  ... on WorkspaceLocationEntry { locationOrLoadError { __typename ... on PythonError { message } } } } }"""


class Transport(Protocol):
    """A way to a Dagster that serves the project."""

    def ask(
        self, query: str, variables: Mapping[str, Any] | None = None, *, launches: bool = False
    ) -> dict[str, Any]:
        """The answer's data; `launches` says that the query submits a run. Raises RunError when there is none."""

    def launch_waiting(self, tags: Mapping[str, str]) -> None:
        """Starts the runs with these tags that are queued where nobody serves the queue any more."""

    def close(self) -> None:
        """Ends what was started for it."""


@dataclass(frozen=True)
class Place:
    """Where in Dagster's workspace the project's definitions are."""

    location: str
    repository: str

    def job(self, name: str) -> dict[str, Any]:
        """The selector of a job."""
        return {
            "repositoryLocationName": self.location,
            "repositoryName": self.repository,
            "jobName": name,
        }

    def schedule(self, name: str) -> dict[str, Any]:
        """The selector of a schedule."""
        return {
            "repositoryLocationName": self.location,
            "repositoryName": self.repository,
            "scheduleName": name,
        }


@dataclass(frozen=True)
class Workspace:
    """The places that have a job, each with the job's tags; and why other locations do not load."""

    places: Mapping[Place, Mapping[str, str]]
    broken: Mapping[str, str]


def read_workspace(transport: Transport, job: str) -> Workspace:
    """Looks for a job in every code location. Raises RunError when Dagster does not say."""
    answer = transport.ask(PLACES)["workspaceOrError"]
    if answer["__typename"] != "Workspace":
        raise RunError(f"Dagster does not show its workspace: {answer.get('message')}")
    places, broken = {}, {}
    for entry in answer["locationEntries"]:
        loaded = entry["locationOrLoadError"] or {}
        if "message" in loaded:
            broken[entry["name"]] = loaded["message"]
        for repository in loaded.get("repositories", ()):
            for one in repository["jobs"]:
                if one["name"] == job:
                    tags = {tag["key"]: tag["value"] for tag in one["tags"]}
                    places[Place(entry["name"], repository["name"])] = tags
    return Workspace(places, broken)


def refusal(outcome: Mapping[str, Any]) -> str:
    """What Dagster says of why it did not do something, in one line."""
    said = [outcome.get("message"), *(one["message"] for one in outcome.get("errors") or ())]
    return " ".join(" ".join(text for text in said if text).split()) or str(outcome["__typename"])


class DagsterHttp:
    """A running Dagster webserver, by its address."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ConfigError(
                "HEADWATER_DAGSTER_URL is not the address of a web server",
                hint="write it like http://127.0.0.1:3000, without a user",
            )
        self._shown = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._url = f"{self._shown}/graphql"

    def ask(
        self, query: str, variables: Mapping[str, Any] | None = None, *, launches: bool = False
    ) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        request = urllib.request.Request(self._url, body, {"Content-Type": "application/json"})  # noqa: S310 - the scheme is one of two
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310 - the scheme is one of two
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            raise self._trouble(f"answers with status {error.code}") from None
        except (OSError, ValueError) as error:
            raise self._trouble(f"does not answer: {getattr(error, 'reason', error)}") from None
        if not isinstance(found, dict) or found.get("errors") or not isinstance(found.get("data"), dict):
            errors = found.get("errors") if isinstance(found, dict) else None
            said = errors[0].get("message") if errors else "no data"
            raise self._trouble(f"cannot answer: {said}")
        data: dict[str, Any] = found["data"]
        return data

    def launch_waiting(self, tags: Mapping[str, str]) -> None:
        """Its own daemon does."""

    def close(self) -> None:
        """It is not ours to end."""

    def _trouble(self, what: str) -> RunError:
        return RunError(
            f"Dagster at {self._shown} {what}",
            hint="see whether it runs and is a Dagster of this version, or unset HEADWATER_DAGSTER_URL",
            retryable=True,
        )
