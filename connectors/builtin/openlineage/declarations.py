"""What a history of events becomes: resources, lineage and runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connectors.builtin.openlineage.events import JobId
from connectors.builtin.openlineage.facets import DatasetId, Flow, Symlink
from connectors.builtin.openlineage.history import Dataset, History, Job, Traffic
from connectors.model import DeclaredLineage, ExternalRun, ExternalTable, InternalResource, Resource
from connectors.model.naming import dotted
from connectors.model.platform_names import FILES, TOPICS, DatasetParts, dataset_parts, scheme_of


def dataset_key(dataset: DatasetId) -> str:
    """The `databuilder_id` of a dataset: its namespace and the parts of its name."""
    database, schema, table = dataset_parts(*dataset)
    # SQL Server's `shop..orders` is not `shop.orders`.
    return dotted(dataset.namespace, database, schema if database is None else schema or "", table)


def job_key(job: JobId) -> str:
    """The `databuilder_id` of a job; no dataset has the same."""
    return f"job:{dotted(*job)}"


def resources(history: History) -> Iterator[Resource]:
    """Datasets with their columns, then jobs. Of names that differ in quotes only the first counts."""
    seen: set[str] = set()
    for dataset, known in history.datasets.items():
        key = dataset_key(dataset)
        table = _table(dataset, known, key)
        for one in (table, *_columns(known, table)):
            if one.databuilder_id not in seen:
                seen.add(one.databuilder_id)
                yield one
    for job, facts in history.jobs.items():
        yield _job(job, facts)


def lineage(history: History) -> Iterator[DeclaredLineage]:
    """How data flows, once for each job that says it. What a run says that did not end well is left out."""
    told: set[tuple[object, ...]] = set()
    for job, traffic in _traffic(history):
        location = str(job) if job is not None else None
        for number in sorted(traffic.flows):
            target, flows = history.flows[number]
            for flow in flows:
                if (one := (location, target, flow)) not in told:
                    told.add(one)
                    yield from _declared(
                        _end(flow.source, flow.source_field), _end(target, flow.field), flow, location
                    )
        for source in sorted(traffic.inputs):
            for target in sorted(traffic.outputs):
                if (pair := (location, source, target)) not in told:
                    told.add(pair)
                    yield from _declared(dataset_key(source), dataset_key(target), None, location)


def runs(history: History) -> Iterator[ExternalRun]:
    """The runs, in whatever state their last event left them."""
    for (job, run), known in history.runs.items():
        yield ExternalRun(
            id=run,
            job=str(job),
            status=known.status.value,
            started_at=known.started_at,
            ended_at=known.status.at,
            inputs=_keys(known.traffic.inputs),
            outputs=_keys(known.traffic.outputs),
            error=known.error.value,
            parent=known.parent.value,
        )


def _traffic(history: History) -> Iterator[tuple[JobId | None, Traffic]]:
    yield from history.static.items()
    for (job, _), run in history.runs.items():
        if not run.failed:
            yield job, run.traffic


def _declared(source: str, target: str, flow: Flow | None, location: str | None) -> Iterator[DeclaredLineage]:
    # A job that reads what it writes says nothing of where that comes from.
    if source != target:
        yield DeclaredLineage(
            from_identifier=InternalResource(databuilder_id=source),
            to_identifier=InternalResource(databuilder_id=target),
            kind="indirect" if flow and flow.indirect else "direct",
            clauses=list(flow.clauses) if flow else [],
            expression=flow.expression if flow else None,
            location=location,
        )


def _end(dataset: DatasetId, field: str | None) -> str:
    key = dataset_key(dataset)
    return key if field is None else _column_key(key, field)


def _column_key(table: str, column: str) -> str:
    return f"{table}.{dotted(column)}"


def _keys(datasets: Iterable[DatasetId]) -> list[str]:
    return sorted({dataset_key(one) for one in datasets})


def _table(dataset: DatasetId, known: Dataset, key: str) -> Resource:
    parts = dataset_parts(*dataset)
    symlinks = known.symlinks.value
    # Of a table that lies in files, the catalogue's name is the one that queries know it by.
    same = next((one.id for one in symlinks if one.type == "TABLE"), dataset)
    return Resource(
        entity_type="table",
        databuilder_id=key,
        title=parts.table,
        database=parts.database,
        schema=parts.schema,
        description=known.description.value,
        native_type=known.kind.value or _native_type(dataset.namespace, parts),
        owners=list(known.owners.value) or None,
        tags=list(known.tags.value),
        same_as=_external(same),
        properties=_properties(
            namespace=dataset.namespace, name=dataset.name, also_known_as=_also_known_as(symlinks)
        ),
    )


def _external(dataset: DatasetId) -> ExternalTable:
    parts = dataset_parts(*dataset)
    return ExternalTable(
        cluster=dataset.namespace, database=parts.database, schema=parts.schema, table=parts.table
    )


def _native_type(namespace: str, parts: DatasetParts) -> str | None:
    scheme = scheme_of(namespace)
    if scheme in TOPICS:
        return "topic"
    return "file" if scheme in FILES and parts.schema is None else None


def _columns(known: Dataset, table: Resource) -> Iterator[Resource]:
    listed = {field.name: field for field in known.fields.value}
    for name in (*listed, *(name for name in known.mentioned if name not in listed)):
        field = listed.get(name)
        yield Resource(
            entity_type="column",
            databuilder_id=_column_key(table.databuilder_id, name),
            parent_databuilder_id=table.databuilder_id,
            title=name,
            database=table.database,
            schema=table.schema,
            type=field.type if field else None,
            description=field.description if field else None,
            sort_order=field.position if field else None,
        )


def _job(job: JobId, known: Job) -> Resource:
    kind = known.kind.value
    return Resource(
        entity_type="job",
        databuilder_id=job_key(job),
        title=job.name,
        description=known.description.value,
        definition=known.sql.value,
        native_type=kind.get("jobType"),
        owners=list(known.owners.value) or None,
        tags=list(known.tags.value),
        properties=_properties(
            namespace=job.namespace,
            integration=kind.get("integration"),
            processing_type=kind.get("processingType"),
            url=known.url.value,
        ),
    )


def _also_known_as(symlinks: tuple[Symlink, ...]) -> str | None:
    return ", ".join(f"{one.id.namespace} {one.id.name}" for one in symlinks) or None


def _properties(**facts: str | None) -> dict[str, str]:
    """The facts that are known."""
    return {name: fact for name, fact in facts.items() if fact}
