"""Projects Dagster's records into the ledger: each finished run once, those under way at every look.

Runs come first, then what they recorded: a run that is seen to have ended has recorded all that it will. What an asset
recorded is read from where the last look stopped, or from its start where what was seen there is there no more: after
runs were deleted Dagster's storage gives their places again. Places may be filled late too, and clocks may differ, so
each look goes back by a minute.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

import dagster as dg

from pipelines.flow_runs.dagster_records import created_ms, moment, name_of, parts_of, run_row, unrecorded
from pipelines.flow_runs.ledger import Ledger, PartRow, RunRow
from pipelines.keys import AssetKeys
from pipelines.metadata import PARTITIONS
from pipelines.statuses import QUEUED, RUNNING

OVERLAP_S = 60.0
COMPARED_EVERY_S = 10.0
_PAGE = 500
_READ = "read/"  # and an asset's name: the note of how far that was read


class Progress(Protocol):
    """Is told how a long projection goes: so many of so many runs, or of what assets recorded."""

    def __call__(self, what: str, done: int, of: int) -> None: ...


class Projection:
    """Of one Dagster instance. `keys` say how the project's assets are called there."""

    def __init__(self, instance: dg.DagsterInstance, ledger: Ledger, keys: AssetKeys) -> None:
        self._instance = instance
        self._ledger = ledger
        self._below = keys.flow_runs.path
        self._lock = threading.Lock()
        self._compared_at = 0.0
        # Of a storage that has no id of its own there is one for each home.
        identify = getattr(instance.run_storage, "get_run_storage_id", str)
        self._storage: str = identify()

    def refresh(self, progress: Progress = lambda what, done, of: None) -> None:
        """Brings the ledger up to date."""
        with self._lock:
            self._ledger.open_for(self._storage)
            with self._ledger.held():
                self._refresh(progress)

    def _refresh(self, progress: Progress) -> None:
        settle_before = time.time() - OVERLAP_S
        self._read_changed(progress)
        self._read_open()
        self._compare()
        open_runs = self._ledger.runs("NOT settled")
        if open_runs:
            self._read_recorded(open_runs, settle_before, progress)
            self._settle(open_runs)

    # -- runs

    def _read_changed(self, progress: Progress) -> None:
        since = float(self._ledger.note("updated") or 0)
        after = datetime.fromtimestamp(since - OVERLAP_S, UTC) if since else None
        filters = dg.RunsFilter(updated_after=after)
        newest, done, of = since, 0, 0
        cursor: str | None = None
        while records := self._instance.get_run_records(filters, limit=_PAGE, cursor=cursor, ascending=True):
            self._put(records)
            newest = max(newest, *(moment(record.update_timestamp) for record in records))
            if len(records) < _PAGE:
                break
            cursor = records[-1].dagster_run.run_id
            done, of = done + _PAGE, of or self._instance.get_runs_count(filters)
            progress("runs", done, of)
        if newest != since:
            self._ledger.put_note("updated", newest)

    def _read_open(self) -> None:
        """Of runs under way Dagster may say nothing new, and their process be gone."""
        self._put_by_id([run.id for run in self._ledger.runs("NOT settled")])

    def _put_by_id(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), _PAGE):
            filters = dg.RunsFilter(run_ids=ids[start : start + _PAGE])
            self._put(self._instance.get_run_records(filters, ascending=True))

    def _put(self, records: Sequence[dg.RunRecord]) -> None:
        """Stores runs that are new or have changed as open ones, until what they recorded has been read."""
        with self._ledger.writing():
            runs = [record.dagster_run for record in records]
            parents = [run.parent_run_id for run in runs if run.parent_run_id]
            known = self._ledger.runs_by_id([*(run.run_id for run in runs), *parents])
            last = self._ledger.number_before(records[0].storage_id) if records else 0
            for record, run in zip(records, runs, strict=True):
                before = known.get(run.run_id)
                if before is None:
                    last = self._ledger.free_number(max(created_ms(record), last + 1))
                if before is None or before.updated != moment(record.update_timestamp) or not before.settled:
                    parent = known.get(run.parent_run_id or "")
                    number = before.number if before else last
                    row = run_row(
                        self._instance, record, number, parent.attempt if parent else 0, self._below
                    )
                    known[row.id] = row
                    self._ledger.put_runs([row])
                last = max(last, known[run.run_id].number)

    def _compare(self) -> None:
        """Runs that were deleted from Dagster go from here too; those that were put back come back."""
        if time.monotonic() - self._compared_at < COMPARED_EVERY_S:
            return
        self._compared_at = time.monotonic()
        if self._instance.get_runs_count() == self._ledger.count_runs():
            return
        there: set[str] = set()
        cursor: str | None = None
        while ids := self._instance.get_run_ids(limit=10 * _PAGE, cursor=cursor):
            there.update(ids)
            cursor = ids[-1]
        known = {run.id: run.number for run in self._ledger.runs("1")}
        with self._ledger.writing():
            self._ledger.forget_runs([number for one, number in known.items() if one not in there])
        missing = [one for one in there if one not in known]
        self._put_by_id(missing)
        young = time.time() - OVERLAP_S  # one that has begun meanwhile was not put back
        if any(run.created_ms / 1000 < young for run in self._ledger.runs_by_id(missing).values()):
            self._ledger.forget_notes(_READ)

    # -- what runs recorded

    def _read_recorded(self, runs: Sequence[RunRow], settle_before: float, progress: Progress) -> None:
        names = sorted({name for run in runs for name in self._planned(run)})
        for done, name in enumerate(names):
            progress("assets", done, len(names))
            note = _READ + name
            key = dg.AssetKey([*self._below, *name.split("/")])
            for page in self._after(key, self._ledger.note(note)):
                self._put_recorded(name, page)
                settled = [one for one in page if one.timestamp <= settle_before]
                if settled:
                    self._ledger.put_note(note, _mark(max(settled, key=lambda one: one.storage_id)))

    def _after(self, key: dg.AssetKey, mark: str | None) -> Iterator[Sequence[dg.EventLogRecord]]:
        """What an asset recorded after a mark; all of it where what was marked is not there any more."""
        place = int(mark.split(" ")[0]) if mark else 0
        pages = self._pages(key, place - 1)
        first = next(pages, None)
        if mark and (first is None or _mark(first[0]) != mark):
            yield from self._pages(key, 0)
        elif first is not None:
            yield first[1:] if mark else first
            yield from pages

    def _pages(self, key: dg.AssetKey, place: int) -> Iterator[Sequence[dg.EventLogRecord]]:
        while True:
            filters = dg.AssetRecordsFilter(asset_key=key, after_storage_id=place)
            records = self._instance.fetch_materializations(filters, limit=_PAGE, ascending=True).records
            if records:
                yield records
                place = records[-1].storage_id
            if len(records) < _PAGE:
                return

    def _put_recorded(self, name: str, records: Sequence[dg.EventLogRecord]) -> None:
        told: dict[
            str, Mapping[str, Any]
        ] = {}  # of a run the last counts: a step that is retried tells all again
        for record in records:
            event = record.asset_materialization
            facts = event.metadata[PARTITIONS].value if event and PARTITIONS in event.metadata else None
            if isinstance(facts, Mapping):
                told[record.run_id] = facts
        with self._ledger.writing():
            runs = self._ledger.runs_by_id(list(told))
            for run_id, run in runs.items():
                self._ledger.put_recorded(run.number, name, parts_of(run.number, name, told[run_id]))

    def _settle(self, runs: Sequence[RunRow]) -> None:
        """Adds what runs were for and have not recorded; those that have ended are done with."""
        for start in range(0, len(runs), _PAGE):
            some = runs[start : start + _PAGE]
            with self._ledger.writing():
                recorded = self._ledger.parts([run.number for run in some])
                missing: dict[int, list[PartRow]] = {}
                for run in some:
                    told = {part.whose for part in recorded[run.number] if part.recorded}
                    missing[run.number] = unrecorded(run, [n for n in self._planned(run) if n not in told])
                self._ledger.put_unrecorded(missing)
                ended = [run for run in some if run.status not in (QUEUED, RUNNING)]
                self._ledger.put_runs(replace(run, settled=True) for run in ended)

    def _planned(self, run: RunRow) -> list[str]:
        return self._all_names() if run.planned is None else [one for one in run.planned.split("\n") if one]

    def _all_names(self) -> list[str]:
        keys = self._instance.get_asset_keys(prefix=self._below)
        return sorted(name for key in keys if (name := name_of(key, self._below)) is not None)


def _mark(record: dg.EventLogRecord) -> str:
    """Which record stands at a place."""
    return f"{record.storage_id} {record.timestamp} {record.run_id}"
