"""What a connector's author runs: a connector without Dagster or a store, with answers from a test."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from connectors.http import Reroute
    from connectors.testing.contract import ConnectorContract
    from connectors.testing.recording import Flaky, InTurn, Recorder, Scripted
    from connectors.testing.run import Extract, check_connector, run_connector, today

__all__ = [
    "ConnectorContract",
    "Extract",
    "Flaky",
    "InTurn",
    "Recorder",
    "Reroute",
    "Scripted",
    "check_connector",
    "run_connector",
    "today",
]

_PLACES = {
    "connectors.http": ("Reroute",),
    "connectors.testing.contract": ("ConnectorContract",),
    "connectors.testing.recording": ("Flaky", "InTurn", "Recorder", "Scripted"),
    "connectors.testing.run": ("Extract", "check_connector", "run_connector", "today"),
}


def __getattr__(name: str) -> Any:
    # httpx is loaded by those who run something.
    for place, names in _PLACES.items():
        if name in names:
            return getattr(import_module(place), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
