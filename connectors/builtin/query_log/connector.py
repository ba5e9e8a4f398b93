"""Declares the statements that ran in a window."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from connectors.builtin.folder import modified_at
from connectors.builtin.query_log.counters import Counters, counters_login
from connectors.builtin.query_log.entries import Entries
from connectors.builtin.query_log.log_files import LogFiles
from connectors.builtin.query_log.moments import BadEntry
from connectors.builtin.query_log.rows import Fault
from connectors.builtin.query_log.settings import QueryLogSettings
from connectors.builtin.stream import BrokenFile
from connectors.connector import Connector
from connectors.errors import ConnectorError
from connectors.model import CheckResult, Window

FIRST_ENTRIES = 20  # that a check looks at
_ALWAYS = Window("", datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


class QueryLog(Connector):
    """Reads the statements of a window from exported logs, or their counts from PostgreSQL's counters."""

    platform = "query_log"
    kinds = frozenset({"sql"})
    windowed = True
    store_sql = "masked"  # what people type into their queries is personal

    class Config(QueryLogSettings):
        """Files of a log, or a PostgreSQL database that counts its statements."""

    def extract(self) -> None:
        if self.config.pg_stat_statements is not None:
            self._counters().declare()
            return
        files = self._files
        found = files.find()
        if not found:
            self.warn(f"{self.config.path}: no file matches {self.config.glob!r}")
        older, outside = 0, 0
        faults: list[ConnectorError] = []
        for file in found:
            try:
                if files.may_hold(file, self.window):
                    outside += self._declare(file)
                else:
                    older += 1
            except ConnectorError as error:
                faults.append(error)
        if faults and len(faults) == len(found) - older:
            raise faults[0]
        for fault in faults:
            self.warn(str(fault))
        if older:
            self.log.info("%d files were last modified before the window", older)
        self.log.info("%d entries started outside of the window", outside)

    def check(self) -> Iterable[CheckResult]:
        if self.config.pg_stat_statements is not None:
            return self._counters().check()
        try:
            found = self._files.find()
            newest = max(found, key=modified_at, default=None)
        except ConnectorError as error:
            return [CheckResult("reach", False, error.message, error.hint)]
        hint = None if found else "look at `path` and `glob`"
        results = [
            CheckResult("reach", True),
            CheckResult("find files", bool(found), f"{len(found)} files", hint),
        ]
        return [*results, self._first_entries(newest)] if newest else results

    def fingerprint(self) -> str | None:
        return None if self.config.path is None else self._files.fingerprint()

    # -- files

    @property
    def _files(self) -> LogFiles:
        return LogFiles(self.path(self.config.path), self.config, self.warn)

    def _counters(self) -> Counters:
        return Counters(counters_login(self.config.pg_stat_statements, self.credentials), self)

    def _entries(self, files: LogFiles, window: Window) -> Entries:
        return Entries(
            window,
            files.clock,
            undated=self.config.undated == "window",
            limit_bytes=files.limit_bytes,
            dialect=self.config.dialect,
            database=self.config.default_database,
            schema=self.config.default_schema,
        )

    def _declare(self, file: Path) -> int:
        """Declares a file's entries; how many of them lie outside of the window."""
        files = self._files
        name = files.name(file)
        statement_of = self._entries(files, self.window).statement
        outside = 0
        grows = datetime.now(UTC) < self.window.end or modified_at(file) >= self.window.end
        try:
            for row in files.read(file, self.window):
                if isinstance(row, Fault):
                    if row.unfinished and grows:
                        self.log.info("%s:%d is yet to be written to its end", name, row.number)
                    else:
                        self.reject(f"{name}:{row.number}", row.cause)
                    continue
                try:
                    statement = statement_of(row.values, row.layout.per_second)
                except BadEntry as error:
                    self.reject(f"{name}:{row.number}", str(error))
                    continue
                if statement is None:
                    outside += 1
                else:
                    self.declare_statement(statement)
        except BrokenFile as error:
            self.warn(f"{name} is damaged, and what could be read of it counts: {error}")
        return outside

    def _first_entries(self, file: Path) -> CheckResult:
        files = self._files
        name = files.name(file)
        statement_of = self._entries(files, _ALWAYS).statement
        taken, bad = "", []
        try:
            with closing(files.read(file, _ALWAYS)) as rows:
                for row in islice(rows, FIRST_ENTRIES):
                    try:
                        if isinstance(row, Fault):
                            raise BadEntry(row.cause)
                        statement_of(row.values, row.layout.per_second)
                        taken = max(taken, row.layout.taken, key=len)
                    except BadEntry as error:
                        bad.append(f"line {row.number} {error}")
        except ConnectorError as error:
            return CheckResult("read entries", False, error.message, error.hint)
        except BrokenFile as error:
            return CheckResult("read entries", False, f"{name} is damaged: {error}")
        refused = f"{len(bad)} of the first {FIRST_ENTRIES} would be refused: {bad[0]}" if bad else ""
        if bad and not taken:
            return CheckResult("read entries", False, f"{name}: {refused}", "look at `format` and `columns`")
        message = (
            f"{name}: {'; '.join(filter(None, (taken, refused)))}" if taken else f"{name} has no entries"
        )
        return CheckResult("read entries", True, message)
