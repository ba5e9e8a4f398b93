"""What stands in the place of values that are not shown with samples: personal ones, and secrets by their names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from connectors.config.secrets import may_be_secret

MASKED = "masked"


def hiding(personal: Collection[str]) -> Callable[[str], bool]:
    """Tells of a column's name whether its values are hidden, where these columns are personal, whatever their case."""
    folded = {name.casefold() for name in personal}
    return lambda name: name.casefold() in folded or may_be_secret(name)


def masked(value: Any, is_hidden: Callable[[str], bool]) -> Any:
    """A record, or what is in one, with its hidden values masked at any depth; null stays null."""
    if isinstance(value, Mapping):
        return {
            key: MASKED if one is not None and is_hidden(str(key)) else masked(one, is_hidden)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked(one, is_hidden) for one in value]
    return value
