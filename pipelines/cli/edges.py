"""`headwater lineage add` and `remove`: edges by hand."""

from __future__ import annotations

import click

from pipelines.cli.console import out, project_of


@click.command("add")
@click.argument("start", metavar="A")
@click.argument("end", metavar="B")
@click.option("--note", help="Why; shown by `headwater lineage explain`.")
@click.pass_context
def add(ctx: click.Context, start: str, end: str, note: str | None) -> int:
    """Add an edge from A to B by hand, from the newest partition on. No run removes it."""
    from pipelines.hand_edges import add_by_hand

    ends = add_by_hand(project_of(ctx), start, end, note)
    out(f"{ends[0]} -> {ends[1]} added")
    return 0


@click.command("remove")
@click.argument("start", metavar="A")
@click.argument("end", metavar="B")
@click.pass_context
def remove(ctx: click.Context, start: str, end: str) -> int:
    """Remove an edge from A to B that was added by hand; earlier partitions keep it."""
    from pipelines.hand_edges import remove_by_hand

    ends = remove_by_hand(project_of(ctx), start, end)
    out(f"{ends[0]} -> {ends[1]} removed")
    return 0
