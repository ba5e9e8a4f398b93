"""Where snapshots and graphs lie: Delta tables below one folder or URL."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.errors import StoreError
from lineage.store.graphs import GRAPH_FIELDS, GraphHeader, Graphs
from lineage.store.maintenance import MaintenanceReport, maintain
from lineage.store.rows import SNAPSHOT_FIELDS
from lineage.store.snapshot import SnapshotHeader, Snapshots
from lineage.store.tables import ContentTable
from lineage.store.writer import SnapshotWriter

if TYPE_CHECKING:
    from lineage.graph.traverse import LineageGraph


class Store:
    """The snapshots and graphs at one place. Many processes may write; readers see complete states only."""

    def __init__(self, uri: str, options: Mapping[str, str] | None = None) -> None:
        self.uri = uri
        self.snapshots = Snapshots(ContentTable(f"{uri}/snapshots", SNAPSHOT_FIELDS, options))
        self.graphs = Graphs(ContentTable(f"{uri}/graphs", GRAPH_FIELDS, options))

    def graph(self, as_of: str | None = None) -> LineageGraph:
        """The newest graph, or the newest at or before a partition. Raises LineageError when there is none."""
        from lineage.graph.traverse import LineageGraph

        return LineageGraph.load(self, as_of)


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
    "GraphHeader",
    "MaintenanceReport",
    "SnapshotHeader",
    "SnapshotWriter",
    "Store",
    "maintain",
    "open_store",
]
