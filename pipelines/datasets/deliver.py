"""Delivers one dataset's records of one partition to one sink."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa

from connectors import Window
from connectors.errors import DatasetError
from connectors.model.naming import quoted
from connectors.sinks import Delivered, Delivery, Sink, Target
from lineage.store import SINKS, SnapshotHeader, Store, StoredDataset, sink_scope
from lineage.store.rows import ROWS
from pipelines.datasets.declared import sink_rows
from pipelines.datasets.outcome import SKIPPED, SinkOutcome, told
from pipelines.datasets.stored import NotThere, Stand, engine_over, find_stand
from pipelines.datasets.work import MEMORY_BYTES, SAMPLES, shown_rows, told_error
from pipelines.extract import RunInfo
from pipelines.project import DatasetRef, Project
from pipelines.project.sink import resolve_sink
from pipelines.statuses import FAILED, SUCCESS

_NOW, _BEFORE = "_headwater_now", "_headwater_delivered"
_BATCH_ROWS = 100_000
_DAY_US = 24 * 3600 * 1_000_000
_BY_DIFFERENCE = ("append", "delete_stale")  # modes for which it counts what was delivered before


def deliver_dataset(
    project: Project, store: Store, sink: str, dataset: str, window: Window, run: RunInfo, log: logging.Logger
) -> SinkOutcome:
    """Delivers, once however often it is asked. Never raises for trouble of the target: that is the outcome's error,
    and the target is as it was.
    """
    named = f"{SINKS}/{sink}/{dataset}"
    return told(named, window.key, lambda: _deliver(project, store, sink, dataset, window, run, log))


def _deliver(
    project: Project, store: Store, sink: str, dataset: str, window: Window, run: RunInfo, log: logging.Logger
) -> SinkOutcome:
    work = _Deliverer(project, store, sink, dataset, window.key, run)
    started_at = datetime.now(UTC)
    status, error = FAILED, None
    try:
        work.run()
        status = SUCCESS
    except NotThere as absent:
        status, error = SKIPPED, str(absent)
    except Exception as fault:  # noqa: BLE001 - whatever a delivery fails with is its own, and stops no other
        error = work.redact(told_error(fault))
        log.error("sink %s of %s failed: %s", sink, dataset, error)
    return SinkOutcome(
        sink,
        dataset,
        window.key,
        status,
        started_at,
        datetime.now(UTC),
        error,
        work.delivered,
        work.target,
        work.schema,
        work.delivered.rows if work.delivered else 0,
        work.size_bytes,
        work.preview,
        work.personal,
    )


class _Deliverer:
    """The work on one delivery."""

    def __init__(
        self, project: Project, store: Store, sink: str, dataset: str, partition: str, run: RunInfo
    ) -> None:
        self._project = project
        self._store = store
        self._sink = sink
        self._dataset = dataset
        self._partition = partition
        self._run = run
        self._secret: Callable[[str], str] = str
        self.delivered: Delivered | None = None
        self.target: Target | None = None
        self.schema: pa.Schema | None = None
        self.size_bytes = 0
        self.preview: Sequence[Mapping[str, Any]] = ()
        self.personal: Sequence[str] = ()

    def redact(self, text: str) -> str:
        """An error's text, without the sink's secrets."""
        return self._secret(text)

    def run(self) -> None:
        """Raises NotThere, ConfigError, DatasetError, StoreError, and what DuckDB raises."""
        started_at = datetime.now(UTC)
        stand = find_stand(self._store, DatasetRef("datasets", self._dataset), self._partition, exactly=True)
        resolved = resolve_sink(self._project, self._sink)
        self._secret = resolved.redact
        sink = resolved.sink
        self.target = sink.target(self._dataset)
        self.schema = stand.stored.columns
        if self.schema is None:
            raise DatasetError(f"the columns of {self._dataset} are not known", hint="sync it again")
        delivered = sink.delivered(self._dataset)
        self._refuse_earlier(stand, sink, delivered)
        held = self._held(stand, delivered)
        by_difference = sink.config.mode in _BY_DIFFERENCE
        if by_difference and delivered and held is None:
            raise DatasetError(
                f"{self._sink} holds a delivery of {self._dataset} of which this project's storage knows nothing, so "
                "that nothing tells which records are new",
                hint="deliver once with mode: replace, or take the target away",
            )
        number = time.time_ns() // 1000
        self._note(number, stand, delivered)
        self.personal = stand.header.state.get("personal", ())
        with ExitStack() as opened:
            before = held if by_difference else None
            delivery = self._delivery(opened, sink, stand, before, number)
            self.delivered = sink.deliver(replace(delivery, after=delivered if by_difference else None))
        if self.delivered.rows and not self.size_bytes and not self.delivered.already:
            self.size_bytes = int(stand.header.state.get("bytes", 0))  # its files were taken over as they are
        self._commit(sink, started_at)

    # -- what the target holds

    def _refuse_earlier(self, stand: Stand, sink: Sink, delivered: Mapping[str, int]) -> None:
        """A target holds the newest partition's state: an earlier one's would take it back in time. Of windows each has
        its own records.
        """
        if stand.header.state.get("windowed") and sink.config.mode in ("append", "upsert"):
            return
        newest = self._store.snapshots.newest(sink_scope(self._sink, self._dataset))
        later = [
            key for key in (*delivered, *([newest.partition] if newest else [])) if key > self._partition
        ]
        if later:
            raise NotThere(f"{self._sink} holds {self._dataset} of {max(later)}, which is later")

    def _held(self, stand: Stand, delivered: Mapping[str, int]) -> StoredDataset | None:
        """What the target was given last: against it new and stale records are told. A window's records are its own:
        there it is what was given for the same partition. None where there is nothing, or nobody knows.
        """
        holds = self._number_held(stand, delivered)
        if holds is None:
            return StoredDataset(schema=stand.stored.schema)
        for header in self._store.snapshots.headers(self._notes):
            noted = self._store.snapshots.datasets(header)
            if str(holds) in noted:
                return noted[str(holds)]
        return None

    def _number_held(self, stand: Stand, delivered: Mapping[str, int]) -> int | None:
        if stand.header.state.get("windowed"):
            return delivered.get(self._partition)
        return max(delivered.values(), default=None)

    @property
    def _notes(self) -> str:
        return f"{sink_scope(self._sink, self._dataset)}/deliveries"

    def _note(self, number: int, stand: Stand, delivered: Mapping[str, int]) -> None:
        """Notes, before the target is written, what the delivery of this number gives, beside what it may hold: which
        of all these it does hold, the target says itself.
        """
        header = SnapshotHeader(
            self._notes, self._partition, self._run.run_id, True, started_at=_now(), ended_at=_now()
        )
        holds = self._number_held(stand, delivered)
        oldest = number - _DAY_US if holds is None else holds

        def noted(stood: Mapping[str, StoredDataset], _: bool) -> dict[str, StoredDataset]:
            kept = {key: one for key, one in stood.items() if int(key) >= oldest}
            return {**kept, str(number): stand.stored}

        self._store.snapshots.commit(header, ROWS.empty_table(), datasets=noted)

    # -- what is written

    def _delivery(
        self, opened: ExitStack, sink: Sink, stand: Stand, before: StoredDataset | None, number: int
    ) -> Delivery:
        relations = {_NOW: stand.stored} | ({_BEFORE: before} if before else {})
        mode, schema = sink.config.mode, stand.stored.columns

        # Opened before the target is: one Delta table cannot be opened while another is written.
        engine = opened.enter_context(engine_over(self._store, relations, MEMORY_BYTES))
        for batch in engine.sql(f"FROM {_NOW} LIMIT {SAMPLES}").to_arrow_reader(SAMPLES):
            self.preview = shown_rows(batch)

        def reads(
            query: str, engine: duckdb.DuckDBPyConnection = engine
        ) -> Callable[[], pa.RecordBatchReader]:
            return lambda: engine.sql(query).to_arrow_reader(_BATCH_ROWS)

        records = f"FROM {_NOW}"
        if mode == "append" and before is not None and (before.settled or before.unsettled):
            records = _new_records(schema, before.columns)
        keys = ", ".join(map(quoted, sink.config.key))
        stale = f"SELECT DISTINCT {keys} FROM {_BEFORE} EXCEPT SELECT {keys} FROM {_NOW}"
        if before is None:
            stale = f"SELECT {keys} FROM {_NOW} WHERE false"
        return Delivery(
            dataset=self._dataset,
            partition=self._partition,
            number=number,
            schema=schema,
            records=self._counted(reads(records)),
            stale=None
            if mode != "delete_stale"
            # Read beside the records: with an engine of its own.
            else reads(stale, opened.enter_context(engine_over(self._store, relations, MEMORY_BYTES))),
            files=self._store.records.whole_files(stand.stored) if mode == "replace" else (),
        )

    def _counted(self, read: Callable[[], pa.RecordBatchReader]) -> Callable[[], pa.RecordBatchReader]:
        def counted(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
            self.size_bytes = 0
            for batch in reader:
                self.size_bytes += batch.nbytes
                yield batch

        def opened() -> pa.RecordBatchReader:
            reader = read()
            return pa.RecordBatchReader.from_batches(reader.schema, counted(reader))

        return opened

    def _commit(self, sink: Sink, started_at: datetime) -> None:
        if self.target is None or self.schema is None:
            raise DatasetError(f"{self._sink} has delivered nothing")
        header = SnapshotHeader(
            connection=sink_scope(self._sink, self._dataset),
            partition=self._partition,
            run_id=self._run.run_id,
            complete=True,
            started_at=started_at.isoformat(timespec="milliseconds"),
            ended_at=_now(),
            instance=SINKS,
            platform=self.target.platform,
            origin="sink",
        )
        self._store.snapshots.commit(header, sink_rows(self._sink, self._dataset, self.target, self.schema))


def _new_records(now: pa.Schema, before: pa.Schema | None) -> str:
    """In SQL: the records that were not delivered; of equal ones as many as there are more. A column that only one of
    both has makes no record new; values of a column whose type has changed are compared as texts.
    """
    there = now if before is None else before
    if now.equals(there):
        return f"FROM {_NOW} EXCEPT ALL FROM {_BEFORE}"
    common = [name for name in now.names if name in there.names]
    compared = ", ".join(
        quoted(name)
        if now.field(name).type == there.field(name).type
        else f"CAST({quoted(name)} AS VARCHAR) AS {quoted(name)}"
        for name in common
    )
    shared = ", ".join(map(quoted, common))
    number = f"row_number() OVER (PARTITION BY {shared}) AS _headwater_number"
    told = f"SELECT *, {number} FROM (SELECT {compared}, r AS _headwater_record FROM {_NOW} r)"
    known = f"SELECT *, {number} FROM (SELECT {compared} FROM {_BEFORE})"
    same = " AND ".join(
        f"n.{name} IS NOT DISTINCT FROM b.{name}" for name in (*map(quoted, common), "_headwater_number")
    )
    return f"SELECT unnest(_headwater_record) FROM ({told}) n ANTI JOIN ({known}) b ON {same}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
