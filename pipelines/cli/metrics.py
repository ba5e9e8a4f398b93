"""`headwater metrics`: what runs did with each dataset, by run or by day."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import click

from pipelines.cli.console import escape, json_option, out, out_json, project_of, rich_console
from pipelines.cli.moments import PAST, since_option
from pipelines.cli.runs import known_flow, projecting

_COUNTS = ("records", "bytes", "errors", "quarantined")


@click.command("metrics")
@click.option(
    "--by", type=click.Choice(["run", "day"]), default="day", show_default=True, help="Sums of what."
)
@click.option("--flow", metavar="NAME", help="Of what this connection's flow has to do with.")
@click.option(
    "--dataset", metavar="NAME", help="Of one: such as datasets/orders_tidy, warehouse/shop.sales.orders."
)
@since_option("Of runs that are not older.")
@click.option("--until", metavar="D", type=PAST, help="Of runs before then.")
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
        found = flow_runs.metrics(by, flow=flow, dataset=dataset, since=since, until=until, limit=limit)
    if as_json:
        out_json([one.to_dict() for one in found])
        return 0
    if not found:
        out(
            "nothing ran so"
            if flow or dataset or since or until
            else "nothing has run yet; try `headwater sync`"
        )
        return 0
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in (*(("day", "runs") if by == "day" else ("run", "id", "status")), "dataset"):
        table.add_column(column, no_wrap=True)
    for column in _COUNTS:
        table.add_column(column, no_wrap=True, justify="right")
    for one in found:
        first = [one.day, f"{one.runs:,}"]
        if by == "run":
            first = [str(one.run_number), (one.id or "")[:8], (one.status or "").lower()]
        counts = (one.records, one.size_bytes, one.errors, one.quarantined)
        table.add_row(*first, escape(one.dataset), *(f"{count:,}" for count in counts))
    rich_console().print(table)
    return 0
