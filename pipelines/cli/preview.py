"""`headwater preview`: what a connection would give, without storing it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli.console import err, escape, json_option, out_json, project_of, rich_console
from pipelines.samples import Samples, extract_samples

if TYPE_CHECKING:
    from connectors import ExtractReport


@click.command("preview")
@click.argument("name")
@click.option("--limit", metavar="N", type=click.IntRange(1, 10_000), default=5, help="Samples of each.  [5]")
@json_option
@click.pass_context
def command(ctx: click.Context, name: str, limit: int, as_json: bool) -> int:
    """Extract the connection NAME as of now and from the start, store nothing, show counts and samples.

    Exit code 1 when it failed.
    """
    project = project_of(ctx)
    if name not in project.connections:
        raise click.UsageError(f"no connection is named {name}; there are {', '.join(project.connections)}")
    kept = Samples(limit)
    report, error = extract_samples(project, name, kept, logging.getLogger("headwater.preview"))
    if as_json:
        out_json({"connection": name, "error": error, **kept.told(report)})
    else:
        _show(kept, report)
    for warning in [] if as_json else report.warnings[:limit]:
        err(f"warning: {warning}")
    if error and not as_json:
        err(f"{name} failed: {error}")
    return 1 if error else 0


def _show(kept: Samples, report: ExtractReport) -> None:
    from rich.table import Table

    console = rich_console()
    for kind, count in kept.counts.items():
        console.print(f"[bold]{count:,} {kind}[/bold]")
        for fields in kept.samples[kind]:
            line = ", ".join(f"{key}: {_short(value)}" for key, value in fields.items())
            console.print("  " + escape(line))
    for name, one in report.tables.items():
        refused = f", {one.refused:,} refused" if one.refused else ""
        failed = f", {one.errors:,} errors" if one.errors else ""
        console.print(f"[bold]{escape(name)}[/bold]: {one.rows:,} rows{refused}{failed}")
        if rows := kept.rows.get(name):
            table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 2))
            for column in rows[0]:
                table.add_column(escape(column))
            for row in rows:
                table.add_row(*(escape(_short(value)) for value in row.values()))
            console.print(table)


def _short(value: Any) -> str:
    text = "" if value is None else " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:60]}..."
