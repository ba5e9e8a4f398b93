"""Makes one derived dataset for one partition: its input through its transform and its rules, and into the store."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa

from connectors import Dataset, TableReport, Window
from connectors.datasets.checks import Checks
from connectors.datasets.engine import is_of_a_value, limited
from connectors.datasets.plan import Plan, find_doubles
from connectors.datasets.rules import Rules
from connectors.errors import DatasetError
from connectors.model.naming import quoted
from lineage.store import DATASETS, SnapshotHeader, Store, StoredDataset, dataset_scope
from lineage.store.datasets import read_schema, schema_text
from lineage.store.part_stream import PartStream
from lineage.store.records_writer import WrittenTable
from pipelines.datasets.changes import compare_columns, shape_input
from pipelines.datasets.declared import dataset_rows, find_origins, personal_columns
from pipelines.datasets.outcome import DatasetOutcome, told
from pipelines.datasets.quarantined import (
    COLUMNS,
    QUARANTINE,
    TRANSFORM,
    invalid_rows,
    quarantine_schema,
    raw_rows,
)
from pipelines.datasets.stored import Stand, engine_over, find_stand, schema_of
from pipelines.datasets.work import MEMORY_BYTES, SECONDS, DatasetWork, outcome_of
from pipelines.extract import RunInfo
from pipelines.project import Project
from pipelines.project.derived import DerivedDataset

_GIVEN, _INPUT, _MADE = "_headwater_given", "input", "_headwater_made"


def derive_dataset(
    project: Project, store: Store, name: str, window: Window, run: RunInfo, log: logging.Logger
) -> DatasetOutcome:
    """Makes the dataset and stores it. Never raises for trouble of its input, transform or records: that is the
    outcome's error, and what was stored before stays.
    """
    work = _Derivation(project, store, project.datasets[name], window.key, run)
    return told(f"{DATASETS}/{name}", window.key, lambda: outcome_of(work, name, window.key, log))


class _Derivation(DatasetWork):
    """The work on one dataset and partition."""

    def __init__(
        self, project: Project, store: Store, dataset: DerivedDataset, partition: str, run: RunInfo
    ) -> None:
        super().__init__()
        self._project = project
        self._store = store
        self._dataset = dataset
        self._partition = partition
        self._run = run
        self._before: SnapshotHeader | None = None
        self._given = pa.schema([])  # the input's columns, before any of them is left out

    def run(self) -> SnapshotHeader:
        """Raises NotThere, DatasetError, StoreError, and what DuckDB raises."""
        started_at = datetime.now(UTC)
        self._before = self._store.snapshots.newest(dataset_scope(self._dataset.name), self._partition)
        stand = find_stand(self._store, self._dataset.source, self._partition, exactly=True)
        others = {
            ref.id: find_stand(self._store, ref, self._partition, exactly=ref.is_derived)
            for ref in self._dataset.reads[1:]
        }
        rules = self._dataset.rules or Rules.read({}, self._project.folder)
        # A rule's relation is known once its columns are; the views cost nothing until they are read.
        relations = {_GIVEN: stand.stored, stand.ref.id: stand.stored}
        relations |= {ref_id: one.stored for ref_id, one in others.items()}
        with (
            engine_over(self._store, relations, MEMORY_BYTES) as engine,
            limited(engine, SECONDS),
        ):
            discarded = self._shape(engine)
            plan = self._plan(engine, self._dataset.transform.sources)
            self.schema = plan.schema
            checks = Checks(rules, plan.schema)
            for relation, text in {**self._dataset.transform.sources, **checks.sources}.items():
                engine.execute(f"CREATE OR REPLACE TEMP VIEW {quoted(relation)} AS FROM {quoted(text)}")
            written = self._write(engine, plan, checks, rules, discarded)
        stands = [stand, *others.values()]
        known = {one.ref: one.header.state.get("personal", ()) for one in stands}
        self.personal = personal_columns(self._dataset, plan.schema.names, self.origins, known)
        return self._commit(written, stands, started_at)

    # -- steps

    def _shape(self, engine: duckdb.DuckDBPyConnection) -> str | None:
        """Makes `input`; gives a query of the records that are discarded for their columns."""
        before = self._before.state.get("input") if self._before else None
        known = read_schema(before) if before else None
        now = self._given = schema_of(engine, _GIVEN)
        self.changes = compare_columns(known, now)
        return shape_input(engine, _GIVEN, _INPUT, self._dataset.model.schema_changes, known, self.changes)

    def _plan(self, engine: duckdb.DuckDBPyConnection, sources: Mapping[str, str]) -> Plan:
        given = schema_of(engine, _INPUT)
        schemas = {relation: schema_of(engine, text) for relation, text in sources.items()}
        plan = self._dataset.transform.plan(given, schemas)
        columns = {name: schema.names for name, schema in {**schemas, _INPUT: given}.items()}
        self.origins = find_origins(self._dataset, plan, columns)
        for relation, key in plan.unique:
            self._refuse_doubles(engine, sources[relation], key)
        return plan

    def _refuse_doubles(self, engine: duckdb.DuckDBPyConnection, source: str, columns: Sequence[str]) -> None:
        if count := find_doubles(engine, source, columns):
            raise DatasetError(
                f"lookup: {count} keys stand more than once in {source}, so that several of its records would match",
                hint=f"deduplicate it by {', '.join(columns)} in a dataset of its own, and look that up",
            )

    def _write(
        self,
        engine: duckdb.DuckDBPyConnection,
        plan: Plan,
        checks: Checks,
        rules: Rules,
        discarded: str | None,
    ) -> dict[str, WrittenTable]:
        try:
            return self._written(engine, plan.sql, None, checks, rules, discarded)
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            if plan.guarded_sql is None or not is_of_a_value(error):
                raise
            # Somewhere a record makes an expression fail: slower, and it is told which.
            self.forget_counts()
            return self._written(engine, plan.guarded_sql, plan.faults_sql, checks, rules, discarded)

    def _written(
        self,
        engine: duckdb.DuckDBPyConnection,
        made: str,
        failed: str | None,
        checks: Checks,
        rules: Rules,
        discarded: str | None,
    ) -> dict[str, WrittenTable]:
        name = self._dataset.name
        engine.execute(f"CREATE OR REPLACE TEMP VIEW {quoted(_MADE)} AS {made}")
        kept = quarantine_schema(checks.schema)
        quarantine = self._store.records.writer(dataset_scope(name))
        with self._store.records.stream(DATASETS, name, checks.schema) as part:
            quarantine.dataset(Dataset(QUARANTINE), kept)
            for rows in self._refused_before(engine, failed, discarded, kept):
                self.count_invalid(rows, quarantined=True)
                quarantine.records(QUARANTINE, rows)
            for split in checks.split(engine, _MADE):
                self._take(part, split.passed)
                if split.invalid is not None:
                    self.count_invalid(split.invalid, quarantined=rules.on_invalid == "quarantine")
                    if rules.on_invalid == "quarantine":
                        quarantine.records(QUARANTINE, invalid_rows(split.invalid, kept))
                    elif rules.on_invalid == "warn":
                        self._take(part, _records_of(split.invalid, checks.schema))
            if self.invalid and rules.on_invalid == "fail":
                first = self.faults[0]
                raise DatasetError(
                    f"{self.invalid:,} invalid, the first: {first['pointer']} {first['message']}",
                    hint="mend the source, or set on_invalid to quarantine or warn",
                )
        self.size_bytes = part.size_bytes
        written = {name: WrittenTable(Dataset(name), part.schema, part.part)}
        return {**written, **quarantine.finish()}

    def _refused_before(
        self, engine: duckdb.DuckDBPyConnection, failed: str | None, discarded: str | None, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """What never becomes a record of the dataset: discarded for its columns, or failed in the transform."""
        if discarded is not None:
            for batch in engine.sql(discarded).to_arrow_reader(10_000):
                raws = batch.column("raw").to_pylist()
                fault = ("it has values in columns that its source did not have before", "", "columns")
                yield raw_rows(raws, [fault] * len(raws), COLUMNS, schema)
        if failed is not None:
            kinds = [path[-1] for path, _ in self._dataset.transform.operations]
            for batch in engine.sql(failed).to_arrow_reader(10_000):
                rows = batch.to_pylist()
                faults = [
                    (
                        f"{kinds[row['operation']]} fails"
                        + (f" at {row['column']}" if row["column"] else ""),
                        f"/{row['column']}" if row["column"] else "",
                        kinds[row["operation"]],
                    )
                    for row in rows
                ]
                yield raw_rows([row["record"] for row in rows], faults, TRANSFORM, schema)

    def _take(self, part: PartStream, batch: pa.RecordBatch) -> None:
        part.add(batch)
        self.count(batch)

    def _commit(
        self, written: Mapping[str, WrittenTable], stands: Sequence[Stand], started_at: datetime
    ) -> SnapshotHeader:
        stand = stands[0]
        state: dict[str, Any] = {
            "input": self._columns_to_compare(),
            "made_of": {one.ref.id: one.header.run_id for one in stands},
            "personal": list(self.personal),
            "windowed": bool(stand.header.windowed or stand.header.state.get("windowed")),
            "transform": self._dataset.transform.fingerprint,
            "changes": list(self.changes.told),
            "bytes": self.size_bytes,
        }
        header = SnapshotHeader(
            connection=dataset_scope(self._dataset.name),
            partition=self._partition,
            run_id=self._run.run_id,
            complete=True,
            started_at=started_at.isoformat(timespec="milliseconds"),
            ended_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            instance=DATASETS,
            platform="headwater",
            dialect="duckdb",
            origin="transform",
            attempted=self.rows + self.invalid,
            failed=self.invalid,
            state=state,
        )
        stored = {
            name: StoredDataset().after(
                one.dataset,
                one.part,
                TableReport(rows=one.part.rows if one.part else 0),
                replaces=True,
                schema=one.schema,
            )
            for name, one in written.items()
        }
        rows = dataset_rows(self._project, self._dataset, written[self._dataset.name].schema, self.origins)
        return self._store.snapshots.commit(header, rows, datasets=lambda _, __: stored)[0]

    def _columns_to_compare(self) -> str:
        """The input's columns to which the next run's are compared, as text: where others are discarded, the first."""
        if (
            self._before is not None
            and self.changes
            and self._dataset.model.schema_changes.startswith("discard")
        ):
            return str(self._before.state["input"])
        return schema_text(self._given)


def _records_of(invalid: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(invalid.column("record").flatten(), schema=schema)
