"""Runs one connection for one partition and stores what it gave. Knows no Dagster: the asset calls this."""

from __future__ import annotations

import logging
import re
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from connectors import Connector, RefusedRow, TableReport, Window
from connectors.config.secrets import RedactingFilter, Redactor
from connectors.errors import HeadwaterError, RunError, StoreError
from connectors.installed import exit_text
from connectors.model import ExtractReport
from lineage.store import REFUSED, RecordsWriter, SnapshotHeader, SnapshotWriter, Store, StoredDataset
from lineage.store.records import FOLD_PARTS
from lineage.store.records_writer import WrittenTable
from lineage.store.snapshot import last_of
from pipelines.ingest import GivenTable, RunIngest
from pipelines.project import Project, ResolvedConnection, open_connector, resolve_connection
from pipelines.project.model import ConnectionModel
from pipelines.redaction import RedactedIngest, output_redacted
from pipelines.statuses import FAILED, SUCCESS, WARNING
from pipelines.stored_sql import (
    compile_to_store,
    known_programs,
    open_query_log,
    text_to_store,
    unknown_dialects,
)

if TYPE_CHECKING:
    import pyarrow as pa

GRACE = timedelta(hours=1)  # a run created this long after its partition ended still counts for it
_PASSWORD = re.compile(r"//[^/]*:[^@]*@")  # of a URL


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
    """What became of one connection and partition. `seconds` were spent inside the connector; `given` are the tables
    of which it gave records."""

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
    given: Mapping[str, GivenTable] = field(default_factory=dict)


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
    extraction = _Extraction(project, store, name, window, run, log)
    for listener in listeners:
        listener.started(name, window.key, extraction.report)
    outcome = extraction.outcome()
    for listener in listeners:
        listener.finished(outcome)
    return outcome


class _Extraction:
    """One connection's work for one window: resolve it, let it read, store what it gave."""

    def __init__(
        self, project: Project, store: Store, name: str, window: Window, run: RunInfo, log: logging.Logger
    ) -> None:
        self._project = project
        self._model = project.connection(name)
        self._store = store
        self._name = name
        self._window = window
        self._run = run
        self._log = log
        self._redact = Redactor()
        self._seconds = 0.0
        self._given: Mapping[str, GivenTable] = {}
        self._addresses: list[str] = []
        self.report = ExtractReport()

    def outcome(self) -> Outcome:
        """Does it all; whatever goes wrong is in the outcome."""
        started_at = datetime.now(UTC)
        header, written, fault = None, False, None
        try:
            header, written = self._run_and_store(started_at)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a connector's trouble is its run's, recorded
            fault = self._redact(describe(error))
            self._log.error("%s failed: %s", self._name, fault)
            if not isinstance(error, HeadwaterError):
                self._log.error(self._redact("".join(traceback.format_exception(error))))
        status = FAILED if header is None else SUCCESS if header.complete else WARNING
        return Outcome(
            connection=self._name,
            partition=self._window.key,
            status=status,
            started_at=started_at,
            ended_at=datetime.now(UTC),
            seconds=self._seconds,
            error=fault,
            header=header,
            written=written,
            report=self.report,
            given=self._given,
        )

    def _run_and_store(self, started_at: datetime) -> tuple[SnapshotHeader, bool]:
        model = self._model
        resolved = resolve_connection(self._project, self._name)
        self._redact.add(*resolved.redact.known)
        if not resolved.cls.windowed and not model.allow_late:
            _refuse_late(self._name, self._window, self._run.created_at)
        dialect = model.defaults.dialect or resolved.cls.dialect
        mode = model.store_sql or resolved.cls.store_sql
        writer = SnapshotWriter(
            dialect,
            text_to_store(mode),
            mode,
            lambda: open_query_log(self._store, self._name, dialect, mode),
            seen_to_run=resolved.cls.windowed,
        )
        history = _history(self._store, self._name, model.renamed_from, self._window.key)
        before = last_of(history)
        began_from = self._store.snapshots.datasets(before) if before else {}
        state, cursors = {}, {}
        if not self._run.full:
            state = dict(next((run.state for run in reversed(history) if run.complete), {}))
            # A partition of a windowed connector is read whole, whenever it is.
            stand = {} if resolved.cls.windowed else began_from
            cursors = {name: stored.cursors for name, stored in stand.items()}
        records = self._store.records.writer(self._name)
        rows = {name: stored.rows for name, stored in began_from.items()}
        ingest = RunIngest(writer, records)
        self._given = ingest.given
        self._read(resolved, ingest, state, cursors, rows)
        self._refuse_secret_cursors(resolved.certain)
        if self.report.failed and model.on_error == "fail":
            first = self.report.rejects[0]
            raise RunError(
                f"{self.report.failed} refused, the first: {first.location}: {first.cause}",
                hint="mend them, or set on_error: record",
            )
        self._keep_refused(began_from, records, windowed=resolved.cls.windowed)
        written = records.finish()
        return self._store.snapshots.commit(
            self._header(resolved, dialect, state, started_at),
            writer.rows(),
            complete_rows=lambda rows: self._with_programs(writer, rows, mode),
            keep_missing=not model.remove_missing,
            max_drop=model.max_drop if _may_hold_back(model, resolved.cls, self._run) else None,
            renamed_from=model.renamed_from,
            datasets=lambda stand, complete: self._datasets_after(
                written, began_from, stand or began_from, complete=complete, windowed=resolved.cls.windowed
            ),
        )

    def _datasets_after(
        self,
        written: Mapping[str, WrittenTable],
        began_from: Mapping[str, StoredDataset],
        stand: Mapping[str, StoredDataset],
        *,
        complete: bool,
        windowed: bool,
    ) -> dict[str, StoredDataset]:
        """What stands of each table's records after this run; a partial run leaves those that it does not have.

        Raises RunError when another run has moved a cursor that this one went on from.
        """
        keeps = not complete or not self._model.remove_missing
        after = {name: one for name, one in stand.items() if (keeps or one.is_state) and name != REFUSED}
        for name, (dataset, schema, part) in written.items():
            before = stand.get(name, StoredDataset())
            if dataset.incremental and before != began_from.get(name, StoredDataset()):
                raise RunError(
                    f"another run of {self._name} has stored records of {name} since this one began",
                    hint="run it again; let one run of a connection end before the next begins",
                    retryable=True,
                )
            report = self.report.tables.get(name, TableReport())
            replaces = self._run.full or windowed
            found = before.after(dataset, part, report, replaces=replaces, schema=schema)
            after[name] = self._folded(name, found)
        for name, values in (self.report.cursors or {}).items():
            after[name] = StoredDataset(cursors=values, is_state=True)
        return after

    def _folded(self, name: str, stored: StoredDataset) -> StoredDataset:
        try:
            return self._store.records.folded(self._name, name, stored, FOLD_PARTS)
        except StoreError as error:  # what cannot be read now may be later, and nothing of it is lost
            self._log.warning("%s: %s stays in many parts: %s", self._name, name, error)
            return stored

    def _keep_refused(
        self, began_from: Mapping[str, StoredDataset], records: RecordsWriter, *, windowed: bool
    ) -> None:
        """Keeps what was refused by runs that this one goes on from: their cursors have passed it."""
        before = began_from.get(REFUSED)
        if before is None or self._run.full or windowed:
            return
        for row in self._store.records.read(before).to_pylist():
            report, stored = self.report.tables.get(row["table"]), began_from.get(row["table"])
            gone_on = stored is not None and stored.incremental and not (report and report.from_start)
            if gone_on or (report is not None and not report.settled):
                records.refused(RefusedRow(**row))

    def _refuse_secret_cursors(self, redact: Redactor) -> None:
        """A cursor that holds a secret is not stored: masked it would lead nowhere."""
        cursors = [(name, report.cursors) for name, report in self.report.tables.items()]
        for name, values in [*cursors, *(self.report.cursors or {}).items()]:
            text = "\n".join(one for pair in (values or {}).items() for one in pair)
            if redact(text) == text:
                continue
            self.report.warn(f"{name}: a secret stands in its cursor; it is not stored")
            self.report.cursors = None
            for report in self.report.tables.values():
                report.settled = False

    def _with_programs(self, writer: SnapshotWriter, rows: pa.Table, mode: str) -> pa.Table:
        for unknown in unknown_dialects(writer.dialects):
            self._log.warning(
                "%s: nobody knows the SQL dialect %r; its SQL is read as generic", self._name, unknown
            )
        # Programs of earlier runs may hold literals: where those are not to be stored, none is used again.
        known = known_programs(self._store, self._name) if mode == "full" and writer.queries else {}
        return writer.compiled(rows, compile_to_store(mode), known)

    def _read(
        self,
        resolved: ResolvedConnection,
        ingest: RunIngest,
        state: dict[str, Any],
        cursors: Mapping[str, Mapping[str, str]],
        rows: Mapping[str, int],
    ) -> None:
        """Lets the connector read its source; secrets are masked in what it declares, prints and logs meanwhile."""
        quiet = RedactingFilter(resolved.redact)
        self._log.addFilter(quiet)
        begun = time.perf_counter()
        try:
            with output_redacted(resolved.redact):
                connector = open_connector(
                    self._project,
                    resolved,
                    window=self._window,
                    ingest=RedactedIngest(ingest, resolved.certain),
                    log=self._log,
                    state=state,
                    cursors=cursors,
                    stored_rows=rows,
                    accept_drop=self._run.accept_drop,
                )
                connector.report = self.report
                begun = time.perf_counter()
                with closing(connector):
                    connector.start()
                    self._addresses = [one for one in connector.addresses() if self._is_public(one, resolved)]
        finally:
            self._seconds = time.perf_counter() - begun
            self._redact.add(*resolved.redact.known)
            self._log.removeFilter(quiet)

    def _is_public(self, address: str, resolved: ResolvedConnection) -> bool:
        """Whether an address is stored: none that holds a password, or anything else that is secret."""
        public = resolved.certain(address) == address and not _PASSWORD.search(address)
        if not public:
            self._log.warning("%s: an address that it gives holds a secret; it is not stored", self._name)
        return public

    def _header(
        self, resolved: ResolvedConnection, dialect: str | None, state: dict[str, Any], started_at: datetime
    ) -> SnapshotHeader:
        report = self.report
        return SnapshotHeader(
            connection=self._name,
            partition=self._window.key,
            run_id=self._run.run_id,
            complete=report.complete,
            open=started_at < self._window.end,
            windowed=resolved.cls.windowed,
            started_at=started_at.isoformat(timespec="milliseconds"),
            ended_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            instance=self._model.instance or self._name,
            platform=resolved.cls.platform,
            dialect=dialect,
            origin=resolved.cls.origin,
            addresses=self._addresses,
            attempted=report.attempted,
            failed=report.failed,
            warnings=report.warnings,
            warning_count=report.warning_count,
            rejects=[f"{r.location}: {r.cause}" for r in report.rejects],
            state=state,
        )


def _may_hold_back(model: ConnectionModel, cls: type[Connector], run: RunInfo) -> bool:
    """Whether a loss of resources would remove any: not of a window, not where what is missing stays."""
    return model.remove_missing and not cls.windowed and not run.accept_drop


def _history(store: Store, name: str, renamed_from: str | None, partition: str) -> Sequence[SnapshotHeader]:
    """The runs that are stored, up to a partition; a renamed connection's, where it has none of its own."""
    for one in (name, renamed_from):
        stored = store.snapshots.headers(one) if one else []
        if found := [run for run in stored if run.partition <= partition]:
            return found
    return []


def _refuse_late(name: str, window: Window, created_at: datetime) -> None:
    if created_at > window.end + GRACE:
        raise RunError(
            f"{name} gives a snapshot of now, and the partition {window.key} ended at {window.end:%Y-%m-%d %H:%M} UTC",
            hint="run today's partition, or set allow_late: true on the connection to store it under the past one",
        )


def describe(error: BaseException) -> str:
    """An error in one line: headwater's own speak for themselves, others with their type."""
    if isinstance(error, SystemExit):
        return exit_text(error)
    text = " ".join(str(error).split())
    return text if isinstance(error, HeadwaterError) else f"{type(error).__name__}: {text}"
