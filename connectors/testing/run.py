"""Runs one connector, and keeps what it declares."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from connectors.config.secrets import RedactingFilter, Redactor, secrets_of
from connectors.connector import Connector, Context
from connectors.errors import ConnectorError, HeadwaterError
from connectors.http import HttpClient, HttpPolicy
from connectors.installed import exit_text
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
from connectors.registry import configure, load_connector

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class Extract:
    """What one extract gave: declarations in their order, its report, its log's lines, the state it left.

    `datasets` are the tables it announced; `table` and `rows` give their records; `refused_rows` what was refused
    of them; `cursors` is what the next run would go on from. `error` is what ended the extract early; what was
    given before it is here too.
    """

    resources: list[Resource] = field(default_factory=list)
    declarations: list[DeclaredLineage] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    runs: list[ExternalRun] = field(default_factory=list)
    report: ExtractReport = field(default_factory=ExtractReport)
    log: list[str] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    error: HeadwaterError | None = None
    datasets: dict[str, Dataset] = field(default_factory=dict)
    refused_rows: list[RefusedRow] = field(default_factory=list)
    cursors: dict[str, dict[str, str]] = field(default_factory=dict)
    _schemas: dict[str, pa.Schema] = field(default_factory=dict, repr=False)
    _batches: dict[str, list[pa.RecordBatch]] = field(default_factory=dict, repr=False)

    def table(self, name: str) -> pa.Table:
        """A table's records. Raises KeyError for one that was not announced."""
        import pyarrow as pa

        return pa.Table.from_batches(self._batches[name], self._schemas[name])

    def rows(self, name: str) -> list[dict[str, Any]]:
        """A table's records as mappings, values as Python's; JSON is text."""
        rows: list[dict[str, Any]] = self.table(name).to_pylist()
        return rows

    def resource(self, resource: Resource) -> None:
        self.resources.append(resource)

    def declaration(self, declaration: DeclaredLineage) -> None:
        self.declarations.append(declaration)

    def statement(self, statement: Statement) -> None:
        self.statements.append(statement)

    def run(self, run: ExternalRun) -> None:
        self.runs.append(run)

    def dataset(self, dataset: Dataset, schema: pa.Schema) -> None:
        self.datasets[dataset.name] = dataset
        self._schemas[dataset.name] = schema
        self._batches.setdefault(dataset.name, [])

    def records(self, table: str, batch: pa.RecordBatch) -> None:
        self._batches[table].append(batch)

    def refused(self, row: RefusedRow) -> None:
        self.refused_rows.append(row)


def run_connector(
    connector: type[Connector] | str | Path,
    config: Mapping[str, Any] | None = None,
    credentials: Mapping[str, Any] | None = None,
    *,
    http: httpx.BaseTransport | Callable[..., Iterable[bytes]] | None = None,
    endpoints: Sequence[str] | None = None,
    window: Window | None = None,
    folder: Path | None = None,
    state: Mapping[str, Any] | None = None,
    cursors: Mapping[str, Mapping[str, str]] | None = None,
    stored_rows: Mapping[str, int] | None = None,
    tables: Sequence[str] = ("*",),
    skip_tables: Sequence[str] = (),
) -> Extract:
    """Runs a connector's extract, without Dagster and without storing anything.

    `connector` is a class, a registered name, or a Python file's path from `folder` on. `http` answers its
    requests: an httpx transport or a WSGI app; without one the network does. `endpoints` are the origins it
    may ask, None is any. `window` is today by default; `state`, `cursors` and `stored_rows` (how many rows a table
    had) are what an earlier run left;
    `tables` and `skip_tables` are patterns of table names. Raises `ConfigError` for a wrong connector or
    configuration; an error of headwater's in the extract, and a sys.exit, is in the result, any other comes
    through.
    """
    result = Extract(state=dict(state or {}))
    with opened(
        connector,
        config,
        credentials,
        result,
        http=http,
        endpoints=endpoints,
        window=window,
        folder=folder,
        cursors=cursors or {},
        stored_rows=stored_rows or {},
        tables=tables,
        skip_tables=skip_tables,
    ) as running:
        result.report = running.report
        try:
            running.start()
        except HeadwaterError as error:
            result.error = error
        except SystemExit as error:
            result.error = ConnectorError(exit_text(error))
    result.cursors = {name: dict(kept) for name, kept in (cursors or {}).items()}
    if result.error is None:
        for name, report in result.report.tables.items():
            if report.settled:
                result.cursors[name] = report.cursors or {}
        result.cursors |= result.report.cursors or {}
    return result


def check_connector(
    connector: type[Connector] | str | Path,
    config: Mapping[str, Any] | None = None,
    credentials: Mapping[str, Any] | None = None,
    *,
    http: httpx.BaseTransport | Callable[..., Iterable[bytes]] | None = None,
    endpoints: Sequence[str] | None = None,
    window: Window | None = None,
    folder: Path | None = None,
) -> list[CheckResult]:
    """What a connector's `check` finds, word for word: nothing is masked. The arguments are `run_connector`'s.

    Raises `ConfigError` for a wrong connector or configuration, and whatever the check raises.
    """
    with opened(
        connector,
        config,
        credentials,
        Extract(),
        http=http,
        endpoints=endpoints,
        window=window,
        folder=folder,
    ) as running:
        return list(running.check())


@contextmanager
def opened(
    connector: type[Connector] | str | Path,
    config: Mapping[str, Any] | None,
    credentials: Mapping[str, Any] | None,
    result: Extract,
    *,
    http: httpx.BaseTransport | Callable[..., Iterable[bytes]] | None,
    endpoints: Sequence[str] | None,
    window: Window | None,
    folder: Path | None,
    **chosen: Any,
) -> Iterator[Connector]:
    """The connector, ready to run; what it gives goes into `result`. `chosen` is of its context."""
    folder = folder or Path.cwd()
    cls = connector if isinstance(connector, type) else load_connector(str(connector), folder)
    settings = configure(cls, config or {}, credentials)
    redact = Redactor([*cls.secrets(settings), *secrets_of(credentials or {})])
    log = _log(result, redact)
    policy = HttpPolicy(endpoints=None if endpoints is None else list(endpoints))
    transport = (
        http if http is None or isinstance(http, httpx.BaseTransport) else httpx.WSGITransport(app=http)
    )
    with HttpClient(
        policy, connection=cls.__name__, folder=folder, redact=redact, log=log, transport=transport
    ) as client:
        context = Context(
            connection=cls.__name__,
            window=window or today(),
            ingest=result,
            open_http=lambda: client,
            folder=folder,
            log=log,
            redact=redact,
            state=result.state,
            **chosen,
        )
        yield cls(settings, context, {name: str(value) for name, value in (credentials or {}).items()})


def today() -> Window:
    """Today's partition, in UTC."""
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Window(start.date().isoformat(), start, start + timedelta(days=1))


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


def _log(result: Extract, redact: Redactor) -> logging.Logger:
    """A logger of this run alone: its lines go into the result, and nowhere else."""
    log = logging.Logger("headwater.testing", logging.INFO)
    handler = _Lines(result.log)
    handler.addFilter(RedactingFilter(redact))
    log.addHandler(handler)
    return log
