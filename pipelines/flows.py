"""Flows: a connection and all that hangs from it, down to the sinks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg

    from pipelines.keys import AssetKeys
    from pipelines.project import Project


def datasets_of(project: Project, connections: Sequence[str], first: str | None = None) -> list[str]:
    """The datasets that are made of what connections give, directly or by way of others; and of a dataset `first`,
    itself among them. Each after those that it reads.
    """
    made: list[str] = []
    for name, dataset in project.datasets.items():
        reads = (
            ref.table in made if ref.is_derived else ref.connection in connections for ref in dataset.reads
        )
        if name == first or any(reads):
            made.append(name)
    return made


def keys_of_flows(
    project: Project, connections: Sequence[str], keys: AssetKeys, first: str | None = None
) -> list[dg.AssetKey]:
    """The assets of connections, and of what hangs from them or from a dataset `first`."""
    found = [key for name in connections for key in keys.of_connection(name)]
    for name in datasets_of(project, connections, first):
        found += keys.dataset(name)
        found += [key for sink in project.datasets[name].model.sinks for key in keys.sink(sink, name)]
    return found
