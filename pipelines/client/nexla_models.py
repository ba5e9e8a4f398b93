"""What the Nexla-compatible API answers. Fields that are not named here are attributes all the same."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from pipelines.client.run_rows import RunRows


class Model(BaseModel):
    """An answer's object."""

    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)


class Connector(Model):
    """The kind of a source or a destination."""

    id: int
    type: str
    name: str
    description: str = ""


class DataSetBrief(Model):
    id: int
    name: str | None = None


class RunInfo(Model):
    """A run that a source took part in; `id` is its number."""

    id: int
    created_at: datetime
    status: str | None = None


class Credential(Model):
    """Without its secrets: those are given, and never shown."""

    id: int
    name: str
    credentials_type: str
    verified_status: str | None = None
    credentials_non_secure_data: dict[str, Any] = Field(default_factory=dict)


class Source(Model):
    """A connection."""

    id: int
    name: str
    status: str
    source_type: str
    connector: Connector | None = None
    data_credentials_id: int | None = None
    data_credentials: Credential | None = None
    data_sets: list[DataSetBrief] = Field(default_factory=list)
    run_ids: list[RunInfo] = Field(default_factory=list)


class SinkBrief(Model):
    """`sink_type` is null where Nexla has no name for it; `connector_type` always tells."""

    id: int
    name: str
    status: str | None = None
    sink_type: str | None = None
    connector_type: str | None = None


class Nexset(Model):
    """A dataset: a table whose records are copied, or a derived one."""

    id: int
    name: str | None = None
    status: str | None = None
    data_source_id: int | None = None
    parent_data_sets: list[DataSetBrief] = Field(default_factory=list)
    data_sinks: list[SinkBrief] = Field(default_factory=list)
    transform_id: int | None = None
    transform: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    output_schema_validation_enabled: bool = False
    output_validation_schema: dict[str, Any] | None = None


class Destination(Model):
    """A sink, with the dataset that it is given."""

    id: int
    name: str
    status: str
    sink_type: str
    connector: Connector | None = None
    data_set_id: int | None = None
    data_set: DataSetBrief | None = None
    data_credentials_id: int | None = None


class Transform(Model):
    """A transform that datasets share; `data_sets` are the ids of those that use it."""

    id: int
    name: str
    code: list[dict[str, Any]]
    data_sets: list[int] = Field(default_factory=list)


class Sample(Model):
    """A record, and where it comes from where that was asked for."""

    raw_message: dict[str, Any]
    nexla_metadata: dict[str, Any] | None = None


class FlowNode(Model):
    id: int
    origin_node_id: int
    parent_node_id: int | None = None
    data_source_id: int | None = None
    data_set_id: int | None = None
    data_sink_id: int | None = None
    status: str | None = None
    name: str | None = None
    children: list[FlowNode] = Field(default_factory=list)


class FlowMetrics(Model):
    """What the source of a flow gave in one run."""

    origin_node_id: int
    run_id: int
    records: int
    size: int
    errors: int
    reporting_date: datetime


class Flows(Model):
    """Flows, each a tree; what is in them; and their runs' metrics where those were asked for."""

    flows: list[FlowNode]
    data_sources: list[Source] = Field(default_factory=list)
    data_sets: list[Nexset] = Field(default_factory=list)
    data_sinks: list[Destination] = Field(default_factory=list)
    data_credentials: list[Credential] = Field(default_factory=list)
    metrics: list[FlowMetrics] = Field(default_factory=list)


class MetricsByRun(Model):
    status: int
    metrics: RunRows

    @field_serializer("metrics")
    def _answered(self, metrics: RunRows) -> dict[str, Any]:
        return {"data": [dict(row) for row in metrics], "meta": metrics["meta"]}


class DayMetrics(Model):
    """Sums of a UTC day, `time`."""

    time: str
    records: int
    size: int
    errors: int


class MetricsByDay(Model):
    status: int
    metrics: list[DayMetrics]


class LogEntry(Model):
    """A line of a run's log: `timestamp` in milliseconds since 1970."""

    timestamp: int
    severity: str
    log: str
    log_type: str
    run_id: int | None = None
    resource_id: int | None = None
    resource_type: str | None = None


class FlowLogs(Model):
    logs: list[LogEntry]
    meta: dict[str, Any]
