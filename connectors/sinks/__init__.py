"""Sinks: where datasets are delivered.

This front door is light: Arrow and the targets' libraries load with the sink that needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from connectors.sinks.registry import load_sink, sink_names
from connectors.sinks.sink import Delivered, Delivery, Mode, Sink, SinkConfig, Target

if TYPE_CHECKING:
    from connectors.sinks.delta import Delta
    from connectors.sinks.duckdb import DuckDB
    from connectors.sinks.files import Files
    from connectors.sinks.postgres import Postgres

__all__ = [
    "Delivered",
    "Delivery",
    "Delta",
    "DuckDB",
    "Files",
    "Mode",
    "Postgres",
    "Sink",
    "SinkConfig",
    "Target",
    "load_sink",
    "sink_names",
]

_HEAVY = {one: f"connectors.sinks.{one.lower()}" for one in ("Delta", "DuckDB", "Files", "Postgres")}


def __getattr__(name: str) -> Any:
    if name in _HEAVY:
        return getattr(import_module(_HEAVY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
