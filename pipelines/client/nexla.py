"""The server in the words of Nexla's SDK: sources, nexsets, destinations, credentials, transforms, flows, metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Generic, TypeVar

from pipelines.client.calls import Calls
from pipelines.client.nexla_models import (
    Credential,
    Destination,
    FlowLogs,
    Flows,
    MetricsByDay,
    MetricsByRun,
    Model,
    Nexset,
    Sample,
    Source,
    Transform,
)
from pipelines.client.run_rows import RunRows

_PAGE = 200
M = TypeVar("M", bound=Model)
Day = str | date


class Objects(Generic[M]):
    """Things of one kind. Every method raises ApiError; those that write need a token with the scope `write`."""

    def __init__(self, calls: Calls, path: str, model: type[M]) -> None:
        self._calls = calls
        self._path = path
        self._model = model

    def list(self, page: int | None = None, per_page: int | None = None, **filters: Any) -> list[M]:
        """A page of them; without `per_page` the first thousand."""
        found = self._calls.rows(self._path, page=page, per_page=per_page, **filters)
        return [self._made(one) for one in found]

    def paginate(self, per_page: int = _PAGE, **filters: Any) -> Iterator[M]:
        """All of them, page after page."""
        page = 1
        while some := self.list(page, per_page, **filters):
            yield from some
            page += 1

    def get(self, number: int, expand: bool = False) -> M:
        """One of them; `expand` adds what it refers to."""
        return self._made(self._calls.get(f"{self._path}/{int(number)}", expand=1 if expand else None))

    def create(self, data: Mapping[str, Any] | None = None, /, **fields: Any) -> M:
        """Makes one of these fields."""
        return self._made(self._calls.post(self._path, {**(data or {}), **fields}))

    def update(self, number: int, data: Mapping[str, Any] | None = None, /, **fields: Any) -> M:
        """Changes these fields of one."""
        return self._made(self._calls.put(f"{self._path}/{int(number)}", {**(data or {}), **fields}))

    def delete(self, number: int) -> dict[str, Any]:
        """Takes one away that the API has made."""
        told: dict[str, Any] = self._calls.delete(f"{self._path}/{int(number)}")
        return told

    def copy(self, number: int) -> M:
        """Another like it, under a name of its own."""
        return self._made(self._calls.post(f"{self._path}/{int(number)}/copy", {}))

    def activate(self, number: int) -> M:
        """Turns the schedule of its flow on."""
        return self._made(self._calls.put(f"{self._path}/{int(number)}/activate"))

    def pause(self, number: int) -> M:
        """Turns the schedule of its flow off."""
        return self._made(self._calls.put(f"{self._path}/{int(number)}/pause"))

    def _made(self, told: Any) -> M:
        return self._calls.understood(lambda: self._model.model_validate(told))


class Nexsets(Objects[Nexset]):
    """Datasets."""

    def get_samples(self, number: int, count: int = 10, include_metadata: bool = False) -> list[Sample]:
        """The first records that are stored; personal values are masked."""
        path = f"{self._path}/{int(number)}/samples"
        rows = self._calls.rows(path, count=count, include_metadata=include_metadata)

        def made(row: Any) -> Sample:
            if include_metadata:
                return Sample(raw_message=row["rawMessage"], nexla_metadata=row["nexlaMetaData"])
            return Sample(raw_message=row)

        return self._calls.understood(lambda: [made(row) for row in rows])


class Credentials(Objects[Credential]):
    """Credentials: their secrets are given, and never shown."""

    def probe(self, number: int) -> dict[str, Any]:
        """Tries the connections that use it."""
        told: dict[str, Any] = self._calls.get(f"{self._path}/{int(number)}/probe")
        return told


class FlowsOf:
    """Flows: a connection and all that hangs from it."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(self, flows_only: bool = False, include_run_metrics: bool = False) -> list[Flows]:
        """All flows, in one object, in a list as Nexla's client has it."""
        return [self._read("/flows", flows_only, include_run_metrics)]

    def get(self, number: int, flows_only: bool = False, include_run_metrics: bool = False) -> Flows:
        """One flow, by the id of its tree's root."""
        return self._read(f"/flows/{int(number)}", flows_only, include_run_metrics)

    def get_by_resource(self, resource_type: str, resource_id: int, flows_only: bool = False) -> Flows:
        """The flow that a source, a dataset or a destination is in."""
        return self._read(f"/{resource_type}/{int(resource_id)}/flow", flows_only, False)

    def activate(self, number: int) -> Flows:
        """Turns a flow's schedule on."""
        return self._made(self._calls.put(f"/flows/{int(number)}/activate"))

    def pause(self, number: int) -> Flows:
        """Turns a flow's schedule off."""
        return self._made(self._calls.put(f"/flows/{int(number)}/pause"))

    def get_run_status(self, number: int, run_id: int) -> dict[str, Any]:
        """How a run of a flow stands, or ended."""
        told: dict[str, Any] = self._calls.get(f"/flows/{int(number)}/run_status/{int(run_id)}")
        return told

    def get_flow_health(self, number: int) -> dict[str, Any]:
        """GREEN, YELLOW or RED by the last run that has ended; null where there was none."""
        told = self._calls.get(f"/health/flow/{int(number)}")
        return self._calls.understood(lambda: dict(told["metrics"]))

    def _read(self, path: str, flows_only: bool, include_run_metrics: bool) -> Flows:
        flags = {"flows_only": flows_only, "include_run_metrics": include_run_metrics}
        return self._made(self._calls.get(path, **{name: 1 for name, on in flags.items() if on}))

    def _made(self, told: Any) -> Flows:
        return self._calls.understood(lambda: Flows.model_validate(told))


class Metrics:
    """Metrics of sources (`data_sources`), datasets (`data_sets`) and destinations (`data_sinks`)."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def get_resource_metrics_by_run(
        self,
        resource_type: str,
        resource_id: int,
        groupby: str | None = None,
        orderby: str | None = None,
        page: int | None = None,
        size: int | None = None,
    ) -> MetricsByRun:
        """With `groupby="runId"` a row for each run, the newest first, 20 without `size`; else one over all."""
        path = f"/{resource_type}/{int(resource_id)}/metrics/run_summary"
        told = self._calls.get(path, groupby=groupby, orderby=orderby, page=page, size=size)
        return self._calls.understood(
            lambda: MetricsByRun(status=told["status"], metrics=RunRows(told["metrics"]))
        )

    def get_resource_daily_metrics(
        self, resource_type: str, resource_id: int, from_date: Day, to_date: Day | None = None
    ) -> MetricsByDay:
        """A row for each UTC day on which it ran, both ends included, the oldest first."""
        given = {"from": str(from_date), "to": None if to_date is None else str(to_date), "aggregate": 1}
        path = f"/{resource_type}/{int(resource_id)}/metrics"
        told = self._calls.get(path, **given)
        return self._calls.understood(lambda: MetricsByDay.model_validate(told))

    def get_flow_metrics(
        self,
        resource_type: str,
        resource_id: int,
        from_date: Day,
        to_date: Day | None = None,
        groupby: str | None = None,
        page: int | None = None,
        per_page: int | None = None,
    ) -> dict[str, Any]:
        """Sums of each resource of a flow; with `groupby="runId"` below the run's number."""
        given = {"from": str(from_date), "to": None if to_date is None else str(to_date), "groupby": groupby}
        path = f"/{resource_type}/{int(resource_id)}/flow/metrics"
        told = self._calls.get(path, **given, page=page, per_page=per_page)
        return self._calls.understood(lambda: dict(told["metrics"]))

    def get_flow_logs(
        self,
        resource_type: str,
        resource_id: int,
        run_id: int,
        from_ts: int,
        to_ts: int | None = None,
        page: int | None = None,
        per_page: int | None = None,
    ) -> FlowLogs:
        """What a run did and wrote down; `from_ts` and `to_ts` are milliseconds since 1970."""
        given = {"run_id": run_id, "from": from_ts, "to": to_ts, "page": page, "per_page": per_page}
        told = self._calls.get(f"/{resource_type}/{int(resource_id)}/flow/logs", **given)
        return self._calls.understood(lambda: FlowLogs(logs=told["logs"]["data"], meta=told["logs"]["meta"]))


class NexlaWords:
    """The server in the words of Nexla's SDK."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self.sources = Objects(calls, "/data_sources", Source)
        self.nexsets = Nexsets(calls, "/data_sets", Nexset)
        self.destinations = Objects(calls, "/data_sinks", Destination)
        self.credentials = Credentials(calls, "/data_credentials", Credential)
        self.transforms = Objects(calls, "/transforms", Transform)
        self.flows = FlowsOf(calls)
        self.metrics = Metrics(calls)

    def close(self) -> None:
        """Closes what is open."""
        self._calls.close()


def nexla_client(url: str, key: str, *, timeout: float = 30) -> NexlaWords:
    """A client of a server's Nexla-compatible API at `url` (as http://127.0.0.1:8090/nexla), with an API token."""
    return NexlaWords(Calls(url, key, timeout, below=""))
