"""The class that a connector's author subclasses, and what a run gives it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from connectors.config.secrets import Redactor, secrets_of
from connectors.errors import ConnectorError
from connectors.model import (
    CheckResult,
    Dataset,
    DeclaredLineage,
    ExternalRun,
    ExtractReport,
    RefusedRow,
    Resource,
    Statement,
    Window,
)
from connectors.model.dataset import shown
from connectors.verbs import HttpVerbs

if TYPE_CHECKING:
    import pyarrow as pa

    from connectors.http import HttpClient
    from connectors.tables import Table

M = TypeVar("M", bound=BaseModel)


class Ingest(Protocol):
    """Where what a connector gives goes: the store's writers in a run, lists in a test.

    A table is announced by `dataset` before its `records`. One thread calls.
    """

    def resource(self, resource: Resource) -> None: ...
    def declaration(self, declaration: DeclaredLineage) -> object: ...
    def statement(self, statement: Statement) -> None: ...
    def run(self, run: ExternalRun) -> None: ...
    def dataset(self, dataset: Dataset, schema: pa.Schema) -> None: ...
    def records(self, table: str, batch: pa.RecordBatch) -> None: ...
    def refused(self, row: RefusedRow) -> None: ...


class ConnectorConfig(BaseModel):
    """The base of a connector's `Config`: unknown fields are faults, and values are hidden in their messages."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


@dataclass
class Context:
    """What a run gives a connector. `folder` is the project's: relative paths of a configuration start there.

    `tables`, `skip_tables` and `skip_dependent_tables` choose among its tables; `records` are patterns of a database's
    tables whose records are copied. `cursors` are, by table and key,
    where the run before left off; every table of which something is stored is in them. `stored_rows` are how many
    rows a table had when it was last read whole. `concurrency` is how many reads of tables run at once;
    `accept_drop` says that a table may have lost all its rows.
    """

    connection: str
    window: Window
    ingest: Ingest
    open_http: Callable[[], HttpClient]
    folder: Path = field(default_factory=Path)
    instance: str = ""
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("headwater"))
    redact: Redactor = field(default_factory=Redactor)
    state: dict[str, Any] = field(default_factory=dict)
    tables: Sequence[str] = ("*",)
    skip_tables: Sequence[str] = ()
    skip_dependent_tables: bool = False
    records: Sequence[str] = ()
    cursors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    stored_rows: Mapping[str, int] = field(default_factory=dict)
    concurrency: int | None = None
    accept_drop: bool = False


class Connector(HttpVerbs):
    """Reads one kind of system. A subclass has a nested pydantic `Config`, and an `extract`, `tables`, or both.

    `platform` is the system's name in the field's terms ("postgres"); `kinds` are shown as Dagster's kinds. A
    `windowed` connector extracts exactly its partition's window; any other gives a snapshot of now.
    """

    platform: ClassVar[str] = ""
    kinds: ClassVar[frozenset[str]] = frozenset()
    dialect: ClassVar[str | None] = None
    windowed: ClassVar[bool] = False
    # It reads files of the project alone: `headwater lineage diff` reads it anew in another checkout.
    reads_files: ClassVar[bool] = False
    # Where its lineage comes from, as edges say it: "declared" or "openlineage".
    origin: ClassVar[str] = "declared"
    # How its SQL is stored where the connection does not say: "full", "masked" (without literals) or "none".
    store_sql: ClassVar[str] = "full"
    # Which origins may be asked where the connection names none: None leaves it to the connector.
    default_endpoints: ClassVar[tuple[str, ...] | None] = None
    # Whether it copies the records of the tables that a connection's `records` name.
    copies_records: ClassVar[bool] = False
    merges_credential: ClassVar[bool] = True  # a credential's values also fill the fields of the same names
    concurrency: ClassVar[int] = 8  # how many reads of tables run at once, where the connection does not say

    class Config(ConnectorConfig):
        """No settings."""

    def __init__(
        self, config: BaseModel, context: Context, credentials: Mapping[str, str] | None = None
    ) -> None:
        self.config: Any = config
        self.credentials: dict[str, str] = dict(credentials or {})
        self.context = context
        self.report = ExtractReport()

    # -- what a connector does

    def extract(self) -> None:
        """Reads the system and declares what it finds; called before its tables are read."""

    def tables(self) -> Iterable[Table]:
        """Its tables, whose rows are read and kept."""
        return ()

    def client(self) -> Any:
        """What the resolvers of its tables get as `client`: the connector itself."""
        return self

    @classmethod
    def secrets(cls, config: BaseModel) -> list[str]:
        """The values of a configuration that are to be masked wherever something is stored."""
        return secrets_of(config)

    def check(self) -> Iterable[CheckResult]:
        """Tries each capability without extracting. The first should be whether the system can be reached."""
        return ()

    def fingerprint(self) -> str | None:
        """Cheap text that changes when the source does; None when there is none."""
        return None

    def addresses(self) -> Iterable[str]:
        """The names that other systems have for this one, such as postgres://host:5432/shop; without any secret."""
        return ()

    def start(self) -> None:
        """Runs the extract, then reads the tables. Raises ConnectorError for an extract that yields or awaits: it
        would do nothing, and look well.
        """
        extract: Callable[[], Any] = self.extract
        given = extract()
        if isinstance(given, Iterator | AsyncIterator | Coroutine):
            if isinstance(given, Coroutine):
                given.close()
            raise ConnectorError(
                f"{type(self).__name__}.extract must not yield in this version, nor be async",
                hint="declare what it finds: declare_resource, declare_lineage, declare_statement; rows "
                "come from `tables`",
            )
        if tables := list(self.tables()):
            from connectors.tables import sync_tables

            sync_tables(self, tables)

    # -- what a connector is given

    @property
    def window(self) -> Window:
        """The partition's `[start, end)` in UTC."""
        return self.context.window

    @cached_property
    def http(self) -> HttpClient:
        """The connection's HTTP client, opened at the first use."""
        return self.context.open_http()

    def close(self) -> None:
        """Closes what the connector has opened; whoever runs it calls this at the end."""
        if "http" in self.__dict__:
            self.http.close()

    @property
    def state(self) -> dict[str, Any]:
        """Kept with the snapshot from run to run."""
        return self.context.state

    @property
    def log(self) -> logging.Logger:
        return self.context.log

    def path(self, text: str) -> Path:
        """A configured path, relative ones to the project's folder."""
        return self.context.folder / Path(text).expanduser()

    def declare_resource(self, resource: Resource) -> None:
        """Adds a catalogue entry. One that does not validate is refused, counted and shown; the run goes on."""
        if valid := self._valid(Resource, resource):
            self.context.ingest.resource(valid)

    def declare_lineage(self, lineage: DeclaredLineage) -> None:
        """Adds a declaration that data flows from one reference to another."""
        if valid := self._valid(DeclaredLineage, lineage):
            self.context.ingest.declaration(valid)

    def declare_statement(self, statement: Statement) -> None:
        """Adds SQL that ran or stands in a script."""
        if valid := self._valid(Statement, statement):
            self.context.ingest.statement(valid)

    def declare_run(self, run: ExternalRun) -> None:
        """Adds a run of another system."""
        if valid := self._valid(ExternalRun, run):
            self.context.ingest.run(valid)

    def warn(self, message: str) -> None:
        """Says that something could not be read. The run is then partial: it adds and updates, and removes nothing."""
        message = shown(self.context.redact(message))
        self.report.warn(message)
        self.log.warning("%s", message)

    def reject(self, location: str, cause: str) -> None:
        """Records something that was given and cannot be taken; whether that fails the run is `on_error`."""
        self.report.reject(self.context.redact(location), self.context.redact(cause))

    def _valid(self, model: type[M], value: Any) -> M | None:
        try:
            valid = value if type(value) is model else model.model_validate(value)
        except ValidationError as error:
            self.reject(f"{model.__name__} {_name_of(value)}", first_fault(error))
            return None
        self.report.accept()
        return valid


def _name_of(value: Any) -> str:
    name = value.get("databuilder_id") if isinstance(value, Mapping) else getattr(value, "databuilder_id", "")
    return str(name or "")


def first_fault(error: ValidationError) -> str:
    """A validation error in one line, without the values that were given."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, f['loc'])) or 'value'}: {f['msg']}" for f in faults[:3])
