"""`headwater lineage roots`, `leaves`, `orphans` and `cycles`: where data enters, ends, stands alone, and turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from pipelines.cli.console import as_of_option, escape, json_option, out, out_json, out_rest, rich_console
from pipelines.cli.reading import read_graph

if TYPE_CHECKING:
    from lineage import LineageGraph

MAX_LINES = 500  # on a terminal


@click.command("roots")
@as_of_option
@json_option
@click.pass_context
def roots(ctx: click.Context, as_of: str | None, as_json: bool) -> int:
    """Where data enters: resources that feed others, and that nothing feeds."""
    from lineage.graph.shape import roots as found

    graph = read_graph(ctx, as_of)
    return _tell(graph, found(graph), as_json, "nothing feeds anything")


@click.command("leaves")
@as_of_option
@json_option
@click.pass_context
def leaves(ctx: click.Context, as_of: str | None, as_json: bool) -> int:
    """Where data ends: resources that are fed, and that feed nothing."""
    from lineage.graph.shape import leaves as found

    graph = read_graph(ctx, as_of)
    return _tell(graph, found(graph), as_json, "nothing is fed by anything")


@click.command("orphans")
@as_of_option
@json_option
@click.pass_context
def orphans(ctx: click.Context, as_of: str | None, as_json: bool) -> int:
    """Resources without an edge; neither columns nor what holds other resources."""
    from lineage.graph.shape import orphans as found

    graph = read_graph(ctx, as_of)
    return _tell(graph, found(graph), as_json, "everything has an edge")


@click.command("cycles")
@as_of_option
@json_option
@click.pass_context
def cycles(ctx: click.Context, as_of: str | None, as_json: bool) -> int:
    """Groups of resources each of which feeds itself through the others, the largest first.

    A resource that feeds itself alone, as an incremental table does, is none.
    """
    from lineage.graph.shape import cycles as found

    graph = read_graph(ctx, as_of)
    groups = found(graph)
    if as_json:
        out_json({"as_of": graph.as_of, "cycles": groups})
        return 0
    if not groups:
        out("nothing feeds itself through others")
    console = rich_console()
    for group in groups[:MAX_LINES]:
        console.print(f"[bold]{len(group):,}[/bold]  {escape(', '.join(group[:MAX_LINES]))}")
    out_rest(groups, MAX_LINES)
    return 0


def _tell(graph: LineageGraph, ids: Sequence[str], as_json: bool, none: str) -> int:
    if as_json:
        out_json({"as_of": graph.as_of, "resources": graph.resources(ids)})
        return 0
    if not ids:
        out(none)
    console = rich_console()
    for one in graph.resources(ids[:MAX_LINES]):
        console.print(f"{escape(one['id'])}  [dim]{escape(str(one['entity_type']))}[/dim]")
    out_rest(ids, MAX_LINES)
    return 0
