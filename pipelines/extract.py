"""Runs one connection for one partition and stores what it gave. Knows no Dagster: the asset calls this."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from connectors import Connector, Window
from connectors.config.secrets import RedactingFilter, Redactor
from connectors.errors import HeadwaterError, RunError
from connectors.model import ExtractReport
from connectors.registry import exit_text
from lineage.store import SnapshotHeader, SnapshotWriter, Store
from pipelines.project import Project, open_connector, resolve_connection
from pipelines.project.model import ConnectionModel
from pipelines.redaction import RedactedIngest, output_redacted

GRACE = timedelta(hours=1)  # a run created this long after its partition ended still counts for it
SUCCESS, WARNING, FAILED = "SUCCESS", "WARNING", "FAILED"


@dataclass(frozen=True)
class RunInfo:
    """Of the run that an extract belongs to: its id, when it was created (aware), what it lets through, and
    whether it starts without the state that earlier runs left."""

    run_id: str
    created_at: datetime
    accept_drop: bool = False
    full: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one connection and partition. `seconds` were spent inside the connector."""

    connection: str
    partition: str
    status: str
    started_at: datetime
    ended_at: datetime
    seconds: float = 0.0
    error: str | None = None
    header: SnapshotHeader | None = None
    written: bool = False
    report: ExtractReport = field(default_factory=ExtractReport)


class Listener(Protocol):
    """Is told how extracts of this process go; the command line shows it."""

    def started(self, connection: str, partition: str, report: ExtractReport) -> None:
        """An extract began; `report` counts while it runs."""

    def finished(self, outcome: Outcome) -> None:
        """An extract ended."""


listeners: list[Listener] = []


def extract_partition(
    project: Project, store: Store, name: str, window: Window, run: RunInfo, log: logging.Logger
) -> Outcome:
    """Runs the connection for the window. Never raises for trouble of the source: that is the outcome's
    error.
    """
    report = ExtractReport()
    for listener in listeners:
        listener.started(name, window.key, report)
    outcome = _outcome(project, store, name, window, run, log, report)
    for listener in listeners:
        listener.finished(outcome)
    return outcome


def _outcome(
    project: Project,
    store: Store,
    name: str,
    window: Window,
    run: RunInfo,
    log: logging.Logger,
    report: ExtractReport,
) -> Outcome:
    started_at = datetime.now(UTC)
    redact = Redactor()
    spent = [0.0]
    header, written, fault = None, False, None
    try:
        header, written = _extract(project, store, name, window, run, log, redact, report, spent)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a connector raises is its run's fault, recorded
        fault = redact(describe(error))
        log.error("%s failed: %s", name, fault)
        if not isinstance(error, HeadwaterError):
            log.error(redact("".join(traceback.format_exception(error))))
    status = FAILED if header is None else SUCCESS if header.complete else WARNING
    ended_at = datetime.now(UTC)
    return Outcome(name, window.key, status, started_at, ended_at, spent[0], fault, header, written, report)


def _extract(
    project: Project,
    store: Store,
    name: str,
    window: Window,
    run: RunInfo,
    log: logging.Logger,
    redact: Redactor,
    report: ExtractReport,
    spent: list[float],
) -> tuple[SnapshotHeader, bool]:
    model = project.connection(name)
    resolved = resolve_connection(project, name)
    redact.add(*resolved.redact.known)
    if not resolved.cls.windowed and not model.allow_late:
        _refuse_late(name, window, run.created_at)
    dialect = model.defaults.dialect or resolved.cls.dialect
    writer = SnapshotWriter(dialect, _KEEP_SQL[model.store_sql], model.store_sql)
    state = {} if run.full else _state(store, name, model.renamed_from, window.key)
    started_at = datetime.now(UTC)
    quiet = RedactingFilter(resolved.redact)
    log.addFilter(quiet)
    begun = time.perf_counter()
    try:
        with output_redacted(resolved.redact):
            connector = open_connector(
                project,
                resolved,
                window=window,
                ingest=RedactedIngest(writer, resolved.certain),
                log=log,
                state=state,
            )
            connector.report = report
            begun = time.perf_counter()
            with closing(connector):
                connector.start()
    finally:
        spent[0] = time.perf_counter() - begun
        redact.add(*resolved.redact.known)
        log.removeFilter(quiet)
    if report.failed and model.on_error == "fail":
        first = report.rejects[0]
        raise RunError(
            f"{report.failed} refused, the first: {first.location}: {first.cause}",
            hint="mend them, or set on_error: record",
        )
    # Programs of earlier runs may hold literals: where those are not to be stored, none is used again.
    known = _programs(store, name) if model.store_sql == "full" and writer.queries else {}
    rows = writer.finish(_COMPILE[model.store_sql], known)
    header = SnapshotHeader(
        connection=name,
        partition=window.key,
        run_id=run.run_id,
        complete=report.complete,
        open=started_at < window.end,
        windowed=resolved.cls.windowed,
        started_at=started_at.isoformat(timespec="milliseconds"),
        ended_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        instance=model.instance or name,
        platform=resolved.cls.platform,
        dialect=dialect,
        attempted=report.attempted,
        failed=report.failed,
        warnings=report.warnings,
        warning_count=report.warning_count,
        rejects=[f"{r.location}: {r.cause}" for r in report.rejects],
        state=state,
    )
    return store.snapshots.commit(
        header,
        rows,
        keep_missing=not model.remove_missing,
        max_drop=model.max_drop if _may_hold_back(model, resolved.cls, run) else None,
    )


def _may_hold_back(model: ConnectionModel, cls: type[Connector], run: RunInfo) -> bool:
    """Whether a loss of resources would remove any: not of a window, not where what is missing stays."""
    return model.remove_missing and not cls.windowed and not run.accept_drop


def _state(store: Store, name: str, renamed_from: str | None, partition: str) -> dict[str, Any]:
    """What the newest complete run left to go on from; a renamed connection's, where it has none of its own."""
    found = store.snapshots.state(name, partition)
    return found or (store.snapshots.state(renamed_from, partition) if renamed_from else {})


def _refuse_late(name: str, window: Window, created_at: datetime) -> None:
    if created_at > window.end + GRACE:
        raise RunError(
            f"{name} gives a snapshot of now, and the partition {window.key} ended at {window.end:%Y-%m-%d %H:%M} UTC",
            hint="run today's partition, or set allow_late: true on the connection to store it under the past one",
        )


def _compile(sql: str, dialect: str | None) -> bytes:
    from lineage.sql import compile_sql

    return compile_sql(sql, dialect).to_bytes()


def _compile_masked(sql: str, dialect: str | None) -> bytes:
    from lineage.sql import compile_sql

    return compile_sql(sql, dialect).without_literals(keep=True).to_bytes()


def _compile_bare(sql: str, dialect: str | None) -> bytes:
    from lineage.sql import compile_sql

    return compile_sql(sql, dialect).without_literals(keep=False).to_bytes()


def _programs(store: Store, name: str) -> Mapping[str, bytes]:
    """Programs compiled by earlier runs, those of another version of the engine left out."""
    from lineage.sql.program import is_current

    return {key: program for key, program in store.snapshots.programs(name).items() if is_current(program)}


def _masked(sql: str, dialect: str | None) -> str | None:
    from lineage.sql.masking import mask_literals

    return mask_literals(sql, dialect)


_COMPILE: Mapping[str, Callable[[str, str | None], bytes]] = {
    "full": _compile,
    "masked": _compile_masked,
    "none": _compile_bare,
}
_KEEP_SQL: Mapping[str, Callable[[str, str | None], str | None]] = {
    "full": lambda sql, _: sql,
    "masked": _masked,
    "none": lambda sql, _: None,
}


def describe(error: BaseException) -> str:
    """An error in one line: headwater's own speak for themselves, others with their type."""
    if isinstance(error, SystemExit):
        return exit_text(error)
    text = " ".join(str(error).split())
    return text if isinstance(error, HeadwaterError) else f"{type(error).__name__}: {text}"
