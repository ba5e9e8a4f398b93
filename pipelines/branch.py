"""The graph of a project folder as its files are now: a branch's dbt manifest over what is stored of the rest.

Nothing of it is kept: what is read goes to a store of its own, which ends with the comparison.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from connectors.errors import ConfigError, RunError
from lineage import LineageGraph
from lineage.store import Store, open_store
from pipelines.project import DatasetRef, Project, connection_specs, connector_class

if TYPE_CHECKING:
    import pyarrow as pa

_log = logging.getLogger("headwater.branch")


@dataclass(frozen=True)
class BranchGraph:
    """A folder's graph: which connections were read now, and of those that could be in part only why; which are as
    stored, and those of which nothing is known.
    """

    graph: LineageGraph
    read: list[str]
    partial: dict[str, str]
    stored: list[str]
    unknown: list[str]


def branch_graph(
    project: Project, scratch: str, else_from: Store | None = None, read: Sequence[str] | None = None
) -> BranchGraph:
    """Reads connections of the folder, those named or all that read files, and builds the graph in `scratch`.

    The others are as the project has stored them, or else as `else_from` has; so is, as in a sync, what lies under a
    connection that was read in part or removes nothing that is missing. Derived datasets are as the folder's transforms
    would make them. Raises ConfigError for a name that is no connection's, and RunError when one that is to be read
    fails.
    """
    from lineage.graph.build import build_graph
    from pipelines.extract import RunInfo, extract_partition
    from pipelines.partitions import key_at, partitions_definition, window_of
    from pipelines.statuses import FAILED

    if unknown := sorted(set(read or ()) - set(project.connections)):
        known = ", ".join(project.connections)
        raise ConfigError(
            f"no connection is named {', '.join(unknown)} in {project.folder}", hint=f"there are {known}"
        )
    now = datetime.now(UTC)
    window = window_of(partitions_definition(project.model.partitions), key_at(project.model.partitions, now))
    store = open_store(scratch)
    names = [name for name in project.connections if (name in read if read else _reads_files(project, name))]
    kept = open_store(project.storage, project.storage_options)
    further = [kept, *([else_from] if else_from else [])]
    partial = {}
    for name in names:
        if not project.connection(name).remove_missing:
            _lay_under(store, further, name, window.key)
        outcome = extract_partition(
            project, store, name, window, RunInfo("branch", now, accept_drop=True), _log
        )
        if outcome.status == FAILED or outcome.header is None:
            raise RunError(f"{name} of {project.folder} could not be read: {outcome.error}")
        if not outcome.header.complete:
            partial[name] = next(iter((*outcome.header.rejects, *outcome.header.warnings)), "")
            _lay_under(store, further, name, window.key)
    if project.datasets:
        _plan_datasets(project, store, further, window.key)
    others = [name for name in project.connections if name not in names]
    lost = [name for name in others if not any(one.snapshots.newest(name, window.key) for one in further)]
    specs = list(connection_specs(project))
    graph = build_graph(
        store, window.key, specs, same_as=project.model.same_as, run_id="branch", else_from=further
    )
    return BranchGraph(graph, names, partial, [name for name in others if name not in lost], lost)


def _plan_datasets(project: Project, store: Store, further: Sequence[Store], partition: str) -> None:
    """Stores the datasets as the folder's transforms would make them of what others have stored of their inputs."""
    from pipelines.datasets.planning import store_plans
    from pipelines.datasets.stored import known_columns

    def known(ref: DatasetRef) -> pa.Schema | None:
        found = (known_columns(one, ref) for one in further)
        return next((schema for schema in found if schema is not None), None)

    for name in store_plans(project, store, partition, known):
        _log.info("%s as its transform would make it now", name)


def _lay_under(store: Store, further: Sequence[Store], name: str, partition: str) -> None:
    """Stores the newest complete state of a connection that the first of other stores has."""
    for one in further:
        if one.snapshots.newest(name, partition):
            store.snapshots.copy_complete(one.snapshots, name, partition)
            return


def _reads_files(project: Project, name: str) -> bool:
    return connector_class(project, name).reads_files
