"""A plugin's tables: from the flat list that it gives to the tree that they are."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from connectors.hosts.cloudquery.columns import our_schema
from connectors.tables import Column, Table

SYNC_TIME, SOURCE_NAME = "_cq_sync_time", "_cq_source_name"
SYNC_TIME_TYPE = pa.timestamp("us", "UTC")


def read_schema(stream: bytes) -> pa.Schema:
    """The schema of an Arrow IPC stream. Raises ArrowException or ValueError for anything else."""
    with pa.ipc.open_stream(stream) as reader:
        return reader.schema


def read_tables(streams: Sequence[bytes]) -> list[Table]:
    """The tables that hang from no other, with those that hang from them, from the schemas of all.

    Each has headwater's types, and `_cq_sync_time` and `_cq_source_name` where the plugin has no such column. A
    `_cq_id` is not made up: tables are told by their primary keys, or not at all. Of one name the first counts; a
    table whose parent is not there, or is itself below it, hangs from none. Raises what `read_schema` does, and
    ConnectorError for a schema that is no table.
    """
    tables: dict[str, Table] = {}
    for stream in streams:
        table = Table.from_arrow_schema(our_schema(read_schema(stream)))
        _add_own_columns(table)
        tables.setdefault(table.name, table)
    parents = {name: table.parent.name for name, table in tables.items() if table.parent}
    roots = []
    for name, table in tables.items():
        parent = tables.get(parents.get(name, ""))
        if parent is None or _is_above(name, parent.name, parents):
            table.parent = None
            roots.append(table)
        else:
            table.parent = parent
            parent.relations.append(table)
    return roots


def _add_own_columns(table: Table) -> None:
    names = {column.name for column in table.columns}
    for column in (
        Column(SYNC_TIME, SYNC_TIME_TYPE, "when the sync that read the row began"),
        Column(SOURCE_NAME, pa.string(), "the connection that read the row"),
    ):
        if column.name not in names:
            table.columns.append(column)


def _is_above(name: str, other: str, parents: dict[str, str]) -> bool:
    """Whether a table is the other, or above it; also of tables that are above each other without end."""
    seen: set[str] = set()
    while other not in seen:
        if other == name:
            return True
        seen.add(other)
        other = parents.get(other, "")
    return False
