"""How a command reads the graph: as of when, without what, at which level."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from pipelines.cli.console import err, project_of

if TYPE_CHECKING:
    from lineage import LineageGraph
    from lineage.graph.lift import Level, Lifted

LEVELS = ("column", "resource", "schema", "database", "connection")

level_option = click.option(
    "--level", type=click.Choice(LEVELS), help="Of columns, resources, schemas, databases or connections."
)
path_level_option = click.option(
    "--level", type=click.Choice(LEVELS[2:]), help="Of schemas, databases or connections."
)
collapse_option = click.option(
    "--collapse",
    "patterns",
    metavar="PATTERN",
    multiple=True,
    help="Link past resources with such an id, as '*.tmp_*'. Repeatable.",
)
open_option = click.option(
    "--open", "is_open", is_flag=True, help="Show what is temporary or collapsed by the project, too."
)


def read_graph(ctx: click.Context, as_of: str | None) -> LineageGraph:
    """The project's graph, whole."""
    from lineage import open_store

    project = project_of(ctx)
    return open_store(project.storage, project.storage_options).graph(as_of)


def read_collapsed(
    ctx: click.Context, as_of: str | None, patterns: Sequence[str], is_open: bool, keep: Iterable[str]
) -> LineageGraph:
    """The graph without what is intermediate: by its mark, by the project's patterns and by these. What is asked for,
    `keep`, stays.
    """
    if is_open and patterns:
        raise click.UsageError("give either --collapse or --open")
    graph = read_graph(ctx, as_of)
    if is_open:
        return graph
    from lineage.graph.collapse import CollapsedGraph, collapsed

    found = collapsed(graph, [*project_of(ctx).model.collapse, *patterns], keep=keep)
    if isinstance(found, CollapsedGraph) and (left := found.left_open):
        named = ", ".join(left[:10]) + (", ..." if len(left) > 10 else "")
        err(f"shown all the same, as too many links would lead past them: {named}")
    return found


def lift(graph: LineageGraph, level: str | None, columns: bool) -> tuple[Lifted | None, bool]:
    """The graph at a level that is neither of resources nor of columns, and whether columns are asked for."""
    if columns and level not in (None, "column"):
        raise click.UsageError("give either --columns or --level")
    if level in (None, "column", "resource"):
        return None, columns or level == "column"
    from lineage.graph.lift import lifted

    chosen: Level = level  # type: ignore[assignment]
    return lifted(graph, chosen), False
