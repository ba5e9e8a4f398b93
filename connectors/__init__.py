"""Writing connectors: the class to subclass, and what it declares.

This front door is light: pydantic and the standard library. HTTP, Arrow and hosts load when they are used.
"""

from connectors.connector import Connector, ConnectorConfig, Context, Ingest
from connectors.model import (
    CheckResult,
    DeclaredLineage,
    ExternalColumn,
    ExternalTable,
    ExtractReport,
    InternalResource,
    LineageID,
    Reject,
    Resource,
    Statement,
    TablesFromSQLQuery,
    Window,
)

__all__ = [
    "CheckResult",
    "Connector",
    "ConnectorConfig",
    "Context",
    "DeclaredLineage",
    "ExternalColumn",
    "ExternalTable",
    "ExtractReport",
    "Ingest",
    "InternalResource",
    "LineageID",
    "Reject",
    "Resource",
    "Statement",
    "TablesFromSQLQuery",
    "Window",
]
