"""Declares what OpenLineage events of a window say."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from pydantic import Field

from connectors.builtin.folder import may_hold, modified_at
from connectors.builtin.openlineage.declarations import lineage, resources, runs
from connectors.builtin.openlineage.event_files import EventFiles
from connectors.builtin.openlineage.events import BadEvent, read_event
from connectors.builtin.openlineage.history import History
from connectors.builtin.stream import BrokenFile
from connectors.connector import Connector, ConnectorConfig
from connectors.errors import ConnectorError
from connectors.model import CheckResult, Window

FIRST_EVENTS = 20  # that a check looks at


class OpenLineage(Connector):
    """Reads the events of a window, and of runs that go on in it, from files, as OpenLineage's file transports and
    collectors write them.
    """

    platform = "openlineage"
    kinds = frozenset({"openlineage"})
    windowed = True
    origin = "openlineage"
    store_sql = "masked"  # the SQL of a notebook's cell may hold what people typed

    class Config(ConnectorConfig):
        """Files of OpenLineage events."""

        path: str = Field(
            description="A file, a folder, or a pattern such as events/*.jsonl",
            min_length=1,
            json_schema_extra={"format": "path"},
        )
        skip_older: bool = Field(True, description="Leave out files last modified before the window")
        longest_run_hours: float = Field(
            24, ge=0, description="Of a run that goes on in the window, how long before it events count"
        )
        max_event_mib: float = Field(16, gt=0, description="Longer events are refused")

    def extract(self) -> None:
        files, history = self._files, History()
        found = files.find()
        if not found:
            self.warn(f"{self.config.path}: there are no files of JSON")
        outside, older = 0, 0
        faults: list[ConnectorError] = []
        for file in found:
            try:
                if self.config.skip_older and not may_hold(file, self.window):
                    older += 1
                    continue
                outside += self._read(file, history)
            except ConnectorError as error:
                faults.append(error)
        if faults and len(faults) == len(found) - older:
            raise faults[0]
        for fault in faults:
            self.warn(str(fault))
        self.log.info("%d files were last modified before the window", older)
        self.log.info("%d events lie outside of the window", outside)
        self._read_earlier(found, history)
        self._declare(history)

    def check(self) -> Iterable[CheckResult]:
        try:
            found = self._files.find()
            newest = max(found, key=modified_at, default=None)
        except ConnectorError as error:
            return [CheckResult("reach", False, error.message, error.hint)]
        hint = (
            None if found else "look at `path`; names end in .json, .jsonl or .ndjson, and may go on with .gz"
        )
        results = [
            CheckResult("reach", True),
            CheckResult("find files", bool(found), f"{len(found)} files", hint),
        ]
        return [*results, self._first_events(newest)] if newest else results

    def fingerprint(self) -> str | None:
        return self._files.state()

    @property
    def _files(self) -> EventFiles:
        limit = int(self.config.max_event_mib * 1024 * 1024)
        return EventFiles(self.path(self.config.path), limit, self.warn)

    def _read(self, file: Path, history: History) -> int:
        """Takes a file's events; how many of them lie outside of the window."""
        name, outside = self._files.name(file), 0
        grows = datetime.now(UTC) < self.window.end or modified_at(file) >= self.window.end
        try:
            for given in self._files.read(file):
                if given.unfinished and grows:
                    self.log.info("%s:%d is yet to be written to its end", name, given.number)
                    continue
                try:
                    if given.fault is not None:
                        raise BadEvent(given.fault)
                    event = read_event(given.value)
                except BadEvent as error:
                    self.reject(f"{name}:{given.number}", str(error))
                    continue
                if event.at in self.window:
                    history.add(event)
                else:
                    outside += 1
        except BrokenFile as error:
            self.warn(f"{name} is damaged, and what could be read of it counts: {error}")
        return outside

    def _read_earlier(self, files: Iterable[Path], history: History) -> None:
        """Takes of the runs in a history that began before the window what was said of them there: of a run past
        midnight inputs and outputs often stand on either side. Bad events are refused where their own window is read.
        """
        runs = {one for one, run in history.runs.items() if not run.begun}
        most = self.window.start - datetime.min.replace(tzinfo=UTC)
        start = self.window.start - min(timedelta(hours=self.config.longest_run_hours), most)
        earlier = Window(self.window.key, start, self.window.start)
        for file in files if runs else ():
            try:
                if self.config.skip_older and not may_hold(file, earlier):
                    continue
                for given in self._files.read(file):
                    with suppress(BadEvent):
                        event = None if given.fault is not None else read_event(given.value)
                        if event and event.at in earlier and (event.job, event.run) in runs:
                            history.add(event)
            except (ConnectorError, BrokenFile) as error:
                self.log.info("what runs said before the window is not all known: %s", error)

    def _declare(self, history: History) -> None:
        for resource in resources(history):
            self.declare_resource(resource)
        for declaration in lineage(history):
            self.declare_lineage(declaration)
        for run in runs(history):
            self.declare_run(run)

    def _first_events(self, file: Path) -> CheckResult:
        name, bad, good = self._files.name(file), [], 0
        try:
            for given in islice(self._files.read(file), FIRST_EVENTS):
                try:
                    if given.fault is not None:
                        raise BadEvent(given.fault)
                    read_event(given.value)
                    good += 1
                except BadEvent as error:
                    bad.append(f"line {given.number} {error}")
        except ConnectorError as error:
            return CheckResult("read events", False, error.message, error.hint)
        except BrokenFile as error:
            return CheckResult("read events", False, f"{name} is damaged: {error}")
        refused = f"{len(bad)} of the first {good + len(bad)} would be refused: {bad[0]}" if bad else ""
        if bad and not good:
            return CheckResult("read events", False, f"{name}: {refused}", "look at `path`")
        return CheckResult("read events", True, f"{name}: {refused or 'its first events are in order'}")
