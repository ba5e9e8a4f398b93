"""The tables of which records are stored, in memory, and taken up anew when a run has stored some."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import pyarrow as pa

from lineage.store import DATASETS, REFUSED, Store, dataset_scope
from lineage.store.version import TableVersion
from pipelines.project import Project

log = logging.getLogger("headwater.server")


class StoredTables:
    """Columns by dataset: `<connection>/<table>` or `datasets/<name>`; None where they are not known."""

    def __init__(self, store: Store, version: TableVersion, project: Callable[[], Project]) -> None:
        self._store = store
        self._version = version
        self._project = project
        self._seen: object = ()
        self._failing = False
        self.columns: Mapping[str, pa.Schema | None] = {}

    def look(self) -> None:
        """Never raises: while the store does not answer, what was known last holds."""
        try:
            project = self._project()
            seen = (self._version.read(), id(project))
            if seen != self._seen:
                self.columns = dict(self._read(project))
                self._seen = seen
            self._failing = False
        except Exception:
            if not self._failing:
                log.exception("the stored tables cannot be read; those known last hold")
            self._failing = True

    def _read(self, project: Project) -> Mapping[str, pa.Schema | None]:
        found: dict[str, pa.Schema | None] = {}
        scopes = {name: name for name in project.connections}
        scopes |= {dataset_scope(name): DATASETS for name in project.datasets}
        for scope, owner in scopes.items():
            header = self._store.snapshots.newest(scope)
            for name, stored in (self._store.snapshots.datasets(header) if header else {}).items():
                is_shown = name in project.datasets if owner == DATASETS else name != REFUSED
                if is_shown and not stored.is_state:
                    found[f"{owner}/{name}"] = stored.columns
        return found
