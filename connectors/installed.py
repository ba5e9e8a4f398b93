"""Finds what installed packages offer under a group of entry points, by name."""

from __future__ import annotations

import difflib
import inspect
import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from connectors.errors import ConfigError

T = TypeVar("T")


def installed_names(group: str) -> list[str]:
    """The names that there are in a group, sorted. None of them is loaded."""
    return sorted(_installed(group, tuple(sys.path)))


def load_installed(group: str, kind: str, name: str, base: type[T]) -> type[T]:
    """The class of a name in a group; `kind` is what people call such a thing. Raises `ConfigError` where there is none
    of the name, where it cannot be loaded, and where it is no subclass of `base`.
    """
    installed = _installed(group, tuple(sys.path))
    if name not in installed:
        near = difflib.get_close_matches(name, installed, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(installed)) or 'none'}"
        raise ConfigError(f"no {kind} is named {name!r}", hint=hint)
    try:
        found: Any = installed[name].load()
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"the {kind} {name} cannot be loaded: {cause_of(error)}", hint=f"it is {installed[name].value}"
        ) from error
    if not (inspect.isclass(found) and issubclass(found, base)):
        raise ConfigError(f"the {kind} {name} is not a {base.__name__}: {installed[name].value}")
    return found


def exit_text(error: SystemExit) -> str:
    """What to say of a connector that wanted to end the process: that is its own failure, not the process's end."""
    return f"the connector called sys.exit({'' if error.code is None else repr(error.code)})"


def cause_of(error: BaseException) -> str:
    """What code of others failed with while it was loaded."""
    return exit_text(error) if isinstance(error, SystemExit) else f"{type(error).__name__}: {error}"


@cache
def _installed(group: str, path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """Looking through every installed distribution takes 10 ms: once for each `sys.path`."""
    return {point.name: point for point in entry_points(group=group)}
