"""Finds the sinks that are installed, by name."""

from __future__ import annotations

from connectors.installed import installed_names, load_installed
from connectors.sinks.sink import Sink

_GROUP = "headwater.sinks"


def sink_names() -> list[str]:
    """The names of the sinks that are installed, sorted. None of them is loaded."""
    return installed_names(_GROUP)


def load_sink(name: str) -> type[Sink]:
    """The class of an installed sink. Raises `ConfigError`."""
    # What is asked of is that it is a sink; it is not made here.
    return load_installed(_GROUP, "sink", name, Sink)  # type: ignore[type-abstract]
