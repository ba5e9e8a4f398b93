"""Finds the sinks that are installed, by name."""

from __future__ import annotations

import difflib
import inspect
import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from connectors.errors import ConfigError
from connectors.sinks.sink import Sink

_GROUP = "headwater.sinks"


def sink_names() -> list[str]:
    """The names of the sinks that are installed, sorted. None of them is loaded."""
    return sorted(_installed(tuple(sys.path)))


def load_sink(name: str) -> type[Sink]:
    """The class of an installed sink. Raises `ConfigError`."""
    installed = _installed(tuple(sys.path))
    if name not in installed:
        near = difflib.get_close_matches(name, installed, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(installed)) or 'none'}"
        raise ConfigError(f"no sink is named {name!r}", hint=hint)
    try:
        found = installed[name].load()
    except Exception as error:
        raise ConfigError(
            f"the sink {name} cannot be loaded: {type(error).__name__}: {error}",
            hint=f"it is {installed[name].value}",
        ) from error
    if not (inspect.isclass(found) and issubclass(found, Sink)):
        raise ConfigError(f"the sink {name} is not a Sink: {installed[name].value}")
    return found


@cache
def _installed(path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """Looking through every installed distribution takes 10 ms: once for each `sys.path`."""
    return {point.name: point for point in entry_points(group=_GROUP)}
