"""What a flow run or a graph's build is in OpenLineage's words. Loads the client: only who sends imports this."""

from __future__ import annotations

from importlib.metadata import version

import dagster as dg
import pyarrow as pa
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    DatasetFacet,
    JobFacet,
    OutputDatasetFacet,
    RunFacet,
    dataset_type_dataset,
    dataset_version_dataset,
    error_message_run,
    job_type_job,
    nominal_time_run,
    output_statistics_output_dataset,
    parent_run,
    processing_engine_run,
    schema_dataset,
)

from lineage.formats.openlineage import PRODUCER
from lineage.store import GraphHeader
from pipelines.extract import Outcome
from pipelines.openlineage.runs import GRAPH_JOB, Note, Task

Field = schema_dataset.SchemaDatasetFacetFields


def run_event(note: Note, namespace: str) -> RunEvent:
    """The event of a note; what a task gave, or was made of, is named within the namespace of its job."""
    outputs: list[OutputDataset] = []
    inputs: list[InputDataset] = []
    if isinstance(note.result, Outcome) and note.result.header is not None:
        outputs = [_catalogue(note.result, namespace), *_tables(note.result, namespace)]
    elif isinstance(note.result, GraphHeader):
        outputs = [_graph(note.result, namespace)]
        inputs = [InputDataset(namespace, f"resources/{name}") for name in sorted(note.result.partitions)]
    return RunEvent(
        eventType=RunState(note.state),
        eventTime=note.at.isoformat(timespec="milliseconds"),
        producer=PRODUCER,
        run=Run(str(note.task.run_id), _run_facets(note, namespace)),
        job=Job(namespace, note.task.job, _job_facets(note.task)),
        inputs=inputs,
        outputs=outputs,
    )


def _run_facets(note: Note, namespace: str) -> dict[str, RunFacet]:
    task = note.task
    facets: dict[str, RunFacet] = {
        "parent": parent_run.ParentRunFacet(
            run=parent_run.Run(str(task.parent_id)),
            job=parent_run.Job(namespace, task.parent.job),
            producer=PRODUCER,
        ),
        "nominalTime": nominal_time_run.NominalTimeRunFacet(
            nominalStartTime=task.window.start.isoformat(),
            nominalEndTime=task.window.end.isoformat(),
            producer=PRODUCER,
        ),
        "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
            version=dg.__version__,
            name="Dagster",
            openlineageAdapterVersion=version("headwater"),
            producer=PRODUCER,
        ),
    }
    if note.error:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
            message=note.error, programmingLanguage="PYTHON", producer=PRODUCER
        )
    return facets


def _job_facets(task: Task) -> dict[str, JobFacet]:
    kind = "GRAPH" if task.job == GRAPH_JOB else "EXTRACT"
    return {
        "jobType": job_type_job.JobTypeJobFacet(
            processingType="BATCH", integration="HEADWATER", jobType=kind, producer=PRODUCER
        )
    }


def _catalogue(outcome: Outcome, namespace: str) -> OutputDataset:
    """What the connection declared: its snapshot."""
    header = outcome.header
    assert header is not None
    return _stored(
        namespace,
        f"resources/{outcome.connection}",
        kind="CATALOG",
        content=header.content,
        rows=sum(header.counts.values()),
        size=header.size_bytes,
    )


def _graph(header: GraphHeader, namespace: str) -> OutputDataset:
    rows = sum(header.counts.values())
    return _stored(namespace, GRAPH_JOB, kind="GRAPH", content=header.content, rows=rows, size=None)


def _stored(
    namespace: str, name: str, *, kind: str, content: str, rows: int, size: int | None
) -> OutputDataset:
    facets: dict[str, DatasetFacet] = {
        "datasetType": dataset_type_dataset.DatasetTypeDatasetFacet(datasetType=kind, producer=PRODUCER),
        "version": dataset_version_dataset.DatasetVersionDatasetFacet(
            datasetVersion=content, producer=PRODUCER
        ),
    }
    return OutputDataset(namespace, name, facets=facets, outputFacets=_statistics(rows, size))


def _tables(outcome: Outcome, namespace: str) -> list[OutputDataset]:
    """The tables whose records the connection gave, as headwater holds them."""
    found = []
    for name, given in outcome.given.items():
        facets: dict[str, DatasetFacet] = {
            "schema": schema_dataset.SchemaDatasetFacet(fields=_fields(given.schema), producer=PRODUCER)
        }
        statistics = _statistics(given.rows, given.size_bytes)
        place = f"{namespace}/{outcome.connection}"
        found.append(OutputDataset(place, name, facets=facets, outputFacets=statistics))
    return found


def _statistics(rows: int, size: int | None) -> dict[str, OutputDatasetFacet]:
    return {
        "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=rows, size=size, producer=PRODUCER
        )
    }


def _fields(fields: pa.Schema | pa.StructType) -> list[Field]:
    return [
        Field(
            name=one.name,
            type=str(one.type),
            ordinal_position=at,
            fields=_fields(one.type) if isinstance(one.type, pa.StructType) else [],
        )
        for at, one in enumerate(fields, 1)
    ]
