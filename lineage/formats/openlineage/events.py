"""A graph as static OpenLineage events: what there is (DatasetEvent), and what comes from what (JobEvent)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from openlineage.client.event_v2 import (
    DatasetEvent,
    InputDataset,
    Job,
    JobEvent,
    OutputDataset,
    StaticDataset,
)
from openlineage.client.facet_v2 import DatasetFacet, JobFacet, job_type_job, sql_job
from openlineage.client.serde import Serde

from lineage.formats.openlineage.column_lineage import column_lineage
from lineage.formats.openlineage.facets import columns_by_parent, dataset_facets
from lineage.formats.openlineage.naming import Names

Edges = Sequence[Mapping[str, Any]]
_TABLES = frozenset({"table", "view"})


def graph_events(
    graph: Mapping[str, Any],
    *,
    producer: str,
    namespaces: Mapping[str, str],
    job_namespace: str = "headwater://headwater",
    at: str | None = None,
) -> Iterator[DatasetEvent | JobEvent]:
    """The events of a graph in the JSON of `headwater lineage export`.

    First a DatasetEvent for each table, view and other end of an edge, then a JobEvent for each that has something
    upstream, named by its id. `namespaces` are OpenLineage's canonical ones by connection, where one is known; the
    rest is named within `job_namespace`. `at` is the time of the events, as ISO text; now, when it is not given.
    """
    resources = graph["resources"]
    names = Names(resources, namespaces, job_namespace)
    into = _by_downstream(graph["edges"], names)
    at = at or datetime.now(UTC).isoformat(timespec="milliseconds")
    columns = columns_by_parent(resources)
    ends = set(into) | {start for edges in into.values() for start in _upstreams(edges, names)}
    for item in resources:
        if item["id"] in ends or item["entity_type"] in _TABLES:
            namespace, name = names.dataset(item["id"])
            facets = dataset_facets(item, columns, names, producer)
            yield DatasetEvent(
                eventTime=at, producer=producer, dataset=StaticDataset(namespace, name, facets=facets)
            )
    for node in sorted(into):
        yield _job_event(node, into[node], names, job_namespace, producer, at)


def to_line(event: DatasetEvent | JobEvent) -> str:
    """An event as a line of JSON, as the official client sends it."""
    return Serde.to_json(event)


def _by_downstream(edges: Edges, names: Names) -> dict[str, list[Mapping[str, Any]]]:
    """The edges by the table (or chart) that they, or the column that they lead to, belong to."""
    into: dict[str, list[Mapping[str, Any]]] = {}
    for edge in edges:
        start, end = names.place(edge["from"]), names.place(edge["to"])
        if start is not None and end is not None:
            into.setdefault(end[0], []).append(edge)
    return into


def _upstreams(edges: Edges, names: Names) -> list[str]:
    return sorted({place[0] for edge in edges if (place := names.place(edge["from"]))})


def _job_event(node: str, edges: Edges, names: Names, job_namespace: str, producer: str, at: str) -> JobEvent:
    facets: dict[str, JobFacet] = {
        "jobType": job_type_job.JobTypeJobFacet(
            processingType="BATCH", integration="HEADWATER", producer=producer
        )
    }
    if query := _only_statement(edges):
        facets["sql"] = sql_job.SQLJobFacet(query=query, producer=producer)
    lineage = column_lineage(edges, names, producer)
    described: dict[str, DatasetFacet] = {"columnLineage": lineage} if lineage else {}
    return JobEvent(
        eventTime=at,
        producer=producer,
        job=Job(job_namespace, node, facets),
        inputs=[InputDataset(*names.dataset(start)) for start in _upstreams(edges, names)],
        outputs=[OutputDataset(*names.dataset(node), facets=described)],
    )


def _only_statement(edges: Edges) -> str | None:
    """The text of the one statement that is the reason of all the edges."""
    reasons = {why["sql"] for edge in edges for why in edge["provenance"]}
    return reasons.pop() if len(reasons) == 1 else None
