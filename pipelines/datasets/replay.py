"""A dataset's quarantine: shown, tried again after a fix, and emptied."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa

from connectors import Dataset, TableReport, Window
from connectors.datasets.checks import Checks
from connectors.datasets.engine import limited
from connectors.datasets.rules import Rules
from connectors.errors import DatasetError, LineageError
from connectors.model.naming import quoted
from lineage.store import DATASETS, RecordsWriter, SnapshotHeader, Store, StoredDataset, dataset_scope
from lineage.store.datasets import Part
from lineage.store.rows import ROWS
from pipelines.datasets.outcome import DatasetOutcome, told
from pipelines.datasets.quarantined import QUARANTINE, STAGE, VALIDATION, invalid_rows, quarantine_schema
from pipelines.datasets.stored import engine_over, find_stand
from pipelines.datasets.work import MEMORY_BYTES, SECONDS, DatasetWork, outcome_of
from pipelines.extract import RunInfo
from pipelines.project import Project

_KEPT, _AGAIN, _THERE = "_headwater_kept", "_headwater_again", "_headwater_there"


def newest_run(store: Store, name: str, partition: str | None = None) -> SnapshotHeader:
    """A dataset's run of a partition, else its newest one. Raises LineageError where there is none."""
    headers = [h for h in store.snapshots.headers(dataset_scope(name)) if partition in (None, h.partition)]
    if not headers:
        of = f" for {partition}" if partition else ""
        raise LineageError(f"nothing is stored of the dataset {name}{of}", hint="run `headwater sync`")
    return headers[-1]


def read_quarantine(store: Store, header: SnapshotHeader, limit: int | None = None) -> list[dict[str, Any]]:
    """Refused records of a run: `record` (JSON text), `stage`, `message`, `pointer`, `keyword`, `errors` (JSON)."""
    stored = store.snapshots.datasets(header).get(QUARANTINE, StoredDataset())
    if not stored.settled:
        return []
    most = "" if limit is None else f" LIMIT {limit}"
    with engine_over(store, {_KEPT: stored}, MEMORY_BYTES) as engine:
        query = f"SELECT raw AS record, {STAGE}, message, pointer, keyword, errors FROM {_KEPT} ORDER BY ALL{most}"
        return [dict(row) for row in engine.sql(query).to_arrow_table().to_pylist()]


def replay_dataset(
    project: Project, store: Store, name: str, window: Window, run: RunInfo, log: logging.Logger
) -> DatasetOutcome:
    """Holds a partition's refused records to the rules as they are now; those that pass become records of the dataset,
    once, and those that do not stay. Never raises for trouble of records or rules: that is the outcome's error.

    What failed before it was a record (in the transform, for its columns) stays too: a sync makes it anew.
    """
    work = _Replay(project, store, name, window.key, run)
    return told(f"{DATASETS}/{name}", window.key, lambda: outcome_of(work, name, window.key, log))


class _Replay(DatasetWork):
    """The work on one dataset and partition."""

    def __init__(self, project: Project, store: Store, name: str, partition: str, run: RunInfo) -> None:
        super().__init__()
        self._project = project
        self._store = store
        self._dataset = project.datasets[name]
        self._partition = partition
        self._run = run

    def run(self) -> SnapshotHeader:
        """Raises LineageError where nothing is stored, DatasetError where the records do not fit the rules."""
        name, store = self._dataset.name, self._store
        header = newest_run(store, name, self._partition)
        stand = store.snapshots.datasets(header)
        kept, mine = stand.get(QUARANTINE, StoredDataset()), stand[name]
        if header.state.get("transform") != self._dataset.transform.fingerprint:
            raise DatasetError(
                f"the transform of {name} has changed since {header.partition} was made",
                hint=f"sync it again: headwater sync {self._dataset.source.connection} --partition {header.partition}",
            )
        self.rows = sum(part.rows for part in mine.settled)
        self.schema = mine.columns
        self.personal = header.state.get("personal", ())
        if not kept.settled or self.schema is None:
            return header
        part, refused = self._held_again(kept, mine, header, self.schema)
        if part is None:
            return header
        self.rows += part.rows
        self.made = part.rows
        written = refused.finish()[QUARANTINE]
        stored = {
            name: replace(mine, settled=(*mine.settled, part)),
            QUARANTINE: StoredDataset().after(
                written.dataset,
                written.part,
                TableReport(rows=self.invalid),
                replaces=True,
                schema=written.schema,
            ),
        }
        size = int(header.state.get("bytes", 0)) + self.size_bytes
        grown = replace(header, state={**header.state, "bytes": size})
        return _put(store, header, grown, stored, run_id=self._run.run_id, failed=self.invalid)

    def _held_again(
        self, kept: StoredDataset, mine: StoredDataset, header: SnapshotHeader, columns: pa.Schema
    ) -> tuple[Part | None, RecordsWriter]:
        store, name = self._store, self._dataset.name
        others = {
            ref.id: find_stand(store, ref, header.partition, exactly=False).stored
            for ref in self._dataset.reads[1:]
        }
        checks = Checks(self._dataset.rules or Rules.read({}, self._project.folder), columns)
        refused = store.records.writer(dataset_scope(name))
        schema = quarantine_schema(checks.schema)
        refused.dataset(Dataset(QUARANTINE), schema)
        with (
            engine_over(store, {_KEPT: kept, _THERE: mine, **others}, MEMORY_BYTES) as engine,
            limited(engine, SECONDS),
            store.records.stream(DATASETS, name, checks.schema) as part,
        ):
            _make_views(engine, checks)
            for rows in engine.sql(f"FROM {_KEPT} WHERE {STAGE} <> '{VALIDATION}'").to_arrow_reader(10_000):
                self._refuse(rows.select(schema.names).cast(schema), refused)
            for split in checks.split(engine, _AGAIN, beside=_THERE):
                part.add(split.passed)
                if split.invalid is not None:
                    self._refuse(invalid_rows(split.invalid, schema), refused)
        self.size_bytes = part.size_bytes
        return part.part, refused

    def _refuse(self, rows: pa.RecordBatch, refused: RecordsWriter) -> None:
        self.count_invalid(rows, quarantined=True)
        refused.records(QUARANTINE, rows)


def purge_quarantine(store: Store, name: str, partition: str | None = None) -> int:
    """Forgets a run's refused records; gives how many. Raises LineageError where nothing is stored of the dataset."""
    header = newest_run(store, name, partition)
    stand = store.snapshots.datasets(header)
    count = sum(part.rows for part in stand.get(QUARANTINE, StoredDataset()).settled)
    if count:
        _put(store, header, header, {**stand, QUARANTINE: StoredDataset()}, run_id=header.run_id, failed=0)
    return count


def _make_views(engine: duckdb.DuckDBPyConnection, checks: Checks) -> None:
    fields = ", ".join(f"record.{quoted(column)} AS {quoted(column)}" for column in checks.schema.names)
    engine.execute(
        f"CREATE TEMP VIEW {_AGAIN} AS SELECT {fields} FROM {_KEPT} WHERE {STAGE} = '{VALIDATION}'"
    )
    for relation, text in checks.sources.items():
        engine.execute(f"CREATE OR REPLACE TEMP VIEW {quoted(relation)} AS FROM {quoted(text)}")


def _put(
    store: Store,
    header: SnapshotHeader,
    changed: SnapshotHeader,
    stored: dict[str, StoredDataset],
    run_id: str,
    failed: int,
) -> SnapshotHeader:
    """Stores a run, changed, with other records. Raises LineageError when a newer run has been stored meanwhile."""
    rows = store.snapshots.table.rows([(header.connection, header.content)]).select(ROWS.names)
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    changed = replace(changed, run_id=run_id, ended_at=now, failed=failed)

    def after(_: object, __: bool) -> dict[str, StoredDataset]:
        newest = [h for h in store.snapshots.headers(header.connection) if h.partition == header.partition]
        if [h.run_id for h in newest] != [header.run_id] or newest[-1].ended_at != header.ended_at:
            raise LineageError(f"{header.connection} was synced meanwhile", hint="try it again")
        return stored

    return store.snapshots.commit(changed, rows, datasets=after)[0]
