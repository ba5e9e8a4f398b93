"""Writing connectors: the class to subclass, and what it declares.

This front door is light: pydantic and the standard library. HTTP, Arrow and hosts load when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectors.connector import Connector, ConnectorConfig, Context, Ingest
from connectors.model import (
    CheckResult,
    Dataset,
    DeclaredLineage,
    ExternalColumn,
    ExternalRun,
    ExternalTable,
    ExtractReport,
    InternalResource,
    LineageID,
    RefusedRow,
    Reject,
    Resource,
    Statement,
    TableReport,
    TablesFromSQLQuery,
    Window,
)

if TYPE_CHECKING:
    from connectors.tables import Column, Table, TableResolver

__all__ = [
    "CheckResult",
    "Column",
    "Connector",
    "ConnectorConfig",
    "Context",
    "Dataset",
    "DeclaredLineage",
    "ExternalColumn",
    "ExternalRun",
    "ExternalTable",
    "ExtractReport",
    "Ingest",
    "InternalResource",
    "LineageID",
    "RefusedRow",
    "Reject",
    "Resource",
    "Statement",
    "Table",
    "TableReport",
    "TableResolver",
    "TablesFromSQLQuery",
    "Window",
]


def __getattr__(name: str) -> Any:
    # Arrow is loaded by those who have tables.
    if name in ("Column", "Table", "TableResolver"):
        from connectors import tables

        return getattr(tables, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
