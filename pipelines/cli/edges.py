"""`headwater lineage add` and `remove`: edges by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipelines.cli.console import out, project_of

if TYPE_CHECKING:
    from lineage import LineageGraph
    from lineage.store import Store
    from pipelines.project import Project


@click.command("add")
@click.argument("start", metavar="A")
@click.argument("end", metavar="B")
@click.option("--note", help="Why; shown by `headwater lineage explain`.")
@click.pass_context
def add(ctx: click.Context, start: str, end: str, note: str | None) -> int:
    """Add an edge from A to B by hand, from the newest partition on. No run removes it."""
    from lineage.graph.by_hand import add_edge

    project, store, graph = _newest(ctx)
    ends = add_edge(store, graph, start, end, note, renamed=_renamed(project))
    _build_again(project, store, graph)
    out(f"{ends[0]} -> {ends[1]} added")
    return 0


@click.command("remove")
@click.argument("start", metavar="A")
@click.argument("end", metavar="B")
@click.pass_context
def remove(ctx: click.Context, start: str, end: str) -> int:
    """Remove an edge from A to B that was added by hand; earlier partitions keep it."""
    from lineage.graph.by_hand import remove_edge

    project, store, graph = _newest(ctx)
    ends = remove_edge(store, graph, start, end, renamed=_renamed(project))
    _build_again(project, store, graph)
    out(f"{ends[0]} -> {ends[1]} removed")
    return 0


def _newest(ctx: click.Context) -> tuple[Project, Store, LineageGraph]:
    from lineage import open_store

    project = project_of(ctx)
    store = open_store(project.storage, project.storage_options)
    return project, store, store.graph()


def _renamed(project: Project) -> dict[str, str]:
    """Connections' names by what they were called."""
    models = project.connections.items()
    return {
        one.renamed_from: name
        for name, one in models
        if one.renamed_from and one.renamed_from not in project.connections
    }


def _build_again(project: Project, store: Store, graph: LineageGraph) -> None:
    from lineage.graph.build import build_graph
    from pipelines.project import connection_specs

    specs = list(connection_specs(project))
    build_graph(store, graph.as_of, specs, same_as=project.model.same_as, run_id=graph.header.run_id)
