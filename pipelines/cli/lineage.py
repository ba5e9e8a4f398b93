"""`headwater lineage`: questions to the graph."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli import changes, edges
from pipelines.cli.console import as_of_option, escape, json_option, out, out_json, project_of, rich_console
from pipelines.cli.exporting import FORMS, export_graph

if TYPE_CHECKING:
    from rich.tree import Tree

    from lineage.graph.traverse import Direction, LineageGraph, Neighbourhood

MAX_LINES = 500  # of a tree; a wider one is cut, and says so


@click.group("lineage")
def command() -> None:
    """Ask the graph. An ID may be given by a unique ending, such as `orders` for
    `warehouse/shop.sales.orders`.
    """


def _graph(ctx: click.Context, as_of: str | None) -> LineageGraph:
    from lineage import open_store

    project = project_of(ctx)
    return open_store(project.storage, project.storage_options).graph(as_of)


@command.command("upstream")
@click.argument("identifier", metavar="ID")
@click.option("--depth", type=click.IntRange(1), help="So many hops.  [all the way]")
@click.option("--columns", is_flag=True, help="Column by column.")
@as_of_option
@json_option
@click.pass_context
def upstream(
    ctx: click.Context, identifier: str, depth: int | None, columns: bool, as_of: str | None, as_json: bool
) -> int:
    """Where ID comes from."""
    return _reach(ctx, "upstream", identifier, depth, columns, as_of, as_json)


@command.command("downstream")
@click.argument("identifier", metavar="ID")
@click.option("--depth", type=click.IntRange(1), help="So many hops.  [all the way]")
@click.option("--columns", is_flag=True, help="Column by column.")
@as_of_option
@json_option
@click.pass_context
def downstream(
    ctx: click.Context, identifier: str, depth: int | None, columns: bool, as_of: str | None, as_json: bool
) -> int:
    """What ID reaches."""
    return _reach(ctx, "downstream", identifier, depth, columns, as_of, as_json)


def _reach(
    ctx: click.Context,
    direction: Direction,
    identifier: str,
    depth: int | None,
    columns: bool,
    as_of: str | None,
    as_json: bool,
) -> int:
    graph = _graph(ctx, as_of)
    ask = graph.upstream if direction == "upstream" else graph.downstream
    found = ask(identifier, depth, columns=columns)
    if as_json:
        resources = [
            {**r, "distance": found.distances[r["id"]]} for r in graph.resources(set(found.distances))
        ]
        resources.sort(key=lambda r: (r["distance"], r["id"]))
        answer = {"id": found.start, "direction": direction, "as_of": graph.as_of}
        out_json({**answer, "resources": resources, "edges": found.edges})
        return 0
    rich_console().print(reach_tree(found))
    if not found.edges:
        out(f"nothing is known {direction} of it")
    return 0


def reach_tree(found: Neighbourhood) -> Tree:
    """A tree from the start outwards; what was shown already is not opened again."""
    from rich.tree import Tree

    near, far = ("to", "from") if found.direction == "upstream" else ("from", "to")
    around: dict[str, list[dict[str, Any]]] = {}
    for edge in found.edges:
        around.setdefault(edge[near], []).append(edge)
    inside: dict[str, list[str]] = {}
    for node, passed_from in found.passed.items():
        if node in around:
            inside.setdefault(passed_from, []).append(node)
    tree = Tree(f"[bold]{escape(found.start)}[/bold]")
    lines, seen = 0, {found.start}
    todo = [(tree, found.start)]
    while todo:
        branch, node = todo.pop(0)
        for other in inside.get(node, []):
            todo.append((branch.add(escape(_short(other, node))), other))
            seen.add(other)
        for edge in around.get(node, []):
            other = edge[far]
            if lines == MAX_LINES:
                branch.add(
                    f"[yellow]... {len(found.distances)} resources in all; see --depth or --json[/yellow]"
                )
                return tree
            lines += 1
            shown = "  [dim](shown elsewhere)[/dim]" if other in seen and other in around else ""
            leaf = branch.add(escape(other) + _edge_note(edge) + shown)
            if other not in seen:
                seen.add(other)
                todo.append((leaf, other))
    return tree


def _short(column: str, table: str) -> str:
    """A column below its table's line: its own part of the id."""
    return column.removeprefix(table) if column.startswith(table + ".") else column


def _edge_note(edge: dict[str, Any]) -> str:

    clauses = ", ".join(clause.replace("_", " ") for clause in edge["clauses"])
    kind = f"only in {clauses}" if edge["kind"] == "indirect" and clauses else clauses
    expression = " ".join((edge["expression"] or "").split())
    notes = [note for note in (expression, kind) if note]
    return f"  [dim]{escape(' · '.join(notes))}[/dim]" if notes else ""


@command.command("path")
@click.argument("start", metavar="A")
@click.argument("end", metavar="B")
@as_of_option
@json_option
@click.pass_context
def path(ctx: click.Context, start: str, end: str, as_of: str | None, as_json: bool) -> int:
    """A shortest way that data takes from A to B. Exit code 1 when there is none."""
    graph = _graph(ctx, as_of)
    edges = graph.path(start, end)
    if as_json:
        out_json(
            {"from": graph.find_id(start), "to": graph.find_id(end), "as_of": graph.as_of, "edges": edges}
        )
        return 0 if edges else 1
    if not edges:
        out(f"no way leads from {graph.find_id(start)} to {graph.find_id(end)}")
        return 1
    console = rich_console()
    console.print(edges[0]["from"], markup=False)
    for edge in edges:
        console.print(f"  -> {escape(edge['to'])}{_edge_note(edge)}")
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
    graph = _graph(ctx, as_of)
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
    graph = _graph(ctx, as_of)
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
        console.print(f"[bold]{escape(edge['from'])} -> {escape(edge['to'])}[/bold]{_edge_note(edge)}")
        for why in edge["provenance"]:
            place = f" at {why['location']}" if why["location"] else ""
            line = f"{why['origin']} by {why['connection']}{place}, matched by {why['matched_by']}"
            console.print(
                f"  {escape(line)}  [dim]partition {why['partition']}, run {why['run_id'][:8]}[/dim]"
            )
            if why["sql"]:
                text = " ".join(why["sql"].split())
                console.print(f"    [dim]{escape(text[:200])}{'...' if len(text) > 200 else ''}[/dim]")
    return 0


@command.command("export")
@click.option("--format", "form", type=click.Choice(FORMS), default="json", show_default=True)
@click.option("--focus", metavar="ID", help="Only what is around this resource.")
@click.option(
    "--depth", type=click.IntRange(1), default=1, show_default=True, help="With --focus: so many hops."
)
@click.option("--columns", is_flag=True, help="With --focus, or in an svg: column by column.")
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
    output: Path | None,
    as_of: str | None,
) -> int:
    """The whole graph, or what is around one resource."""
    graph = _graph(ctx, as_of)
    whole = graph.to_dict() if focus is None else graph.around(focus, depth, columns=columns)
    export_graph(ctx, form, graph, whole, output, columns=columns)
    return 0


for _other in (changes.impact, changes.diff, edges.add, edges.remove):
    command.add_command(_other)
