"""Whether a Delta table has changed, for who keeps what it read of it."""

from __future__ import annotations

from collections.abc import Mapping

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError


class TableVersion:
    """The version of the table at `uri`; not safe to use from several threads at once."""

    def __init__(self, uri: str, options: Mapping[str, str] | None = None) -> None:
        self.uri = uri
        self._options = dict(options or {})
        self._table: DeltaTable | None = None
        self._was_there = False

    def read(self) -> tuple[str, int] | None:
        """The table's own id and its version; None where there is none yet.

        Raises what deltalake raises for a store that does not answer, and TableNotFoundError for a table that this has
        read and that is gone: nothing tells one that was removed from a volume that is not mounted.
        """
        # In a folder opening it anew takes a millisecond, and notices one that was deleted and made again.
        if "://" not in self.uri:
            self._table = None
        if self._table is not None:
            try:
                self._table.update_incremental()
            except DeltaError:  # its log was cleaned further than we had read
                self._table = None
        if self._table is None:
            try:
                self._table = DeltaTable(self.uri, storage_options=self._options or None)
            except TableNotFoundError:
                if self._was_there:
                    raise
                return None
        self._was_there = True
        return str(self._table.metadata().id), self._table.version()
