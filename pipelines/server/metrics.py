"""What Prometheus is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pipelines.server.graphs import Graphs

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestMetrics:
    """Counts requests by route, not by path: there are as many paths as resources."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._count = Counter(
            "headwater_http_requests", "Requests answered.", ["route", "method", "status"], registry=registry
        )
        self._seconds = Histogram(
            "headwater_http_request_seconds",
            "From a request's headers to the end of its answer.",
            ["route", "method"],
            buckets=_BUCKETS_S,
            registry=registry,
        )

    def observe(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """Counts one request; `route` is None where nothing is at its path."""
        named, known = route or "(none)", method if method in METHODS else "(other)"
        self._count.labels(named, known, str(status)).inc()
        self._seconds.labels(named, known).observe(seconds)


class GraphMetrics(Collector):
    """The newest graph, as it is when Prometheus asks."""

    def __init__(self, graphs: Graphs) -> None:
        self._graphs = graphs

    def collect(self) -> Iterator[Metric]:
        readable = GaugeMetricFamily("headwater_store_readable", "1 while the store can be read.")
        readable.add_metric([], 0 if self._graphs.trouble else 1)
        yield readable
        reading = self._graphs.newest
        if reading is None:
            return
        info = GaugeMetricFamily(
            "headwater_graph_info", "The partition of the newest graph.", labels=["as_of"]
        )
        info.add_metric([reading.as_of], 1)
        yield info
        for name, count in reading.counts.items():
            family = GaugeMetricFamily(f"headwater_graph_{name}", f"{name.capitalize()} of the newest graph.")
            family.add_metric([], count)
            yield family


def make_registry(graphs: Graphs, more: Iterable[Collector] = ()) -> CollectorRegistry:
    """A registry of the server's own, with the process's metrics, the graph's, and those of `more`."""
    registry = CollectorRegistry(auto_describe=False)
    for collector in (GraphMetrics(graphs), *more):
        registry.register(collector)
    ProcessCollector(registry=registry)
    return registry
