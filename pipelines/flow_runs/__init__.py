"""Flow runs: Dagster's own records of a project's runs, projected once and read fast."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.flow_runs.ledger import Ledger
from pipelines.flow_runs.model import DatasetRun, FlowRun, Metric
from pipelines.flow_runs.reading import FlowRuns
from pipelines.flow_runs.storage_state import storage_state
from pipelines.home import dagster_home, reading_dagster
from pipelines.project import Project

if TYPE_CHECKING:
    from pipelines.flow_runs.projection import Progress


def ledger_of(project: Project) -> Ledger:
    """The project's ledger: beside Dagster's records, which it is made of."""
    return Ledger(Path(dagster_home(project)) / "headwater" / "flow_runs.db")


@contextmanager
def open_flow_runs(project: Project, progress: Progress | None = None) -> Iterator[FlowRuns]:
    """The project's flow runs as they are now."""
    ledger = ledger_of(project)
    try:
        state = storage_state(Path(dagster_home(project)))
        if state is None or not ledger.is_settled_at(state):
            _project(ledger, progress)
            ledger.note_state(state)
        yield FlowRuns(project, ledger)
    finally:
        ledger.close()


def _project(ledger: Ledger, progress: Progress | None) -> None:
    from pipelines.flow_runs.projection import Projection
    from pipelines.keys import AssetKeys

    with reading_dagster() as instance:
        projection = Projection(instance, ledger, AssetKeys())
        projection.refresh(progress) if progress else projection.refresh()


__all__ = ["DatasetRun", "FlowRun", "FlowRuns", "Ledger", "Metric", "ledger_of", "open_flow_runs"]
