"""`headwater runs`: flow runs, the newest first; and one of them whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli.console import err, escape, json_option, out, out_json, project_of, rich_console
from pipelines.cli.moments import since_option
from pipelines.statuses import STATUSES

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.flow_runs import DatasetRun, FlowRun
    from pipelines.flow_runs.projection import Progress
    from pipelines.project import Project

_COLORS = {"SUCCESS": "green", "WARNING": "yellow", "FAILED": "red", "CANCELED": "magenta"}
NO_RUN_FITS = "no run fits"
NOTHING_HAS_RUN = "nothing has run yet; try `headwater sync`"
_STARTED = "started (UTC)"
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")  # of a log's lines, as they rise
_NUMBERS = frozenset({"records", "errors", "quarantined", "bytes", "seconds", "attempt"})


@click.group("runs", invoke_without_command=True)
@click.option("--flow", metavar="NAME", help="Of this connection's flow only.")
@click.option(
    "--status", type=click.Choice(STATUSES, case_sensitive=False), help="Only runs with this status."
)
@since_option
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many.")
@click.option("--external", is_flag=True, help="Those of other systems instead: dbt, Airflow, Spark ...")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    flow: str | None,
    status: str | None,
    since: datetime | None,
    limit: int,
    external: bool,
    as_json: bool,
) -> int:
    """What ran, for which partitions, how it ended: Dagster's own records, whoever launched the run.

    A flow is a connection and all that hangs from it: datasets and their deliveries.
    """
    if ctx.invoked_subcommand:
        return 0
    project = project_of(ctx)
    known_flow(project, flow)
    if external:
        return _external(project, flow, status, since, limit, as_json)
    from pipelines.flow_runs import open_flow_runs

    with open_flow_runs(project, projecting()) as flow_runs:
        runs = flow_runs.find(flow=flow, status=status, since=since, limit=limit)
        nothing = not runs and not flow_runs.count_runs()
    if as_json:
        out_json([run.to_dict() for run in runs])
    elif runs:
        _show(runs)
    else:
        out(NOTHING_HAS_RUN if nothing else NO_RUN_FITS)
    return 0


def known_flow(project: Project, flow: str | None) -> None:
    """Raises UsageError for a flow that there is not."""
    if flow and flow not in project.connections:
        raise click.UsageError(f"no connection is named {flow}; there are {', '.join(project.connections)}")


def projecting() -> Progress:
    """Says on standard error how it goes where many runs are read for the first time."""
    told = [0]

    def progress(what: str, done: int, of: int) -> None:
        if of > 5000 and what == "runs" and done - told[0] >= 5000:
            told[0] = done
            err(f"reading Dagster's records for the first time: {done:,} of {of:,} runs")

    return progress


def _show(runs: Sequence[FlowRun]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    counts = ("records", "errors", "quarantined", "seconds")
    for column in (_STARTED, "flow", "partition", "status", "trigger", "attempt", *counts, "run"):
        table.add_column(column, no_wrap=True, justify="right" if column in _NUMBERS else "left")
    for run in runs:
        numbers = (f"{run.records:,}", f"{run.errors:,}", f"{run.quarantined:,}")
        table.add_row(
            *(_started(run.started_at), run.flow, _partitions(run.partitions), _colored(run.status)),
            *(run.trigger, str(run.attempt), *numbers, _seconds(run), run.id[:8]),
        )
    console = rich_console()
    console.print(table)
    for run in runs:
        _show_error(console, f"{run.flow} {run.id[:8]}", run.error)


def _show_error(console: Console, whose: str, error: str | None) -> None:
    if error:
        console.print(f"[red]{whose}[/]: {escape(error)}")


@command.command("show")
@click.argument("identifier", metavar="ID")
@click.option(
    "--level",
    type=click.Choice([level.lower() for level in _LEVELS[:-1]]),
    default="info",
    show_default=True,
    help="Of the log, lines of this level and above.",
)
@click.option(
    "--lines", type=click.IntRange(0), default=200, show_default=True, help="Of these lines, the last."
)
@json_option
@click.pass_context
def show(ctx: click.Context, identifier: str, level: str, lines: int, as_json: bool) -> int:
    """One run: what it did with each dataset, and its log. ID may be the beginning or the ending of one."""
    project = project_of(ctx)
    from pipelines.flow_runs import open_flow_runs
    from pipelines.flow_runs.logs import run_log
    from pipelines.home import reading_dagster

    with open_flow_runs(project, projecting()) as flow_runs:
        run = flow_runs.run(identifier)
        flows = flow_runs.of_run(run)
    levels = _LEVELS[_LEVELS.index(level.upper()) :]
    with reading_dagster() as instance:
        log = [
            entry for entry in run_log(instance, run.id) if entry.level in levels and entry.message.strip()
        ]
    shown = log[-lines:] if lines else []
    if as_json:
        told = {"id": run.id, "run_number": run.number, "status": run.status, "trigger": run.trigger}
        told |= {"error": run.error, "link": f"/runs/{run.id}"}
        out_json(
            told | {"flows": [flow.to_dict() for flow in flows], "log": [entry.to_dict() for entry in shown]}
        )
        return 0
    console = rich_console()
    if not flows:
        console.print(
            f"[bold]of no connection[/] {_colored(run.status)}, by {run.trigger}, run {run.id}, number {run.number}"
        )
        _show_error(console, "run", run.error)
    for flow in flows:
        attempt = f", attempt {flow.attempt}" if flow.attempt > 1 else ""
        console.print(
            f"[bold]{flow.flow}[/] {_partitions(flow.partitions)} {_colored(flow.status)}, by {flow.trigger}{attempt}, "
            f"run {flow.id}, number {flow.run_number}"
        )
        console.print(_datasets(flow.datasets))
        _show_error(console, flow.flow, flow.error)
    if not log:
        out(f"its log has no line of the level {level}; see --level")
    if len(log) > len(shown):
        out(f"... and {len(log) - len(shown):,} lines before these; see --lines")
    for entry in shown:
        step = f"{entry.step}: " if entry.step else ""
        message = " ".join(entry.message.split())
        color = {"ERROR": "red", "CRITICAL": "red", "WARNING": "yellow"}.get(entry.level, "dim")
        console.print(
            f"[dim]{entry.at[11:23]}[/] [{color}]{entry.level.lower():7}[/] {escape(step + message)}"
        )
    return 0


def _datasets(datasets: Sequence[DatasetRun]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 2))
    for column in ("dataset", "status", "records", "bytes", "errors", "quarantined", "seconds"):
        table.add_column(column, no_wrap=True, justify="right" if column in _NUMBERS else "left")
    for one in datasets:
        numbers = (one.records, one.size_bytes, one.errors, one.quarantined)
        table.add_row(escape(one.dataset), _colored(one.status), *(f"{n:,}" for n in numbers), _seconds(one))
    return table


def _external(
    project: Project, flow: str | None, status: str | None, since: datetime | None, limit: int, as_json: bool
) -> int:
    from lineage import open_store
    from pipelines.external_runs import read_external_runs

    store = open_store(project.storage, project.storage_options)
    names = [flow] if flow else list(project.connections)
    runs = read_external_runs(store, names, status=status, since=since, limit=limit)
    if as_json:
        out_json(runs)
        return 0
    if not runs:
        out(NO_RUN_FITS if flow or status or since else "no connection has told of runs of other systems")
        return 0
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in (_STARTED, "connection", "job", "status", "run"):
        table.add_column(column, no_wrap=True)
    for run in runs:
        shown = (run["connection"], run["job"])
        table.add_row(
            _started(run["started_at"]), *map(escape, shown), _colored(run["status"]), escape(run["id"])
        )
    rich_console().print(table)
    return 0


def _colored(status: str) -> str:
    return f"[{_COLORS.get(status, 'blue')}]{status.lower()}[/]"


def _partitions(keys: Sequence[str]) -> str:
    return f"{keys[0]}...{keys[-1]}" if len(keys) > 1 else "".join(keys)


def _started(text: str | None) -> str:
    return (text or "")[:19].replace("T", " ")


def _seconds(run: FlowRun | DatasetRun) -> str:
    if not run.started_at or not run.ended_at:
        return ""
    return f"{(datetime.fromisoformat(run.ended_at) - datetime.fromisoformat(run.started_at)).total_seconds():.1f}"
