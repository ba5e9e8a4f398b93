"""Delivers one dataset's records of one partition to one sink."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa

from connectors import Window
from connectors.datasets.engine import one_line
from connectors.errors import DatasetError, HeadwaterError
from connectors.model.naming import quoted
from connectors.sinks import Delivered, Delivery, Sink, Target
from lineage.store import SINKS, SnapshotHeader, Store, StoredDataset, sink_scope
from lineage.store.rows import ROWS
from pipelines.datasets.declared import sink_rows
from pipelines.datasets.outcome import SKIPPED, SinkOutcome, told
from pipelines.datasets.stored import NotThere, Stand, engine_over, find_stand
from pipelines.datasets.work import MEMORY_BYTES, SAMPLES
from pipelines.extract import FAILED, SUCCESS, RunInfo, describe
from pipelines.project import DatasetRef, Project
from pipelines.project.sink import resolve_sink

_NOW, _BEFORE = "_headwater_now", "_headwater_delivered"
_BATCH_ROWS = 100_000
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
    except (HeadwaterError, duckdb.Error, pa.ArrowException, OSError) as fault:
        error = work.redact(describe(fault) if isinstance(fault, HeadwaterError) else one_line(fault))
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
        self.preview: Sequence[Mapping[str, Any]] = ()
        self.personal: Sequence[str] = ()

    def redact(self, text: str) -> str:
        """An error's text, without the sink's secrets."""
        return self._secret(text)

    def run(self) -> None:
        """Raises NotThere, ConfigError, DatasetError, StoreError, and what DuckDB raises."""
        started_at = datetime.now(UTC)
        stand = find_stand(self._store, DatasetRef("datasets", self._dataset), self._partition, exactly=True)
        self._refuse_earlier(stand)
        resolved = resolve_sink(self._project, self._sink)
        self._secret = resolved.redact
        sink = resolved.sink
        self.target = sink.target(self._dataset)
        self.schema = stand.stored.columns
        if self.schema is None:
            raise DatasetError(f"the columns of {self._dataset} are not known", hint="sync it again")
        held = self._held(sink, stand)
        before = next(iter(held.values()), None)
        number = time.time_ns() // 1000
        if sink.config.mode in _BY_DIFFERENCE:
            self._note(number, stand, held)
        self.personal = stand.header.state.get("personal", ())
        with ExitStack() as opened:
            engine = opened.enter_context(engine_over(self._store, {_NOW: stand.stored}, MEMORY_BYTES))
            self.preview = engine.sql(f"FROM {_NOW} LIMIT {SAMPLES}").to_arrow_table().to_pylist()
            self.delivered = sink.deliver(self._delivery(opened, sink, stand, before, number))
        self._commit(sink, started_at)

    # -- what the target holds

    def _refuse_earlier(self, stand: Stand) -> None:
        """A target holds the newest partition's state: an earlier one's would take it back in time."""
        newest = self._store.snapshots.newest(sink_scope(self._sink, self._dataset))
        if newest and newest.partition > self._partition and not stand.header.state.get("windowed"):
            raise NotThere(f"{self._sink} holds {self._dataset} of {newest.partition}, which is later")

    def _held(self, sink: Sink, stand: Stand) -> dict[str, StoredDataset]:
        """What the target was given last, by the delivery's number: against it new and stale records are told. A
        window's records are its own: there it is what was given for the same partition.

        Raises DatasetError where nothing is stored any more of what the target holds.
        """
        if sink.config.mode not in _BY_DIFFERENCE:
            return {}
        held = sink.delivered(self._dataset)
        if stand.header.state.get("windowed"):
            held = {key: number for key, number in held.items() if key == self._partition}
        if not held:
            return {}
        number = str(max(held.values()))
        for header in self._store.snapshots.headers(self._notes):
            noted = self._store.snapshots.datasets(header)
            if number in noted:
                return {number: noted[number]}
        raise DatasetError(
            f"{self._sink} holds delivery {number} of {self._dataset}, of which this project's storage knows nothing, "
            "so that nothing tells which records are new",
            hint="deliver once with mode: replace, or take the target away",
        )

    @property
    def _notes(self) -> str:
        return f"{sink_scope(self._sink, self._dataset)}/deliveries"

    def _note(self, number: int, stand: Stand, held: Mapping[str, StoredDataset]) -> None:
        """Notes, before the target is written, what the delivery of this number gives, beside what the target holds:
        which of both it is, the target says itself.
        """
        header = SnapshotHeader(
            self._notes, self._partition, self._run.run_id, True, started_at=_now(), ended_at=_now()
        )
        noted = {**held, str(number): stand.stored}
        self._store.snapshots.commit(header, ROWS.empty_table(), datasets=lambda _, __: noted)

    # -- what is written

    def _delivery(
        self, opened: ExitStack, sink: Sink, stand: Stand, before: StoredDataset | None, number: int
    ) -> Delivery:
        relations = {_NOW: stand.stored} | ({_BEFORE: before} if before else {})
        mode, schema = sink.config.mode, stand.stored.columns

        def reads(query: str) -> Callable[[], pa.RecordBatchReader]:
            # Opened before the target is: one Delta table cannot be opened while another is written.
            engine = opened.enter_context(engine_over(self._store, relations, MEMORY_BYTES))
            return lambda: engine.sql(query).to_arrow_reader(_BATCH_ROWS)

        records = f"FROM {_NOW}"
        if mode == "append" and before is not None:
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
            records=reads(records),
            stale=reads(stale) if mode == "delete_stale" else None,
            files=self._store.records.whole_files(stand.stored) if mode == "replace" else (),
        )

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
    both has makes no record new.
    """
    common = [name for name in now.names if before is None or name in before.names]
    if common == now.names and before is not None and before.names == now.names:
        return f"FROM {_NOW} EXCEPT ALL FROM {_BEFORE}"
    shared = ", ".join(map(quoted, common))
    number = f"row_number() OVER (PARTITION BY {shared}) AS _headwater_number"
    same = " AND ".join(
        f"n.{name} IS NOT DISTINCT FROM b.{name}" for name in (*map(quoted, common), "_headwater_number")
    )
    return (
        f"SELECT n.* EXCLUDE (_headwater_number) FROM (SELECT *, {number} FROM {_NOW}) n "
        f"ANTI JOIN (SELECT {shared}, {number} FROM {_BEFORE}) b ON {same}"
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
