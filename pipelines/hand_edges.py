"""Edges that people add and remove: stored, and the graph built again so that it shows them."""

from __future__ import annotations

from lineage import open_store
from lineage.graph.build import build_graph
from lineage.graph.by_hand import add_edge, remove_edge
from lineage.graph.traverse import LineageGraph
from lineage.store import Store
from pipelines.project import Project, connection_specs


def add_by_hand(project: Project, start: str, end: str, note: str | None = None) -> tuple[str, str]:
    """Adds an edge from the newest partition on; gives its ends' ids. Raises LineageError as `add_edge` does."""
    store, graph = _newest(project)
    ends = add_edge(store, graph, start, end, note, renamed=_renamed(project))
    _build_again(project, store, graph)
    return ends


def remove_by_hand(project: Project, start: str, end: str) -> tuple[str, str]:
    """Removes an edge from the newest partition on; gives its ends' ids. Raises LineageError as `remove_edge` does."""
    store, graph = _newest(project)
    ends = remove_edge(store, graph, start, end, renamed=_renamed(project))
    _build_again(project, store, graph)
    return ends


def _newest(project: Project) -> tuple[Store, LineageGraph]:
    store = open_store(project.storage, project.storage_options)
    return store, store.graph()


def _renamed(project: Project) -> dict[str, str]:
    """Connections' names by what they were called."""
    models = project.connections.items()
    return {
        one.renamed_from: name
        for name, one in models
        if one.renamed_from and one.renamed_from not in project.connections
    }


def _build_again(project: Project, store: Store, graph: LineageGraph) -> None:
    specs = list(connection_specs(project))
    build_graph(store, graph.as_of, specs, same_as=project.model.same_as, run_id=graph.header.run_id)
