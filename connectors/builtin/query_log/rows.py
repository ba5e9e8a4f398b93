"""What the readers of files give, whatever the format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from connectors.builtin.query_log.columns import Layout


class Row(NamedTuple):
    """An entry: its line (or row) by number from 1, its values in the order of `columns.ROLES`."""

    number: int
    values: Sequence[Any]
    layout: Layout


class Fault(NamedTuple):
    """A line that is no entry. `unfinished`: it is the file's last and has no end, so it may be yet to be written."""

    number: int
    cause: str
    unfinished: bool = False


class Unreadable:
    """Stands for a value that Python cannot hold."""
