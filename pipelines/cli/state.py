"""`headwater state`: where a connection's next run goes on, and how to start over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pipelines.cli.console import escape, json_option, out, out_json, project_of, rich_console

if TYPE_CHECKING:
    from lineage.store import SnapshotHeader, Store


@click.group("state")
def command() -> None:
    """Where a connection's next run goes on: the cursors of its tables, and its own state."""


@command.command("show")
@click.argument("name")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> int:
    """Show where the next run of the connection NAME goes on."""
    store, header = _stored(ctx, name)
    state = store.snapshots.state(name, header.partition)
    datasets = store.snapshots.datasets(header)
    if as_json:
        tables = {
            table: {"cursors": dict(one.cursors), "rows": one.rows, "complete": one.complete}
            for table, one in datasets.items()
        }
        out_json({"connection": name, "partition": header.partition, "tables": tables, "state": state})
        return 0
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("table", "key", "cursor"):
        table.add_column(column)
    for at, one in datasets.items():
        for key, value in sorted(one.cursors.items()):
            table.add_row(escape(at), escape(key), escape(value))
    for key, value in sorted(state.items()):
        table.add_row("", escape(key), escape(_short(value)))
    if table.row_count:
        rich_console().print(table)
    else:
        out(f"{name} has left nothing to go on from: its next run reads everything")
    return 0


@command.command("reset")
@click.argument("name")
@click.argument("tables", nargs=-1)
@click.pass_context
def reset(ctx: click.Context, name: str, tables: tuple[str, ...]) -> int:
    """Forget where the next run of NAME goes on: of its TABLES, or of all of them and its own state.

    The next run reads from the start, and replaces what was gathered.
    """
    store, _ = _stored(ctx, name)
    store.snapshots.reset(name, tables or None)
    out(f"the next run of {name} reads {', '.join(tables) or 'everything'} from the start")
    return 0


def _stored(ctx: click.Context, name: str) -> tuple[Store, SnapshotHeader]:
    project = project_of(ctx)
    from lineage import open_store

    store = open_store(project.storage, project.storage_options)
    header = store.snapshots.newest(name)
    if header is None:
        raise click.UsageError(f"nothing is stored of a connection named {name}")
    return store, header


def _short(value: Any) -> str:
    import orjson

    text = orjson.dumps(value, default=str).decode()
    return text if len(text) <= 100 else f"{text[:100]}..."
