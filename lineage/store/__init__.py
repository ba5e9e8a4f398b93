"""Where snapshots and graphs lie: Delta tables below one folder or URL."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.errors import LineageError, StoreError
from lineage.store.datasets import REFUSED, StoredDataset
from lineage.store.graphs import GRAPH_FIELDS, GraphHeader, Graphs
from lineage.store.maintenance import MaintenanceReport, maintain
from lineage.store.records import Records
from lineage.store.records_writer import RecordsWriter
from lineage.store.rows import NO_ROWS, SNAPSHOT_FIELDS
from lineage.store.snapshot import DATASETS, SINKS, SnapshotHeader, Snapshots, dataset_scope, sink_scope
from lineage.store.tables import ContentTable
from lineage.store.writer import SnapshotWriter

if TYPE_CHECKING:
    import pyarrow as pa

    from lineage.graph.traverse import LineageGraph


class Store:
    """The snapshots, records and graphs at one place. Many processes may write; readers see complete states only."""

    def __init__(self, uri: str, options: Mapping[str, str] | None = None) -> None:
        self.uri = uri
        self.options = dict(options or {})
        self.snapshots = Snapshots(ContentTable(f"{uri}/snapshots", SNAPSHOT_FIELDS, options, NO_ROWS))
        self.records = Records(uri, options)
        self.graphs = Graphs(ContentTable(f"{uri}/graphs", GRAPH_FIELDS, options))

    def graph(self, as_of: str | None = None) -> LineageGraph:
        """The newest graph, or the newest at or before a partition. Raises LineageError when there is none."""
        from lineage.graph.traverse import LineageGraph

        return LineageGraph.load(self, as_of)

    def read_records(
        self, connection: str, table: str, as_of: str | None = None, *, with_sync: bool = False
    ) -> pa.Table:
        """A table's records as they stood after the connection's last run, of that partition or before; those of a
        derived dataset as of the connection `datasets`.

        `with_sync` adds which run gave each row, in `_headwater_sync`. Raises LineageError for a connection or a table
        of which nothing is stored.
        """
        scope = dataset_scope(table) if connection == DATASETS else connection
        header = self.snapshots.newest(scope, as_of)
        datasets = self.snapshots.datasets(header) if header else {}
        if table not in datasets:
            known = ", ".join(sorted(datasets)) or "none"
            raise LineageError(f"no records are stored of {connection}/{table}", hint=f"its tables: {known}")
        return self.records.read(datasets[table], with_sync=with_sync)


def open_store(uri: str | os.PathLike[str], options: Mapping[str, str] | None = None) -> Store:
    """Opens the store at a folder, or at an object store's URL (`s3://`, `gs://`, `az://`) with its options.

    Nothing is read or made yet. Raises StoreError for a path that Delta cannot hold.
    """
    text = os.fspath(uri)
    if "://" in text:
        return Store(text.rstrip("/"), options)
    path = str(Path(text).expanduser().absolute())
    if bad := {c for c in "%[]?\\" if c in path}:
        raise StoreError(
            f"the storage path {path} holds {' '.join(sorted(bad))}, which Delta tables cannot have in their path",
            hint="choose a path without them",
        )
    return Store(path, options)


__all__ = [
    "DATASETS",
    "REFUSED",
    "SINKS",
    "GraphHeader",
    "MaintenanceReport",
    "RecordsWriter",
    "SnapshotHeader",
    "SnapshotWriter",
    "Store",
    "StoredDataset",
    "dataset_scope",
    "maintain",
    "open_store",
    "sink_scope",
]
