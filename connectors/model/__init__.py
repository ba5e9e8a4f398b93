"""What crosses the borders of the packages: plain data, no behaviour of a system."""

from connectors.model.dataset import Dataset, RefusedRow, TableReport
from connectors.model.external_run import ExternalRun
from connectors.model.reference import (
    Clause,
    DeclaredLineage,
    ExternalColumn,
    ExternalTable,
    InternalResource,
    LineageID,
    Statement,
    TablesFromSQLQuery,
)
from connectors.model.report import CheckResult, ExtractReport, Reject
from connectors.model.resource import Resource
from connectors.model.window import Window

__all__ = [
    "CheckResult",
    "Clause",
    "Dataset",
    "DeclaredLineage",
    "ExternalColumn",
    "ExternalRun",
    "ExternalTable",
    "ExtractReport",
    "InternalResource",
    "LineageID",
    "RefusedRow",
    "Reject",
    "Resource",
    "Statement",
    "TableReport",
    "TablesFromSQLQuery",
    "Window",
]
