"""A project over a DuckDB file, in which tests make and deliver datasets."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from lineage import LineageGraph, open_store
from lineage.graph.build import build_graph
from lineage.store import Store
from pipelines.datasets.deliver import deliver_dataset
from pipelines.datasets.derive import derive_dataset
from pipelines.datasets.outcome import DatasetOutcome, SinkOutcome
from pipelines.datasets.replay import newest_run, read_quarantine, replay_dataset
from pipelines.extract import Outcome, RunInfo, extract_partition
from pipelines.partitions import key_at, partitions_definition, window_of
from pipelines.project import Project, connection_specs, read_project
from pipelines.sync import SyncReport, run_sync

START = (datetime.now(UTC) - timedelta(days=20)).date()
LOG = logging.getLogger("tests.datasets")
TABLES = """
create table customers (id bigint, name varchar, email varchar);
create table orders (id bigint, customer_id bigint, amount double, code varchar, tags varchar[],
    place struct(city varchar, zip varchar));
insert into customers values (1, 'Ann', 'ann@example.org'), (2, 'Bob', 'bob@example.org');
insert into orders values
    (10, 1, 5.0, '7', ['a', 'b'], {'city': 'Bern', 'zip': '3000'}),
    (11, 2, 7.5, '8', [], {'city': 'Basel', 'zip': '4000'}),
    (12, 1, 2.5, '9', null, null);
"""


class Warehouse:
    """A project's folder with `wh.duckdb` in it, of which the connection `wh` copies the records."""

    def __init__(self, folder: Path, tables: str = TABLES) -> None:
        self.folder = folder
        self._run = 0
        self._project: Project | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.execute(tables)

    def fill(self, table: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Makes a table of the source anew, with these records."""
        with duckdb.connect(str(self.folder / "wh.duckdb")) as engine:
            engine.execute(f"create or replace table {table} ({columns})")
            if rows:
                engine.executemany(f"insert into {table} values ({', '.join('?' * len(rows[0]))})", rows)

    def execute(self, *statements: str) -> None:
        """Changes what the source holds."""
        with duckdb.connect(str(self.folder / "wh.duckdb")) as engine:
            for statement in statements:
                engine.execute(statement)

    def write(
        self,
        datasets: Mapping[str, Any] | None = None,
        *,
        transforms: Mapping[str, Any] | None = None,
        sinks: Mapping[str, Any] | None = None,
        connections: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes the project's file; a key a line, so that a fault's line can be told."""
        warehouse = {
            "connector": "duckdb",
            "allow_late": True,
            "max_drop": 1,
            "config": {"path": "./wh.duckdb"},
            "records": ["*"],
        }
        whole = {
            "name": "shop",
            "partitions": {"every": "day", "start": START.isoformat()},
            "connections": {"wh": warehouse, **(connections or {})},
            "transforms": transforms or {},
            "datasets": datasets or {},
            "sinks": sinks or {},
        }
        self._project = None
        # JSON is YAML.
        (self.folder / "headwater.yaml").write_text(json.dumps(whole, indent=1, default=str))

    def line(self, text: str) -> int:
        """The first line of the project's file that holds a text."""
        lines = (self.folder / "headwater.yaml").read_text().splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)

    # -- the steps of a sync, without Dagster

    def extract(self, connection: str = "wh", day: str | None = None) -> Outcome:
        """Reads a connection; it has to succeed."""
        found = extract_partition(self.project, self.store, connection, self._window(day), self._info(), LOG)
        assert found.error is None, found.error
        return found

    def derive(self, name: str, day: str | None = None) -> DatasetOutcome:
        return derive_dataset(self.project, self.store, name, self._window(day), self._info(), LOG)

    def made(self, name: str, day: str | None = None) -> DatasetOutcome:
        """Makes a dataset; it has to succeed."""
        found = self.derive(name, day)
        assert found.error is None, found.error
        return found

    def replay(self, name: str, day: str | None = None) -> DatasetOutcome:
        found = replay_dataset(self.project, self.store, name, self._window(day), self._info(), LOG)
        assert found.error is None, found.error
        return found

    def deliver(self, sink: str, name: str, day: str | None = None) -> SinkOutcome:
        return deliver_dataset(self.project, self.store, sink, name, self._window(day), self._info(), LOG)

    def delivered(self, sink: str, name: str, day: str | None = None) -> SinkOutcome:
        """Delivers a dataset; it has to succeed."""
        found = self.deliver(sink, name, day)
        assert found.error is None, found.error
        return found

    def graph(self, day: str | None = None) -> LineageGraph:
        """Builds the graph of a day."""
        return build_graph(self.store, day or self.today, list(connection_specs(self.project)))

    def sync(self, *names: str, day: str | None = None, **options: Any) -> SyncReport:
        """A whole sync through Dagster."""
        return run_sync(self.project, names or list(self.project.connections), [day or self.today], **options)

    # -- what there is

    @property
    def project(self) -> Project:
        if self._project is None:
            self._project = read_project(self.folder)
        return self._project

    @property
    def store(self) -> Store:
        return open_store(self.folder / ".headwater")

    @property
    def today(self) -> str:
        return key_at(self.project.model.partitions, datetime.now(UTC))

    def day(self, before: int) -> str:
        """The partition that many days ago."""
        return (datetime.now(UTC).date() - timedelta(days=before)).isoformat()

    def records(self, name: str, day: str | None = None) -> list[dict[str, Any]]:
        """The records of a derived dataset."""
        return self.store.read_records("datasets", name, day).to_pylist()

    def refused(self, name: str, day: str | None = None) -> list[dict[str, Any]]:
        """The records in a dataset's quarantine, and what is told of them."""
        return read_quarantine(self.store, newest_run(self.store, name, day))

    def query(self, sql: str, file: str = "wh.duckdb") -> list[tuple[Any, ...]]:
        """What a DuckDB file answers."""
        with duckdb.connect(str(self.folder / file), read_only=True) as engine:
            return list(engine.sql(sql).fetchall())

    def _window(self, day: str | None) -> Any:
        return window_of(partitions_definition(self.project.model.partitions), day or self.today)

    def _info(self) -> RunInfo:
        self._run += 1
        return RunInfo(f"run-{self._run}", datetime.now(UTC))


def bag(records: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Records as a multiset."""
    return Counter(json.dumps(record, sort_keys=True, default=str) for record in records)
