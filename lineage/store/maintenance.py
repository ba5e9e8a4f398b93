"""Keeps the store small: old partitions removed, unnamed contents dropped, files compacted, logs cleaned.

Safe beside writers and readers: what is removed is what no stored header names, files stay for a day after
they were removed, and every commit that is lost to a writer is done again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
from deltalake import DeltaTable

from lineage.store.contents import read_segments
from lineage.store.objects import Objects
from lineage.store.records_writer import SYNC
from lineage.store.tables import BESIDE, HEADERS, ContentTable

if TYPE_CHECKING:
    from lineage.store import Store

RETENTION_HOURS = 24  # longer than any write or read of ours; files younger than that are never touched
COMPACT_FILES = 20  # fewer header files than that are not worth a rewrite


@dataclass
class MaintenanceReport:
    """What was done: headers and contents removed, files removed and compacted, over all tables."""

    headers_removed: int = 0
    contents_removed: int = 0
    files_removed: int = 0
    files_compacted: int = 0


def maintain(
    store: Store, *, keep_days: int | None, today: date, retention_hours: int = RETENTION_HOURS
) -> MaintenanceReport:
    """Removes partitions older than `keep_days` (never a connection's newest complete one), and what nobody
    names.
    """
    report = MaintenanceReport()
    oldest = (today - timedelta(days=keep_days)).isoformat() if keep_days is not None else None
    newest = {h.connection: h.partition for h in store.snapshots.headers() if h.complete}
    _expire(store.snapshots.table, oldest, newest, report)
    last = store.graphs.newest()
    _expire(store.graphs.table, oldest, {"graph": last.partition} if last else {}, report)
    for table in (store.snapshots.table, store.graphs.table):
        _drop_contents(table, retention_hours, report)
        for segment in (HEADERS, BESIDE):
            _compact(table, segment, report)
        _clean(table.delta(), retention_hours, report)
    objects = Objects(store.uri, store.options).delta()
    if objects is not None:
        _clean(objects, retention_hours, report)
    _drop_parts(store, retention_hours, report)
    return report


def _drop_parts(store: Store, retention_hours: int, report: MaintenanceReport) -> None:
    """Parts of records that no header names, and that were written long enough ago to belong to no run under way."""
    named: dict[str, set[str]] = {}
    for stored in store.snapshots.all_datasets():
        for part in (*stored.settled, *stored.unsettled):
            named.setdefault(part.folder, set()).add(part.sync)
    for folder in sorted(named.keys() | store.records.folders()):
        table = store.records.open(folder)
        if table is None:
            continue
        for (sync,), at in sorted(_written(table, SYNC).items()):
            if sync not in named.get(folder, ()) and at <= _before_ms(retention_hours):
                store.records.delete(folder, f"{SYNC} = '{_quoted(sync)}'")
                report.contents_removed += 1
        _clean(table, retention_hours, report)


def _before_ms(retention_hours: int) -> float:
    return (time.time() - retention_hours * 3600) * 1000


def _written(delta: DeltaTable, *columns: str) -> dict[tuple[str, ...], int]:
    """Of each value of the partition columns when the last of its files was written, in milliseconds."""
    written: dict[tuple[str, ...], int] = {}
    for row in pa.table(delta.get_add_actions(flatten=True)).to_pylist():
        place = tuple(row[f"partition.{column}"] for column in columns)
        written[place] = max(written.get(place, 0), row["modification_time"])
    return written


def _expire(
    table: ContentTable, oldest: str | None, newest: dict[str, str], report: MaintenanceReport
) -> None:
    if oldest is None:
        return
    for header in table.headers():
        scope, key = header["scope"], header["key"]
        if key < oldest and key < newest.get(scope, ""):
            where = f"scope = '{_quoted(scope)}' AND segment IN ('{HEADERS}', '{BESIDE}') AND key = '{_quoted(key)}'"
            where += f" AND kind = '{_quoted(header['kind'])}'"
            _delete(table, where)
            report.headers_removed += 1


def _drop_contents(table: ContentTable, retention_hours: int, report: MaintenanceReport) -> None:
    """Contents that no header names, and that were written long enough ago to belong to no commit under way."""
    for content, at in sorted(_unnamed(table).items()):
        if at <= _before_ms(retention_hours):
            report.contents_removed += table.commit(partial(_delete_unnamed, table, content))


def _delete_unnamed(table: ContentTable, content: tuple[str, str]) -> bool:
    """Deletes a content, if it is still unnamed: a run may have stored changes over it meanwhile."""
    if content not in _unnamed(table):
        return False
    scope, segment = map(_quoted, content)
    table.delta().delete(f"scope = '{scope}' AND segment = '{segment}'")
    return True


def _unnamed(table: ContentTable) -> dict[tuple[str, str], int]:
    """The contents, each (scope, segment), from which nothing is read that a header names; and when they were written,
    in milliseconds.
    """
    written = {(place[0], place[1]): at for place, at in _written(table.delta(), "scope", "segment").items()}
    contents = {(header["scope"], header["content"]) for header in table.headers()}
    read = read_segments(written.keys(), contents)
    return {
        place: at for place, at in written.items() if place not in read and place[1] not in (HEADERS, BESIDE)
    }


def _delete(table: ContentTable, where: str) -> None:
    table.commit(lambda: table.delta().delete(where))


def _compact(table: ContentTable, segment: str, report: MaintenanceReport) -> None:
    if len(table.delta().file_uris(file_pruning_predicate=f"segment = '{segment}'")) < COMPACT_FILES:
        return
    metrics = table.commit(
        lambda: table.delta().optimize.compact(partition_filters=[("segment", "=", segment)])
    )
    report.files_compacted += int(metrics["numFilesRemoved"])


def _clean(delta: DeltaTable, retention_hours: int, report: MaintenanceReport) -> None:
    delta.update_incremental()
    removed = delta.vacuum(
        retention_hours=retention_hours,
        dry_run=False,
        enforce_retention_duration=False,
        full=retention_hours >= RETENTION_HOURS,
    )
    report.files_removed += len(removed)
    delta.update_incremental()
    delta.create_checkpoint()
    delta.cleanup_metadata()


def _quoted(text: str) -> str:
    return text.replace("'", "''")
