"""A project: headwater.yaml, read, checked, and its connections made ready to run."""

from pipelines.project.connection import (
    ResolvedConnection,
    connection_specs,
    connector_class,
    open_connector,
    resolve_connection,
    usable_class,
)
from pipelines.project.loader import FILE, Project, find_project, read_project
from pipelines.project.model import DatasetRef

__all__ = [
    "FILE",
    "DatasetRef",
    "Project",
    "ResolvedConnection",
    "connection_specs",
    "connector_class",
    "find_project",
    "open_connector",
    "read_project",
    "resolve_connection",
    "usable_class",
]
