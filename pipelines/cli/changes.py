"""`headwater lineage diff` and `impact`: what changed, and what a change reaches."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli.console import (
    as_of_option,
    err,
    escape,
    json_option,
    out,
    out_json,
    out_rest,
    project_of,
    rich_console,
)
from pipelines.cli.reading import collapse_option, open_option, read_collapsed

if TYPE_CHECKING:
    from lineage import LineageGraph
    from lineage.store import Store

MAX_LINES = 100  # of each list on a terminal
_KEY = re.compile(r"\d{4}-\d{2}-\d{2}(-\d{2}:\d{2}([+-]\d{4})?)?")

_markdown_option = click.option(
    "--markdown", "as_markdown", is_flag=True, help="Print Markdown, for a pull request."
)


@click.command("impact")
@click.argument("identifiers", metavar="ID...", nargs=-1, required=True)
@click.option("--depth", type=click.IntRange(1), help="So many hops.  [all the way]")
@click.option("--columns", is_flag=True, help="Column by column.")
@collapse_option
@open_option
@_markdown_option
@as_of_option
@json_option
@click.pass_context
def impact(
    ctx: click.Context,
    identifiers: Sequence[str],
    depth: int | None,
    columns: bool,
    patterns: Sequence[str],
    is_open: bool,
    as_markdown: bool,
    as_of: str | None,
    as_json: bool,
) -> int:
    """What a change of the resources ID... reaches, counted by kind and by owner."""
    from lineage.graph.impact import impact_of

    graph = read_collapsed(ctx, as_of, patterns, is_open, identifiers)
    found = impact_of(graph, identifiers, depth, columns=columns).to_dict()
    if as_json:
        out_json(found)
        return 0
    if as_markdown:
        from lineage.formats.markdown import impact_markdown

        click.echo(impact_markdown(found), nl=False)
        return 0
    console = rich_console()
    affected = found["affected"]
    console.print(
        f"[bold]{escape(', '.join(found['changed']))}[/bold]: {len(affected):,} resources downstream"
    )
    for name, counts in (("kind", found["by_type"]), ("owner", found["by_owner"])):
        told = ", ".join(f"{escape(one) or '(none)'} {count:,}" for one, count in counts.items())
        console.print(f"  by {name}: {told or 'none'}")
    for one in affected[:MAX_LINES]:
        console.print(
            f"  {one['distance']:>3}  {escape(one['id'])}  [dim]{escape(str(one['entity_type']))}[/dim]"
        )
    out_rest(affected, MAX_LINES)
    return 0


@click.command("diff")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option(
    "--fail-on", type=click.Choice(["broken"]), help="Exit with 1 when something downstream lost its source."
)
@click.option(
    "--read",
    metavar="NAME",
    multiple=True,
    help="Of a folder, read this connection now.  [those that read files]",
)
@_markdown_option
@json_option
@click.pass_context
def diff(
    ctx: click.Context,
    before: str,
    after: str,
    fail_on: str | None,
    read: Sequence[str],
    as_markdown: bool,
    as_json: bool,
) -> int:
    """What differs between A and B, and what that breaks. Each is a partition's key, or a project's folder.

    Of a folder, the connections that read files (dbt, sql_files, jsonl ...) are read as they are now, the others are as
    the folder's project has stored them, or else as the other side has.
    """
    from lineage.graph.diff import diff as difference

    with tempfile.TemporaryDirectory(prefix="headwater-diff-") as scratch:
        sides = _graphs(ctx, before, after, read, Path(scratch))
        found = difference(*sides)
        told = found.to_dict()
    if as_json:
        out_json(told)
    elif as_markdown:
        from lineage.formats.markdown import diff_markdown

        click.echo(diff_markdown(told), nl=False)
    else:
        _show(told)
    return 1 if fail_on == "broken" and told["broken"] else 0


def _graphs(
    ctx: click.Context, before: str, after: str, read: Sequence[str], scratch: Path
) -> tuple[LineageGraph, LineageGraph]:
    stores = {text: _store(ctx, text) for text in (before, after)}
    graphs = []
    for number, (text, other) in enumerate(((before, after), (after, before))):
        if _KEY.fullmatch(text):
            graphs.append(stores[text].graph(text))
            continue
        from pipelines.branch import branch_graph
        from pipelines.project import find_project, read_project

        made = branch_graph(
            read_project(find_project(text)), str(scratch / str(number)), stores[other], read or None
        )
        err(
            f"{text}: read {', '.join(made.read) or 'nothing'}; as stored: {', '.join(made.stored) or 'nothing'}"
        )
        for name, why in made.partial.items():
            err(f"{text}: {name} was read in part, and what is stored of it stands: {why}")
        if made.unknown:
            err(
                f"{text}: nothing is known of {', '.join(made.unknown)}; `headwater sync` in it, or share a storage"
            )
        graphs.append(made.graph)
    return graphs[0], graphs[1]


def _store(ctx: click.Context, text: str) -> Store:
    """The store of a side: a folder's own, or the one of the project that a key is of."""
    from lineage import open_store
    from pipelines.project import find_project, read_project

    project = project_of(ctx) if _KEY.fullmatch(text) else read_project(find_project(text))
    return open_store(project.storage, project.storage_options)


def _show(found: dict[str, Any]) -> None:
    console = rich_console()
    for thing in ("resources", "edges", "unresolved"):
        counts = ", ".join(f"{len(rows):,} {change}" for change, rows in found[thing].items())
        console.print(f"{thing}: {counts}")
    for change, sign in (("removed", "-"), ("added", "+"), ("changed", "~")):
        rows = found["resources"][change]
        for row in rows[:MAX_LINES]:
            fields = f"  [dim]{escape(', '.join(row['before']))}[/dim]" if change == "changed" else ""
            console.print(f"  {sign} {escape(row['id'])}{fields}")
        out_rest(rows, MAX_LINES)
    broken = found["broken"]
    if not broken:
        out("nothing downstream lost its source")
        return
    console.print(f"[bold red]{len(broken):,} lost a source[/bold red]")
    for one in broken[:MAX_LINES]:
        console.print(f"  [bold]{escape(one['id'])}[/bold]  [dim]{escape(str(one['entity_type']))}[/dim]")
        console.print(f"      lost {escape(', '.join(one['lost']))}: {escape('; '.join(one['messages']))}")
        if one["downstream"]:
            below = [f"{other['id']} ({other['entity_type']})" for other in one["downstream"]]
            console.print(f"      downstream of it: {escape(', '.join(below[:MAX_LINES]))}")
    out_rest(broken, MAX_LINES)
