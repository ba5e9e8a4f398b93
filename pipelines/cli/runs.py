"""`headwater runs`: flow runs, the newest first."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from pipelines.cli.console import escape, json_option, out, out_json, project_of, rich_console

_COLORS = {"SUCCESS": "green", "WARNING": "yellow", "FAILED": "red", "CANCELED": "magenta"}


@click.command("runs")
@click.option("--flow", metavar="NAME", help="Of this connection only.")
@click.option(
    "--since", metavar="DATE", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]), help="Not older (UTC)."
)
@click.option("--limit", default=50, show_default=True, help="At most so many.")
@json_option
@click.pass_context
def command(ctx: click.Context, flow: str | None, since: datetime | None, limit: int, as_json: bool) -> int:
    """What ran, for which partition, how it ended: Dagster's own records, whoever launched the run."""
    project = project_of(ctx)
    if flow and flow not in project.connections:
        raise click.UsageError(f"no connection is named {flow}; there are {', '.join(project.connections)}")
    from pipelines.flow_runs import read_flow_runs
    from pipelines.home import dagster_home, open_instance
    from pipelines.keys import AssetKeys

    dagster_home(project)
    flows = {name: AssetKeys().flow_run(name) for name in project.connections}
    after = since.replace(tzinfo=UTC) if since else None
    with open_instance() as instance:
        runs = read_flow_runs(instance, flows, flow=flow, since=after, limit=limit)
    if as_json:
        out_json([run.to_dict() for run in runs])
        return 0
    if not runs:
        out("nothing has run yet; try `headwater sync`")
        return 0
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in (
        "started",
        "flow",
        "partition",
        "status",
        "trigger",
        "resources",
        "errors",
        "seconds",
        "run",
    ):
        table.add_column(column, no_wrap=True, justify="right" if column in _NUMBERS else "left")
    for run in runs:
        color = _COLORS.get(run.status, "blue")
        started = (run.started_at or "")[:19].replace("T", " ")
        status = f"[{color}]{run.status.lower()}[/]"
        counts = (f"{run.resources:,}", f"{run.errors:,}", _seconds(run.started_at, run.ended_at))
        table.add_row(started, run.flow, run.partition, status, run.trigger, *counts, run.id[:8])
    console = rich_console()
    console.print(table)
    for run in runs:
        if run.error:
            console.print(f"[red]{run.flow} {run.partition} {run.id[:8]}[/]: {escape(run.error)}")
    return 0


_NUMBERS = frozenset({"resources", "errors", "seconds"})


def _seconds(started: str | None, ended: str | None) -> str:
    if not started or not ended:
        return ""
    return f"{(datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds():.1f}"
