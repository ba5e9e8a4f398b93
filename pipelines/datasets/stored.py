"""The records that datasets are made of, as they are stored, in an engine that reads nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from connectors.datasets.engine import open_engine
from connectors.errors import DatasetError
from connectors.model.naming import quoted
from lineage.store import DATASETS, Store, StoredDataset, dataset_scope
from lineage.store.snapshot import SnapshotHeader, last_of
from pipelines.project import DatasetRef


class NotThere(DatasetError):
    """A dataset that has nothing stored for a partition: what would be made of it is not."""


@dataclass(frozen=True)
class Stand:
    """What stands of a dataset's records after a run, and that run."""

    ref: DatasetRef
    header: SnapshotHeader
    stored: StoredDataset


def find_stand(store: Store, ref: DatasetRef, partition: str, *, exactly: bool) -> Stand:
    """What stands of a dataset at a partition, or `exactly` after a run for it.

    Raises NotThere where nothing is stored, DatasetError where the connection has no such table.
    """
    scope = dataset_scope(ref.table) if ref.connection == DATASETS else ref.connection
    header = last_of([one for one in store.snapshots.headers(scope) if one.partition <= partition])
    if header is None or (exactly and header.partition != partition):
        raise NotThere(
            f"{ref.connection if not ref.is_derived else ref.id} has nothing stored for {partition}"
        )
    datasets = store.snapshots.datasets(header)
    if ref.table not in datasets:
        known = ", ".join(sorted(name for name in datasets if not name.startswith("_"))[:10])
        raise DatasetError(
            f"{ref.connection} has no records of {ref.table}",
            hint=f"it has those of {known}"
            if known
            else f"name the table under connections.{ref.connection}.records",
        )
    return Stand(ref, header, datasets[ref.table])


def known_columns(store: Store, ref: DatasetRef) -> pa.Schema | None:
    """A dataset's columns as its last run gave them; None where that is not known."""
    scope = dataset_scope(ref.table) if ref.connection == DATASETS else ref.connection
    header = store.snapshots.newest(scope)
    stored = store.snapshots.datasets(header).get(ref.table) if header else None
    return stored.columns if stored else None


@contextmanager
def engine_over(
    store: Store, relations: Mapping[str, StoredDataset], memory_bytes: int
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A locked engine with a view of each dataset's records. Raises StoreError where they cannot be read."""
    files = [file for stored in relations.values() for file in store.records.files(stored) or ()]
    engine = open_engine(memory_bytes, files=files)
    try:
        for name, stored in relations.items():
            make_view(engine, store, name, stored)
        yield engine
    finally:
        engine.close()


def make_view(engine: duckdb.DuckDBPyConnection, store: Store, name: str, stored: StoredDataset) -> None:
    """Makes a view of a dataset's records. Raises DatasetError for one of which not even the columns are known."""
    if stored.settled or stored.unsettled:
        store.records.make_view(engine, name, stored)
        return
    if stored.columns is None:
        raise DatasetError(f"{name} has no records yet, and its columns are not known", hint="sync it again")
    engine.register(name, stored.columns.empty_table())


def schema_of(engine: duckdb.DuckDBPyConnection, relation: str) -> pa.Schema:
    """The columns of a relation."""
    return engine.sql(f"FROM {quoted(relation)} LIMIT 0").to_arrow_table().schema
