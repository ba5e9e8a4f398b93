"""`headwater lineage`: questions to the graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli import changes, edges, shape
from pipelines.cli.console import as_of_option, escape, json_option, out, out_json, project_of, rich_console
from pipelines.cli.exporting import FORMS, export_graph, export_level
from pipelines.cli.reading import (
    collapse_option,
    level_option,
    lift,
    open_option,
    path_level_option,
    read_collapsed,
    read_graph,
)
from pipelines.cli.trees import MAX_LINES, edge_note, reach_tree

if TYPE_CHECKING:
    from lineage.graph.traverse import Direction

MOST_PATHS = 100


@click.group("lineage")
def command() -> None:
    """Ask the graph. An ID may be given by a unique ending, such as `orders` for
    `warehouse/shop.sales.orders`.
    """


def _reading(direction: Direction) -> click.Command:
    """The command that reads in a direction."""

    @click.argument("identifier", metavar="ID")
    @click.option("--depth", type=click.IntRange(1), help="So many hops.  [all the way]")
    @click.option("--columns", is_flag=True, help="Column by column.")
    @level_option
    @collapse_option
    @open_option
    @as_of_option
    @json_option
    @click.pass_context
    def read(
        ctx: click.Context,
        identifier: str,
        depth: int | None,
        columns: bool,
        level: str | None,
        patterns: Sequence[str],
        is_open: bool,
        as_of: str | None,
        as_json: bool,
    ) -> int:
        graph = read_collapsed(ctx, as_of, patterns, is_open, [identifier])
        higher, columns = lift(graph, level, columns)
        ask = higher or graph
        found = getattr(ask, direction)(identifier, depth, columns=columns)
        if as_json:
            from pipelines.graph_answers import reached_dict

            out_json(reached_dict(graph, higher, found))
            return 0
        rich_console().print(reach_tree(found))
        if not found.edges:
            out(f"nothing is known {direction} of it")
        return 0

    read.__doc__ = {"upstream": "Where ID comes from.", "downstream": "What ID reaches."}[direction]
    return click.command(direction)(read)


@command.command("path")
@click.argument("start", metavar="A")
@click.argument("end", metavar="B")
@click.option("--all", "every", is_flag=True, help="All the shortest ways.")
@path_level_option
@collapse_option
@open_option
@as_of_option
@json_option
@click.pass_context
def path(
    ctx: click.Context,
    start: str,
    end: str,
    every: bool,
    level: str | None,
    patterns: Sequence[str],
    is_open: bool,
    as_of: str | None,
    as_json: bool,
) -> int:
    """A shortest way that data takes from A to B. Exit code 1 when there is none."""
    read = read_collapsed(ctx, as_of, patterns, is_open, [start, end])
    graph = lift(read, level, columns=False)[0] or read
    found = graph.paths(start, end, limit=MOST_PATHS + 1 if every else 1)
    ways = [way for way in found[:MOST_PATHS] if way]
    if as_json:
        answer = {"from": graph.find_id(start), "to": graph.find_id(end), "as_of": read.as_of}
        told = (
            {"paths": ways, "more": len(found) > MOST_PATHS} if every else {"edges": ways[0] if ways else []}
        )
        out_json(answer | told)
        return 0 if ways else 1
    if not ways:
        out(f"no way leads from {graph.find_id(start)} to {graph.find_id(end)}")
        return 1
    console = rich_console()
    for way in ways:
        console.print(escape(way[0]["from"]))
        for edge in way:
            console.print(f"  -> {escape(edge['to'])}{edge_note(edge)}")
    if len(found) > MOST_PATHS:
        out("... and more ways, as long as these")
    return 0


@command.command("unresolved")
@click.option("--connection", metavar="NAME", help="Of this connection only.")
@as_of_option
@json_option
@click.pass_context
def unresolved(ctx: click.Context, connection: str | None, as_of: str | None, as_json: bool) -> int:
    """What did not resolve, why, and what it may have meant."""
    known = project_of(ctx).connections
    if connection is not None and connection not in known:
        raise click.UsageError(f"no connection is named {connection}; there are {', '.join(known)}")
    graph = read_graph(ctx, as_of)
    entries = [e for e in graph.unresolved() if connection in (None, e["connection"])]
    if as_json:
        out_json(entries)
        return 0
    if not entries:
        out("everything resolved")
        return 0

    console = rich_console()
    for reason, count in sorted(Counter(e["reason"] for e in entries).items()):
        console.print(f"[bold]{reason}[/bold]  {count:,}")
        for entry in [e for e in entries if e["reason"] == reason][:MAX_LINES]:
            other = f" ({entry['counterpart']})" if entry["counterpart"] else ""
            console.print(f"  {escape(str(entry['connection']))}{escape(other)}: {escape(entry['message'])}")
            if entry["candidates"]:
                console.print(f"      [dim]{escape(', '.join(entry['candidates']))}[/dim]")
    return 0


@command.command("explain")
@click.argument("start", metavar="A")
@click.argument("end", metavar="B")
@as_of_option
@json_option
@click.pass_context
def explain(ctx: click.Context, start: str, end: str, as_of: str | None, as_json: bool) -> int:
    """Why there is an edge from A to B: every declaration and statement. Exit code 1 when there is none."""
    graph = read_graph(ctx, as_of)
    edges = graph.explain(start, end)
    if as_json:
        out_json(edges)
        return 0 if edges else 1
    if not edges:
        out(
            f"there is no edge from {graph.find_id(start)} to {graph.find_id(end)}; try `headwater lineage path`"
        )
        return 1

    console = rich_console()
    for edge in edges:
        console.print(f"[bold]{escape(edge['from'])} -> {escape(edge['to'])}[/bold]{edge_note(edge)}")
        # A table's edge has a reason for each of its columns, which differ in what is not shown.
        for line in dict.fromkeys(_reason(why) for why in edge["provenance"]):
            console.print(line)
    return 0


def _reason(why: dict[str, Any]) -> str:
    """Who says so, when it was seen, and the statement below it."""
    if why["origin"] == "manual":
        note = f": {why['location']}" if why["location"] else ""
        said, seen = f"by hand{note}", f"from {why['partition']} on"
    else:
        place = f" at {why['location']}" if why["location"] else ""
        said = f"{why['origin']} by {why['connection']}{place}, matched by {why['matched_by']}"
        seen = f"partition {why['partition']}, run {why['run_id'][:8]}"
    text = " ".join((why["sql"] or "").split())
    more = "..." if len(text) > 200 else ""
    statement = f"\n    [dim]{escape(text[:200])}{more}[/dim]" if text else ""
    return f"  {escape(said)}  [dim]{seen}[/dim]{statement}"


@command.command("export")
@click.option("--format", "form", type=click.Choice(FORMS), default="json", show_default=True)
@click.option("--focus", metavar="ID", help="Only what is around this resource.")
@click.option(
    "--depth", type=click.IntRange(1), default=1, show_default=True, help="With --focus: so many hops."
)
@click.option("--columns", is_flag=True, help="With --focus, or in an svg: column by column.")
@level_option
@collapse_option
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write there; of parquet, the folder of its files.  [standard output]",
)
@as_of_option
@click.pass_context
def export(
    ctx: click.Context,
    form: str,
    focus: str | None,
    depth: int,
    columns: bool,
    level: str | None,
    patterns: Sequence[str],
    output: Path | None,
    as_of: str | None,
) -> int:
    """The whole graph, or what is around one resource. Nothing is collapsed without --collapse."""
    keep = [] if focus is None else [focus]
    graph = read_collapsed(ctx, as_of, patterns, is_open=not patterns, keep=keep)
    higher, columns = lift(graph, level, columns)
    if higher is not None:
        part = higher.to_dict() if focus is None else higher.around(focus, depth)
        export_level(form, part, output)
        return 0
    whole = graph.to_dict() if focus is None else graph.around(focus, depth, columns=columns)
    export_graph(ctx, form, graph, whole, output, columns=columns)
    return 0


command.add_command(_reading("upstream"))
command.add_command(_reading("downstream"))
for _other in (shape.roots, shape.leaves, shape.orphans, shape.cycles):
    command.add_command(_other)
for _other in (changes.impact, changes.diff, edges.add, edges.remove):
    command.add_command(_other)
