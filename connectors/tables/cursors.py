"""Where a table's reading left off. What is set during a run is kept only if the run stores what it covers."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from connectors.errors import ConnectorError


class Cursors:
    """The cursors of one table and all that hang from it, with the CloudQuery SDK's words; safe to use from threads.

    A value that is set is seen by `get_key` at once. It is stored with the table's rows when the table and those
    that hang from it were read to their ends; otherwise the next run starts from what is stored now.
    """

    def __init__(self, stored: Mapping[str, str]) -> None:
        self.stored = dict(stored)
        self._values = dict(stored)
        self._owners: dict[str, Any] = {}
        self._lock = threading.Lock()

    def get_key(self, key: str) -> str | None:
        """The value of a key, None when it was never stored nor set."""
        with self._lock:
            return self._values.get(key)

    def set_key(self, key: str, value: str) -> None:
        """Sets a key. Raises TypeError for what is no text."""
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError("a cursor's key and value are texts")
        with self._lock:
            self._values[key] = value

    def claim(self, key: str, owner: Any) -> None:
        """Notes whose a key is. Raises ConnectorError when it is another's already."""
        with self._lock:
            if self._owners.setdefault(key, owner) is not owner:
                raise ConnectorError(
                    f"several clients set the cursor {key}: one would go on where another left off",
                    hint="give each client an `id()` of its own",
                )

    def flush(self) -> None:
        """Does nothing: cursors are stored with the rows, at the run's end. Ported resolvers call it."""

    def all(self) -> dict[str, str]:
        """Every key's value."""
        with self._lock:
            return dict(self._values)


def state_key(table: str, *, client_id: str | int | None = None, **partition: str | int) -> str:
    """The key of a table's progress, of one client's and one part's where given: `responses|client_id=a|form=1`.

    The CloudQuery SDK's rule: parts are sorted, separators within them escaped, so that no two meet.
    """
    parts = [_escaped(table)]
    if client_id is not None:
        parts.append(f"client_id={_escaped(str(client_id))}")
    parts += [f"{_escaped(name)}={_escaped(str(partition[name]))}" for name in sorted(partition)]
    return "|".join(parts)


def _escaped(part: str) -> str:
    return part.replace("\\", "\\\\").replace("|", "\\|").replace("=", "\\=")
