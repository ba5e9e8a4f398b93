"""Runs a connector in a test and keeps what it declares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from connectors.connector import Connector, Context
from connectors.http import HttpClient
from connectors.model import (
    Dataset,
    DeclaredLineage,
    ExternalRun,
    ExtractReport,
    RefusedRow,
    Resource,
    Statement,
    Window,
)

DAY = Window("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC))


@dataclass
class Collected:
    """What an extract declared."""

    resources: dict[str, Resource] = field(default_factory=dict)
    declarations: list[DeclaredLineage] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    runs: list[ExternalRun] = field(default_factory=list)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    batches: dict[str, list[pa.RecordBatch]] = field(default_factory=dict)
    refusals: list[RefusedRow] = field(default_factory=list)
    report: ExtractReport = field(default_factory=ExtractReport)

    def resource(self, resource: Resource) -> None:
        self.resources[resource.databuilder_id] = resource

    def declaration(self, declaration: DeclaredLineage) -> None:
        self.declarations.append(declaration)

    def statement(self, statement: Statement) -> None:
        self.statements.append(statement)

    def run(self, run: ExternalRun) -> None:
        self.runs.append(run)

    def dataset(self, dataset: Dataset, schema: pa.Schema) -> None:
        self.datasets[dataset.name] = dataset
        self.batches[dataset.name] = [pa.RecordBatch.from_pylist([], schema=schema)]

    def records(self, table: str, batch: pa.RecordBatch) -> None:
        self.batches[table].append(batch)

    def refused(self, row: RefusedRow) -> None:
        self.refusals.append(row)

    def rows(self, table: str) -> list[dict[str, Any]]:
        return pa.Table.from_batches(self.batches[table]).to_pylist()

    def __getitem__(self, databuilder_id: str) -> Resource:
        return self.resources[databuilder_id]

    def ids(self, entity_type: str) -> list[str]:
        return [r.databuilder_id for r in self.resources.values() if r.entity_type == entity_type]

    def sql_into(self, databuilder_id: str) -> Any:
        found = [
            d.from_identifier
            for d in self.declarations
            if d.to_identifier.databuilder_id == databuilder_id
            and d.from_identifier.type == "tables_from_query"
        ]
        assert len(found) == 1
        return found[0]


def make(
    connector: type[Connector], folder: Path, *, records: Sequence[str] = (), **config: Any
) -> Connector:
    """A connector as a run would have it, with `folder` as the project's."""
    context = Context("wh", DAY, Collected(), open_http=HttpClient, folder=folder, records=records)
    return connector(connector.Config(**config), context)


def run(connector: type[Connector], folder: Path, **config: Any) -> Collected:
    """Runs a connector and gives what it declared."""
    made = make(connector, folder, **config)
    made.start()
    collected = made.context.ingest
    collected.report = made.report
    return collected


@pytest.fixture
def connect(tmp_path):
    """Makes a connector, with the test's folder as the project's."""
    return lambda connector, **config: make(connector, tmp_path, **config)


@pytest.fixture
def extract(tmp_path):
    """Runs a connector and gives what it declared."""
    return lambda connector, **config: run(connector, tmp_path, **config)


@pytest.fixture
def failed(connect):
    """The capabilities that a check found wanting, with what it said."""
    return lambda connector, **config: {
        result.capability: result.message for result in connect(connector, **config).check() if not result.ok
    }
