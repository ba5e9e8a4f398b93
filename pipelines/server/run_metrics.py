"""What Prometheus is told of flow runs."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pipelines.flow_runs.last_runs import LastRun, count_runs_by_status, last_runs
from pipelines.server.runs import ProjectedRuns
from pipelines.statuses import CANCELED, FAILED, QUEUED, RUNNING, STATUSES, SUCCESS

_ENDED = tuple(status for status in STATUSES if status not in (QUEUED, RUNNING))
_COUNTS = {
    "records": "Records that a flow's last ended run stored or delivered.",
    "size_bytes": "The size of those records' Arrow data.",
    "errors": "Errors of a flow's last ended run.",
    "quarantined": "Records that a flow's last ended run put in quarantine.",
}


class FlowRunMetrics(Collector):
    """The last ended run of each flow, and how many of Dagster's runs stand how, when Prometheus asks."""

    def __init__(self, runs: ProjectedRuns) -> None:
        self._runs = runs

    def collect(self) -> Iterator[Metric]:
        readable = GaugeMetricFamily("headwater_dagster_readable", "1 while Dagster's records can be read.")
        readable.add_metric([], 0 if self._runs.trouble else 1)
        yield readable
        if not self._runs.is_open:
            return
        ledger = self._runs.ledger
        yield from _runs(count_runs_by_status(ledger))
        yield from _flows(last_runs(ledger, self._runs.flow_runs.flows))


def _runs(count: dict[str, int]) -> Iterator[Metric]:
    ended = CounterMetricFamily(
        "headwater_runs", "Dagster's runs that have ended, by how.", labels=["status"]
    )
    for status in (SUCCESS, FAILED, CANCELED):
        ended.add_metric([status.lower()], count.get(status, 0))
    yield ended
    open_runs = GaugeMetricFamily(
        "headwater_runs_under_way", "Dagster's runs that wait or run.", labels=["status"]
    )
    for status in (QUEUED, RUNNING):
        open_runs.add_metric([status.lower()], count.get(status, 0))
    yield open_runs


def _flows(last: dict[str, LastRun]) -> Iterator[Metric]:
    status = GaugeMetricFamily(
        "headwater_flow_last_run_status",
        "1 at the status of a flow's last ended run, 0 at the others.",
        labels=["flow", "status"],
    )
    for flow, run in last.items():
        for one in _ENDED:
            status.add_metric([flow, one.lower()], int(run.status == one))
    yield status
    ends = _gauge("headwater_flow_last_run_timestamp_seconds", "When a flow's last ended run ended.")
    goods = _gauge(
        "headwater_flow_last_success_timestamp_seconds",
        "When the last run of a flow ended that succeeded, with warnings or without.",
    )
    took = _gauge("headwater_flow_last_run_duration_seconds", "How long a flow's last ended run took.")
    for flow, run in last.items():
        if run.ended_ms is not None:
            ends.add_metric([flow], run.ended_ms / 1000)
        if run.succeeded_ms is not None:
            goods.add_metric([flow], run.succeeded_ms / 1000)
        if run.started_ms is not None and run.ended_ms is not None:
            took.add_metric([flow], (run.ended_ms - run.started_ms) / 1000)
    yield from (ends, goods, took)
    for name, said in _COUNTS.items():
        counted = _gauge(f"headwater_flow_last_run_{name}", said)
        for flow, run in last.items():
            counted.add_metric([flow], getattr(run, name))
        yield counted


def _gauge(name: str, said: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, said, labels=["flow"])
