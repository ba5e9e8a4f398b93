"""Runs one connector, and keeps what it declares."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from connectors.config.secrets import RedactingFilter, Redactor, secrets_of
from connectors.connector import Connector, Context
from connectors.errors import ConnectorError, HeadwaterError
from connectors.http import HttpClient, HttpPolicy
from connectors.model import DeclaredLineage, ExtractReport, Resource, Statement, Window
from connectors.registry import configure, exit_text, load_connector


@dataclass
class Extract:
    """What one extract gave: declarations in their order, its report, its log's lines, the state it left.

    `error` is what ended the extract early; what was declared before it is here too.
    """

    resources: list[Resource] = field(default_factory=list)
    declarations: list[DeclaredLineage] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    report: ExtractReport = field(default_factory=ExtractReport)
    log: list[str] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    error: HeadwaterError | None = None

    def resource(self, resource: Resource) -> None:
        self.resources.append(resource)

    def declaration(self, declaration: DeclaredLineage) -> None:
        self.declarations.append(declaration)

    def statement(self, statement: Statement) -> None:
        self.statements.append(statement)


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
) -> Extract:
    """Runs a connector's extract, without Dagster and without storing anything.

    `connector` is a class, a registered name, or a Python file's path from `folder` on. `http` answers its
    requests: an httpx transport or a WSGI app; without one the network does. `endpoints` are the origins it
    may ask, None is any. `window` is today by default. Raises `ConfigError` for a wrong connector or
    configuration; an error of headwater's in the extract, and a sys.exit, is in the result, any other comes
    through.
    """
    folder = folder or Path.cwd()
    cls = connector if isinstance(connector, type) else load_connector(str(connector), folder)
    result = Extract(state=dict(state or {}))
    settings = configure(cls, config or {}, credentials)
    redact = Redactor([*secrets_of(settings), *secrets_of(credentials or {})])
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
        )
        running = cls(settings, context, {name: str(value) for name, value in (credentials or {}).items()})
        result.report = running.report
        try:
            running.start()
        except HeadwaterError as error:
            result.error = error
        except SystemExit as error:
            result.error = ConnectorError(exit_text(error))
    return result


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
