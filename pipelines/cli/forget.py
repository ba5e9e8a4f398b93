"""`headwater forget`: deletes what is stored of a connection."""

from __future__ import annotations

import click

from pipelines.cli.console import out, project_of


@click.command("forget")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def command(ctx: click.Context, name: str, yes: bool) -> int:
    """Delete the history of the connection NAME from the store; graphs built before stay as they are."""
    project = project_of(ctx)
    from lineage import open_store

    store = open_store(project.storage, project.storage_options)
    count = len(store.snapshots.headers(name))
    if not count:
        raise click.UsageError(f"nothing is stored of a connection named {name}")
    if not yes:
        click.confirm(f"Delete {count} stored snapshots of {name}?", abort=True)
    store.snapshots.forget(name)
    out(f"{count} snapshots of {name} are deleted")
    return 0
