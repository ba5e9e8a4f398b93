"""`headwater metrics`: what runs did with each dataset, by run or by day."""

from __future__ import annotations

from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

import click

from pipelines.cli.console import escape, json_option, out, out_json, project_of, rich_console
from pipelines.cli.moments import PAST, since_option
from pipelines.cli.runs import NO_RUN_FITS, NOTHING_HAS_RUN, known_flow, projecting

if TYPE_CHECKING:
    from pipelines.flow_runs import FlowRuns

_MOST_NAMES = 10
_COUNTS = ("records", "bytes", "errors", "quarantined")


@click.command("metrics")
@click.option(
    "--by", type=click.Choice(["run", "day"]), default="day", show_default=True, help="Sums of what."
)
@click.option("--flow", metavar="NAME", help="Of what this connection's flow has to do with.")
@click.option(
    "--dataset", metavar="NAME", help="Of one: such as datasets/orders_tidy, warehouse/shop.sales.orders."
)
@since_option
@click.option("--until", metavar="D", type=PAST, help="Only runs created before then.")
@click.option(
    "--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many lines."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    by: Literal["run", "day"],
    flow: str | None,
    dataset: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    as_json: bool,
) -> int:
    """Records, bytes, errors and quarantined records of each dataset. A run counts for the UTC day of its creation, so
    that the sums of days are the sums of runs.
    """
    project = project_of(ctx)
    known_flow(project, flow)
    from pipelines.flow_runs import open_flow_runs

    with open_flow_runs(project, projecting()) as flow_runs:
        if dataset is not None:
            _refuse_unknown(flow_runs, dataset)
        found = flow_runs.metrics(by, flow=flow, dataset=dataset, since=since, until=until, limit=limit)
        nothing = not found and not flow_runs.count_runs()
    if as_json:
        out_json([one.to_dict() for one in found])
        return 0
    if not found:
        out(NOTHING_HAS_RUN if nothing else NO_RUN_FITS)
        return 0
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in (*(("day", "runs") if by == "day" else ("run", "number", "status")), "dataset"):
        table.add_column(column, no_wrap=True)
    for column in _COUNTS:
        table.add_column(column, no_wrap=True, justify="right")
    for one in found:
        first = [one.day, f"{one.runs:,}"]
        if by == "run":
            first = [(one.id or "")[:8], str(one.run_number), (one.status or "").lower()]
        counts = (one.records, one.size_bytes, one.errors, one.quarantined)
        table.add_row(*first, escape(one.dataset), *(f"{count:,}" for count in counts))
    rich_console().print(table)
    return 0


def _refuse_unknown(flow_runs: FlowRuns, dataset: str) -> None:
    """Raises UsageError for a dataset that no run ever had to do with, unless nothing has run at all."""
    if flow_runs.count_runs(dataset=dataset):
        return
    known = sorted({one.dataset for one in flow_runs.metrics("day")})
    if not known:
        return
    last = dataset.rpartition("/")[2]
    near = [name for name in known if name.rpartition("/")[2] == last] or get_close_matches(dataset, known)
    more = f" and {len(known) - _MOST_NAMES:,} more" if len(known) > _MOST_NAMES else ""
    hint = (
        f"did you mean {' or '.join(near[:_MOST_NAMES])}?"
        if near
        else f"there are {', '.join(known[:_MOST_NAMES])}{more}"
    )
    raise click.UsageError(f"no run ever had to do with a dataset {dataset}; {hint}")
