"""`headwater quarantine`: the records that datasets refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipelines.cli.console import escape, json_option, out, out_json, project_of, rich_console

if TYPE_CHECKING:
    from lineage.store import Store
    from pipelines.project import Project


@click.group("quarantine")
def command() -> None:
    """The records that a dataset refused: show them, hold them to changed rules, or forget them."""


_of_partition = click.option("--partition", metavar="KEY", help="The run's partition.  [the newest]")


@command.command("show")
@click.argument("name")
@_of_partition
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many.")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, partition: str | None, limit: int, as_json: bool) -> int:
    """Show what the dataset NAME refused, and why: records as they were given, personal columns too."""
    from pipelines.datasets.replay import newest_run, read_quarantine

    _, store = _stored(ctx, name)
    header = newest_run(store, name, partition)
    rows = read_quarantine(store, header, limit)
    if as_json:
        out_json({"dataset": name, "partition": header.partition, "refused": header.failed, "records": rows})
        return 0
    from rich.table import Table

    if not rows:
        out(f"{name} of {header.partition} has refused nothing")
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("where", "rule", "what is wrong", "record"):
        table.add_column(column, overflow="fold")
    for row in rows:
        where = row["pointer"] or row["stage"]
        table.add_row(*map(escape, (where, row["keyword"], row["message"], row["record"])))
    rich_console().print(table)
    shown = "" if header.failed <= len(rows) else f", {len(rows)} of them shown (--limit)"
    out(f"\n{header.failed:,} refused of {name}, {header.partition}{shown}")
    return 0


@command.command("replay")
@click.argument("name")
@_of_partition
@json_option
@click.pass_context
def replay(ctx: click.Context, name: str, partition: str | None, as_json: bool) -> int:
    """Hold what the dataset NAME refused to its rules as they are now; a row mended at its source comes with a sync.

    Those that pass become its records; what is made of it and its sinks get them. Exit code 1 when something failed.
    """
    from pipelines.cli.sync import made_notes
    from pipelines.datasets.replay import newest_run
    from pipelines.sync import run_sync

    project, store = _stored(ctx, name)
    before = newest_run(store, name, partition)
    report = run_sync(project, [], [before.partition], replay=name)
    left = newest_run(store, name, before.partition).failed
    if as_json:
        passed = before.failed - left
        out_json({"dataset": name, "partition": before.partition, "passed": passed, "refused": left})
        return 0 if report.ok else 1
    for one in report.made:
        for note in made_notes(one):
            out(f"{one.name}: {note}")
    out(
        f"{before.failed - left:,} records pass now, {left:,} are still refused, of {name}, {before.partition}"
    )
    return 0 if report.ok else 1


@command.command("purge")
@click.argument("name")
@_of_partition
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def purge(ctx: click.Context, name: str, partition: str | None, yes: bool) -> int:
    """Forget what the dataset NAME refused."""
    from pipelines.datasets.replay import newest_run, purge_quarantine

    _, store = _stored(ctx, name)
    header = newest_run(store, name, partition)
    if not yes:
        click.confirm(f"forget {header.failed:,} refused records of {name}, {header.partition}?", abort=True)
    out(f"{purge_quarantine(store, name, header.partition):,} records forgotten")
    return 0


def _stored(ctx: click.Context, name: str) -> tuple[Project, Store]:
    from lineage.store import open_store

    project = project_of(ctx)
    if name not in project.model.datasets:
        known = ", ".join(project.model.datasets) or "none"
        raise click.UsageError(f"no dataset is named {name}; there are {known}")
    return project, open_store(project.storage, project.storage_options)
