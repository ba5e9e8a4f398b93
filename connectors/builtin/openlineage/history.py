"""What many events say of datasets, jobs and runs. It grows with what is distinct among them, not with the events."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

import orjson

from connectors.builtin.openlineage.events import BadEvent, DatasetFacts, Event, JobId, read_event
from connectors.builtin.openlineage.facets import (
    DatasetId,
    Field,
    Flow,
    Symlink,
    column_flows,
    fields_of,
    lineage_flows,
    mapping,
    owners_of,
    symlinks_of,
    tags_of,
    text,
)
from connectors.model import Window
from connectors.model.dataset import shown
from connectors.model.external_run import RunStatus
from connectors.model.logins import without_login, without_logins

T = TypeVar("T")

_ENDS: dict[str, RunStatus] = {"COMPLETE": "SUCCESS", "FAIL": "FAILED", "ABORT": "CANCELED"}


@dataclass(slots=True)
class Newest(Generic[T]):
    """What was said last, by the time of the events; of one moment, what was read last."""

    value: T
    at: datetime | None = None

    def say(self, value: T, at: datetime) -> None:
        if self.at is None or at >= self.at:
            self.value, self.at = value, at


def _newest(value: T) -> Callable[[], Newest[T]]:
    return lambda: Newest(value)


@dataclass(slots=True)
class Dataset:
    """A dataset. `mentioned` are columns that lineage names, whether the schema has them or not."""

    fields: Newest[tuple[Field, ...]] = field(default_factory=_newest(()))
    description: Newest[str | None] = field(default_factory=_newest(None))
    owners: Newest[tuple[str, ...]] = field(default_factory=_newest(()))
    tags: Newest[tuple[str, ...]] = field(default_factory=_newest(()))
    symlinks: Newest[tuple[Symlink, ...]] = field(default_factory=_newest(()))
    kind: Newest[str | None] = field(default_factory=_newest(None))
    mentioned: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class Job:
    """A job, and what an event without a run says that it reads and writes."""

    description: Newest[str | None] = field(default_factory=_newest(None))
    sql: Newest[str | None] = field(default_factory=_newest(None))
    owners: Newest[tuple[str, ...]] = field(default_factory=_newest(()))
    tags: Newest[tuple[str, ...]] = field(default_factory=_newest(()))
    kind: Newest[Mapping[str, str]] = field(default_factory=_newest({}))
    url: Newest[str | None] = field(default_factory=_newest(None))


@dataclass(slots=True)
class Traffic:
    """What was read and written, and how columns flow: numbers of a history's `flows`, by the dataset written."""

    inputs: set[DatasetId] = field(default_factory=set)
    outputs: set[DatasetId] = field(default_factory=set)
    flows: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Run:
    """A run of a job, of all of its events; `begun` says that one told its start."""

    started_at: datetime
    begun: bool = False
    traffic: Traffic = field(default_factory=Traffic)
    status: Newest[RunStatus] = field(default_factory=_newest("RUNNING"))
    error: Newest[str | None] = field(default_factory=_newest(None))
    parent: Newest[str | None] = field(default_factory=_newest(None))

    @property
    def failed(self) -> bool:
        """Whether it ended otherwise than well."""
        return self.status.value in ("FAILED", "CANCELED")


class History:
    """Takes events in any order. Column lineage that many runs give alike is kept once."""

    def __init__(self) -> None:
        self.datasets: dict[DatasetId, Dataset] = {}
        self.jobs: dict[JobId, Job] = {}
        self.runs: dict[tuple[JobId, str], Run] = {}
        self.static: dict[JobId | None, Traffic] = {}  # what events say that are of no run
        self.flows: list[tuple[DatasetId, tuple[Flow, ...]]] = []
        self._known_flows: dict[bytes, int] = {}

    def add(self, event: Event) -> None:
        """Takes what an event says."""
        if event.job is not None:
            self._add_job(event.job, event)
        traffic = self._traffic(event)
        for one in event.inputs:
            traffic.inputs.add(one.id)
            self._add_dataset(one, event.at)
        for one in event.outputs:
            if event.job is not None:
                traffic.outputs.add(one.id)
            self._add_dataset(one, event.at)
            self._add_flows(one, traffic)

    def _traffic(self, event: Event) -> Traffic:
        if event.run is None or event.job is None:
            return self.static.setdefault(event.job, Traffic())
        run = self.runs.setdefault((event.job, event.run), Run(event.at))
        run.started_at = min(run.started_at, event.at)
        run.begun = run.begun or event.kind == "START"
        if status := _ENDS.get(event.kind):
            run.status.say(status, event.at)
        if message := text(event.run_facets.get("errorMessage", {}).get("message")):
            run.error.say(shown(without_logins(message)), event.at)
        parent = event.run_facets.get("parent") or event.run_facets.get("parentRun") or {}
        if above := text(mapping(parent.get("run")).get("runId")):
            run.parent.say(above, event.at)
        return run.traffic

    def _add_job(self, job: JobId, event: Event) -> None:
        known, facets, at = self.jobs.setdefault(job, Job()), event.job_facets, event.at
        if (facet := facets.get("documentation")) is not None:
            known.description.say(text(facet.get("description")), at)
        if (facet := facets.get("sql")) is not None:
            known.sql.say(text(facet.get("query")), at)
        if (facet := facets.get("ownership")) is not None:
            known.owners.say(owners_of(facet), at)
        if (facet := facets.get("tags")) is not None:
            known.tags.say(tags_of(facet), at)
        if (facet := facets.get("sourceCodeLocation")) is not None:
            known.url.say(without_login(text(facet.get("url")) or "") or None, at)
        if (facet := facets.get("jobType")) is not None:
            named = ("jobType", "integration", "processingType")
            known.kind.say({name: told for name in named if (told := text(facet.get(name)))}, at)

    def _add_dataset(self, facts: DatasetFacts, at: datetime) -> None:
        known, facets = self.datasets.setdefault(facts.id, Dataset()), facts.facets
        if (facet := facets.get("schema")) is not None:
            known.fields.say(fields_of(facet), at)
        if (facet := facets.get("documentation")) is not None:
            known.description.say(text(facet.get("description")), at)
        if (facet := facets.get("ownership")) is not None:
            known.owners.say(owners_of(facet), at)
        if (facet := facets.get("tags")) is not None:
            known.tags.say(tags_of(facet), at)
        if (facet := facets.get("symlinks")) is not None:
            known.symlinks.say(symlinks_of(facet), at)
        if (facet := facets.get("datasetType")) is not None:
            known.kind.say(text(facet.get("datasetType")), at)

    def _add_flows(self, facts: DatasetFacts, traffic: Traffic) -> None:
        for name, read in (("columnLineage", column_flows), ("lineage", lineage_flows)):
            facet = facts.facets.get(name)
            if not facet:
                continue
            told = {key: value for key, value in facet.items() if not key.startswith("_")}
            try:
                words = orjson.dumps([name, *facts.id, told], option=orjson.OPT_SORT_KEYS)
            except orjson.JSONEncodeError:  # nested deeper than any that means something
                continue
            key = hashlib.blake2b(words, digest_size=16).digest()
            number = self._known_flows.setdefault(key, len(self.flows))
            if number == len(self.flows):
                self.flows.append((facts.id, tuple(dict.fromkeys(read(facet)))))
                self._mention(*self.flows[number])
            traffic.flows.add(number)

    def _mention(self, target: DatasetId, flows: Iterable[Flow]) -> None:
        for flow in flows:
            source = self.datasets.setdefault(flow.source, Dataset())
            if flow.source_field is not None:
                source.mentioned[flow.source_field] = None
            if flow.field is not None:
                self.datasets[target].mentioned[flow.field] = None


def read_events(
    lines: Iterable[str | bytes],
    *,
    window: Window | None = None,
    reject: Callable[[int, str], None] | None = None,
) -> History:
    """What events say that stand one a line, as JSON; a line may also be a list of them.

    Those outside of the window are left out. `reject` is told of lines that hold no event, by number from 1, and the
    others go on; without it such a line raises BadEvent.
    """
    history = History()
    for number, line in enumerate(lines, start=1):
        try:
            for value in _values(line):
                event = read_event(value)
                if window is None or event.at in window:
                    history.add(event)
        except BadEvent as error:
            if reject is None:
                raise BadEvent(f"line {number} {error}") from None
            reject(number, str(error))
    return history


def _values(line: str | bytes) -> list[Any]:
    if not line.strip():
        return []
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadEvent(f"is not JSON: {error.msg.partition(': line ')[0]}") from None
    return value if isinstance(value, list) else [value]
