"""headwater.yaml as data: structure only. Values with `${VAR}` stay text until their connection runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from connectors.config.secrets import expand
from pipelines.project.cron import is_cron

ConnectionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=100)]
DATASETS, SINKS = "datasets", "sinks"
RESERVED = frozenset({DATASETS, SINKS})
# What the API can create, by kind: where the file has such things.
SECTIONS = {
    "credential": "credentials",
    "connection": "connections",
    "transform": "transforms",
    "dataset": DATASETS,
    "sink": SINKS,
}


class DatasetRef(NamedTuple):
    """A dataset by where it comes from: a connection's table, or one that is derived, of `datasets`."""

    connection: str
    table: str

    @classmethod
    def read(cls, text: str) -> DatasetRef:
        """From `connection/table` or `datasets/<name>`."""
        connection, _, table = text.partition("/")
        return cls(connection, table)

    @property
    def id(self) -> str:
        return f"{self.connection}/{self.table}"

    @property
    def is_derived(self) -> bool:
        return self.connection == DATASETS


class Section(BaseModel):
    """A mapping of the file: unknown keys are faults."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Partitions(Section):
    """The project's one partition definition: days or hours from `start` on, in a time zone."""

    every: Literal["day", "hour"] = "day"
    start: datetime
    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("not a time zone; write one such as UTC or Europe/Berlin") from None
        return name


class Defaults(Section):
    """Where a connection's SQL looks names up, and what breaks a tie between tables of the same name."""

    instance: str | None = None
    database: str | None = None
    schema_: str | None = Field(default=None, alias="schema")
    dialect: str | None = None

    def given(self) -> dict[str, str]:
        """Only what is set."""
        return self.model_dump(by_alias=True, exclude_none=True)


class ConnectionModel(Section):
    """One configured connector."""

    connector: str
    credential: str | dict[str, Any] | None = None
    config: dict[str, Any] = Field(default_factory=dict)
    endpoints: list[str] | None = None
    transport: str | None = None
    http: dict[str, Any] = Field(default_factory=dict)
    plugin: str | None = None
    python: str | None = None
    spec: dict[str, Any] | None = None
    tables: list[str] = Field(default_factory=lambda: ["*"], min_length=1)
    skip_tables: list[str] = Field(default_factory=list)
    skip_dependent_tables: bool = False
    records: list[str] = Field(default_factory=list)
    concurrency: int | None = Field(default=None, ge=1, le=256)
    instance: str | None = None
    defaults: Defaults = Field(default_factory=Defaults)
    schedule: str | None = None
    on_error: Literal["record", "fail"] = "record"
    remove_missing: bool = True
    max_drop: float = Field(default=0.3, ge=0, le=1)
    allow_late: bool = False
    store_sql: Literal["full", "masked", "none"] | None = None
    infer_tables: bool = False
    emit_lineage: bool = True
    lookback: int = Field(default=30, ge=1)
    renamed_from: ConnectionName | None = None

    def expanded(self, environment: Mapping[str, str]) -> tuple[ConnectionModel, list[str]]:
        """With the variables of `instance` and `defaults` filled, and the names of those that are missing."""
        missing: list[str] = []

        def filled(text: str | None) -> str | None:
            value, absent = expand(text or "", environment)
            missing.extend(absent)
            return None if absent else value or None

        defaults = {name: filled(getattr(self.defaults, name)) for name in Defaults.model_fields}
        update = {"instance": filled(self.instance), "defaults": self.defaults.model_copy(update=defaults)}
        return self.model_copy(update=update), missing

    @field_validator("schedule")
    @classmethod
    def _cron(cls, text: str | None) -> str | None:
        if text is not None and not is_cron(text):
            raise ValueError("not a cron expression; write five fields, such as '0 * * * *' for every hour")
        return text


class OpenLineageModel(Section):
    """Who is told of every flow run: the receiver's address, or a file that events are appended to."""

    url: str | None = None
    file: str | None = None
    namespace: str | None = None
    api_key: SecretStr | None = None
    timeout_s: float = Field(default=2.0, gt=0, le=60)

    @field_validator("url")
    @classmethod
    def _address(cls, text: str | None) -> str | None:
        if text is not None and not text.startswith(("http://", "https://", "${")):
            raise ValueError("not an address; write http://... or https://...")
        return text

    @model_validator(mode="after")
    def _one_receiver(self) -> OpenLineageModel:
        if (self.url is None) == (self.file is None):
            raise ValueError("give either url or file")
        return self


class UnresolvedCheck(Section):
    """How many references may stay without an edge."""

    max: int = Field(default=0, ge=0)
    severity: Literal["warn", "error"] = "warn"


class CoverageCheck(Section):
    """Which share of the statements is to be understood."""

    min: float = Field(default=1.0, ge=0, le=1)
    severity: Literal["warn", "error"] = "warn"


class ChecksModel(Section):
    """What the checks of the graph hold against it."""

    unresolved_references: UnresolvedCheck = Field(default_factory=UnresolvedCheck)
    sql_coverage: CoverageCheck = Field(default_factory=CoverageCheck)


class DatasetModel(Section):
    """A derived dataset. `from` and the values of `inputs` are `connection/table` or `datasets/<name>`.

    `schema_changes` says what becomes of columns that the input did not have before: they are taken (evolve), the run
    fails (freeze), they are left out (discard_value), or the records that have a value there are (discard_record).
    `personal` columns are masked wherever samples are shown.
    """

    from_: str = Field(alias="from")
    description: str | None = None
    transform: str | dict[str, Any] | None = None
    validation: dict[str, Any] | None = None
    sinks: list[str] = Field(default_factory=list)
    schema_changes: Literal["evolve", "freeze", "discard_value", "discard_record"] = "evolve"
    personal: list[str] = Field(default_factory=list)


class SinkModel(Section):
    """One configured sink."""

    connector: str
    credential: str | dict[str, Any] | None = None
    config: dict[str, Any] = Field(default_factory=dict)


class ProjectModel(Section):
    """The whole file."""

    name: Annotated[str, StringConstraints(min_length=1)] = "headwater"
    storage: str = ".headwater"
    storage_options: dict[str, str] = Field(default_factory=dict)
    partitions: Partitions
    keep_days: int | None = Field(default=None, ge=1)
    executor: Literal["in_process", "multiprocess"] | None = None
    credentials: dict[str, dict[str, Any]] = Field(default_factory=dict)
    connections: dict[ConnectionName, ConnectionModel]
    transforms: dict[ConnectionName, dict[str, Any]] = Field(default_factory=dict)
    datasets: dict[ConnectionName, DatasetModel] = Field(default_factory=dict)
    sinks: dict[ConnectionName, SinkModel] = Field(default_factory=dict)
    same_as: list[tuple[str, str]] = Field(default_factory=list)
    collapse: list[Annotated[str, StringConstraints(min_length=1)]] = Field(default_factory=list)
    checks: ChecksModel = Field(default_factory=ChecksModel)
    openlineage: OpenLineageModel | None = None

    @model_validator(mode="after")
    def _distinct_renames(self) -> ProjectModel:
        renamed = [c.renamed_from for c in self.connections.values() if c.renamed_from]
        if len(renamed) != len(set(renamed)):
            raise ValueError("two connections are renamed_from the same one")
        return self
