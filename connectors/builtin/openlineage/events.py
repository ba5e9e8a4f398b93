"""One event: a run's, a job's or a dataset's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from connectors.builtin.openlineage.facets import DatasetId, dataset_id, facets_of, mapping, objects, text
from connectors.model.logins import without_login

Facets = Mapping[str, Mapping[str, Any]]


class BadEvent(ValueError):
    """What is no OpenLineage event; the text is the cause."""


class JobId(NamedTuple):
    """A job as events name it."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class DatasetFacts(NamedTuple):
    """A dataset, and what an event says of it."""

    id: DatasetId
    facets: Facets


class Event(NamedTuple):
    """What an event says. A job's has no run, a dataset's neither job nor run, and the dataset as its output.

    `kind` is START, RUNNING, COMPLETE, FAIL, ABORT or OTHER.
    """

    at: datetime
    kind: str
    run: str | None
    run_facets: Facets
    job: JobId | None
    job_facets: Facets
    inputs: tuple[DatasetFacts, ...]
    outputs: tuple[DatasetFacts, ...]


def read_event(value: Any) -> Event:
    """An event from its JSON. Raises BadEvent."""
    if not isinstance(value, dict):
        raise BadEvent("is not a JSON object")
    job, run, dataset = value.get("job"), value.get("run"), value.get("dataset")
    if not isinstance(job, dict) and not isinstance(dataset, dict):
        raise BadEvent("is no OpenLineage event: it has no job, and no dataset")
    at = _moment(value.get("eventTime"))
    if not isinstance(job, dict):
        return Event(at, "OTHER", None, {}, None, {}, (), _datasets("dataset", [dataset]))
    namespace, name = text(job.get("namespace")), text(job.get("name"))
    if not namespace or not name:
        raise BadEvent("its job has no namespace, or no name")
    run_id = text(mapping(run).get("runId"))
    if run is not None and run_id is None:
        raise BadEvent("its run has no runId")
    return Event(
        at,
        (text(value.get("eventType")) or "OTHER").upper(),
        run_id,
        facets_of(run),
        JobId(without_login(namespace), name),
        facets_of(job),
        _datasets("inputs", value.get("inputs")),
        _datasets("outputs", value.get("outputs")),
    )


def _moment(value: Any) -> datetime:
    if not isinstance(value, str):
        raise BadEvent("has no eventTime")
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadEvent("its eventTime is no ISO 8601 time") from None


def _datasets(what: str, value: Any) -> tuple[DatasetFacts, ...]:
    found = []
    for one in objects(value):
        known = dataset_id(one)
        if known is None:
            raise BadEvent(f"its {what}: a dataset has no namespace, or no name")
        found.append(DatasetFacts(known, facets_of(one)))
    return tuple(found)
