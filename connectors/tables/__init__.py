"""Arrow tables from generators, with the CloudQuery SDK's names: `Table`, `Column`, `TableResolver`."""

from connectors.tables.column import Column
from connectors.tables.cursors import Cursors, state_key
from connectors.tables.record import Record, parent, path
from connectors.tables.resolver import TableResolver
from connectors.tables.scheduler import sync_tables
from connectors.tables.table import Table, flatten_tables, select_tables
from connectors.tables.types import InetType, JSONType, UUIDType

__all__ = [
    "Column",
    "Cursors",
    "InetType",
    "JSONType",
    "Record",
    "Table",
    "TableResolver",
    "UUIDType",
    "flatten_tables",
    "parent",
    "path",
    "select_tables",
    "state_key",
    "sync_tables",
]
