"""`headwater sync`: reads connections through Dagster, then builds the graph."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli.console import err, escape, json_option, out, out_json, project_of, rich_console

if TYPE_CHECKING:
    from rich.table import Table

    from connectors.model import ExtractReport
    from pipelines.datasets.outcome import DatasetOutcome, SinkOutcome
    from pipelines.extract import Outcome
    from pipelines.project import Project
    from pipelines.sync import SyncReport


@click.command("sync")
@click.argument("names", nargs=-1)
@click.option("--partition", metavar="KEY", help="The partition to run for.  [the one under way]")
@click.option("--backfill", metavar="A..B", help="Every partition from A to B, in one run.")
@click.option("--full", is_flag=True, help="Forget what earlier runs left to go on from.")
@click.option(
    "--accept-drop", multiple=True, metavar="NAME", help="Accept that a connection lost many resources."
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    names: Sequence[str],
    partition: str | None,
    backfill: str | None,
    full: bool,
    accept_drop: Sequence[str],
    as_json: bool,
) -> int:
    """Read the connections NAMES (all of them without any), make the datasets that hang from them and deliver those to
    their sinks, then build the graph.

    A connection that fails leaves what is stored of it as it was; the others go on. Exit code 1 when one
    failed.
    """
    project = project_of(ctx)
    chosen = _chosen(project, [*names, *accept_drop], names)
    faults = _configuration_faults(project, chosen)
    for fault in faults:
        err(fault)
    from pipelines.sync import run_sync

    keys = _partitions(project, partition, backfill)
    waiting = [*chosen, *_hanging(project, chosen)]
    with _Progress(waiting, show=sys.stderr.isatty() and not as_json) as progress:
        report = run_sync(project, chosen, keys, accept_drop=accept_drop, full=full, listener=progress)
    if as_json:
        out_json(_as_json(report))
    else:
        _summary(report, told=faults)
    return 0 if report.ok else 1


def _chosen(project: Project, asked: Sequence[str], names: Sequence[str]) -> list[str]:
    for name in asked:
        if name not in project.connections:
            known = ", ".join(project.connections)
            raise click.UsageError(f"no connection is named {name}; there are {known}")
    return list(dict.fromkeys(names)) or list(project.connections)


def _hanging(project: Project, chosen: Sequence[str]) -> list[str]:
    from pipelines.flows import datasets_of

    return [
        name
        for dataset in datasets_of(project, chosen)
        for name in (
            f"datasets/{dataset}",
            *(f"sinks/{sink}/{dataset}" for sink in project.datasets[dataset].model.sinks),
        )
    ]


def _configuration_faults(project: Project, names: Sequence[str]) -> list[str]:
    """What keeps connections from running, all of it before the first one runs."""
    from connectors.errors import ConfigError
    from pipelines.project import resolve_connection

    faults = []
    for name in names:
        try:
            resolve_connection(project, name)
        except ConfigError as error:
            faults.append(str(error))
    return faults


def _partitions(project: Project, partition: str | None, backfill: str | None) -> list[str]:
    from datetime import UTC, datetime

    from connectors.errors import RunError
    from pipelines.partitions import key_at, keys_between, partitions_definition

    if partition == "" or backfill == "":
        raise click.UsageError("the partition is empty; leave the option out for the one under way")
    if partition and backfill:
        raise click.UsageError("--partition and --backfill exclude each other")
    parts = partitions_definition(project.model.partitions)
    now = key_at(project.model.partitions, datetime.now(UTC))
    first, found, last = (backfill or "").partition("..")
    if backfill and not (first and found and last):
        raise click.UsageError("--backfill wants two partitions, such as 2026-11-01..2026-11-07")
    try:
        keys = keys_between(parts, first or partition or now, last or partition or now)
    except RunError as error:
        raise click.UsageError(str(error)) from None
    if not keys:
        raise click.UsageError(f"{last} is before {first}")
    return keys


@dataclass
class _Line:
    state: str = "waiting"
    started: float = 0.0
    report: ExtractReport | None = None
    note: str = ""


class _Progress:
    """A table on a terminal, a line for each connection elsewhere."""

    def __init__(self, names: Sequence[str], *, show: bool) -> None:
        self._lines = {name: _Line() for name in names}
        self._live: Any = None
        self._show = show
        self._lock = threading.Lock()

    def __enter__(self) -> _Progress:
        if self._show:
            from rich.live import Live

            self._live = Live(
                get_renderable=self._table,
                console=rich_console(stderr=True),
                refresh_per_second=8,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def started(self, connection: str, partition: str, report: ExtractReport) -> None:
        with self._lock:
            self._lines[connection] = _Line("reading", time.monotonic(), report, partition)

    def finished(self, outcome: Outcome) -> None:
        with self._lock:
            line = self._lines[outcome.connection]
            line.state = outcome.status.lower()
            line.note = outcome.error or outcome.partition

    def making(self, name: str, partition: str) -> None:
        with self._lock:
            self._lines[name] = _Line("reading", time.monotonic(), None, partition)

    def made(self, outcome: DatasetOutcome | SinkOutcome) -> None:
        with self._lock:
            line = self._lines[outcome.name]
            line.state = outcome.status.lower()
            line.note = outcome.error or outcome.partition

    def _table(self) -> Table:
        from rich.table import Table

        table = Table.grid(padding=(0, 2))
        with self._lock:
            waiting = any(line.state in ("waiting", "reading") for line in self._lines.values())
            for name, line in self._lines.items():
                count = _counted(line.report) if line.report else ""
                seconds = f"{time.monotonic() - line.started:.0f} s" if line.state == "reading" else ""
                table.add_row(name, line.state, count, seconds, line.note)
        table.add_row("lineage_graph", "waiting" if waiting else "building", "", "", "")
        return table


def _counted(report: ExtractReport) -> str:
    rows = f", {report.rows:,} rows" if report.tables else ""
    return f"{report.succeeded:,} declared{rows}"


def _summary(report: SyncReport, told: Sequence[str]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    tables = any(outcome.report.tables for outcome in report.outcomes)
    kinds = ("resource", "declaration", "statement")
    columns = [*(f"{kind}s" for kind in kinds), *(["rows"] if tables else [])]
    for column in ("connection", "partition", "status", *columns, "seconds"):
        table.add_column(column, justify="right" if column in _NUMBERS else "left", no_wrap=True)
    for outcome in report.outcomes:
        counts = outcome.header.counts if outcome.header else {}
        numbers = [f"{counts.get(kind, 0):,}" for kind in kinds]
        numbers += [f"{outcome.report.rows:,}"] if tables else []
        color = _COLORS[outcome.status]
        status = f"[{color}]{outcome.status.lower()}[/{color}]"
        table.add_row(outcome.connection, outcome.partition, status, *numbers, f"{outcome.seconds:.1f}")
    console = rich_console()
    console.print(table)
    if report.made:
        _summary_of_datasets(report)
    for outcome in report.outcomes:
        for note in [note for note in _notes(outcome) if note not in told]:
            console.print(f"[{_COLORS[outcome.status]}]{outcome.connection}[/]: {escape(note)}")
    if report.error:
        err(f"lineage_graph: {report.error}")
    if report.graph:
        counts = report.graph.counts
        console.print(
            f"\ngraph of {report.graph.partition}: {counts.get('node', 0):,} resources, "
            f"{counts.get('edge', 0):,} edges, {counts.get('unresolved', 0):,} unresolved references"
        )
    out(f"run {report.run_id}; see it with `headwater runs` or `headwater ui`")


def _summary_of_datasets(report: SyncReport) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("dataset or sink", "partition", "status", "rows", "invalid", "seconds"):
        table.add_column(column, justify="right" if column in _NUMBERS else "left", no_wrap=True)
    for made in report.made:
        color = _COLORS[made.status]
        seconds = (made.ended_at - made.started_at).total_seconds()
        invalid = getattr(made, "invalid", None)
        table.add_row(
            made.name,
            made.partition,
            f"[{color}]{made.status.lower()}[/{color}]",
            f"{made.rows:,}",
            "" if invalid is None else f"{invalid:,}",
            f"{seconds:.1f}",
        )
    console = rich_console()
    out("")
    console.print(table)
    for made in report.made:
        for note in made_notes(made):
            console.print(f"[{_COLORS[made.status]}]{made.name}[/]: {escape(note)}")


def made_notes(made: DatasetOutcome | SinkOutcome) -> list[str]:
    """What is to be said of a dataset or a delivery beside its counts."""
    if made.error:
        return [made.error]
    notes = []
    if changes := getattr(made, "changes", ()):
        notes.append(f"its input's columns have changed: {'; '.join(changes)}")
    if faults := getattr(made, "faults", ()):
        first = faults[0]
        where = f"{first['pointer']}: " if first["pointer"] else ""
        notes.append(
            f"{getattr(made, 'invalid', 0):,} invalid, the first: {where}{first['message']} "
            f"(headwater quarantine show {made.dataset})"
        )
    return notes


_NUMBERS = frozenset({"resources", "declarations", "statements", "rows", "invalid", "seconds"})
_COLORS = {"SUCCESS": "green", "WARNING": "yellow", "FAILED": "red", "SKIPPED": "yellow"}


def _notes(outcome: Outcome) -> list[str]:
    if outcome.error:
        return [outcome.error]
    header, report = outcome.header, outcome.report
    notes = []
    if header and header.held_back:
        notes.append(f"held back: {header.held_back}; accept with --accept-drop {outcome.connection}")
    if report.failed:
        first = report.rejects[0]
        notes.append(f"{report.failed:,} refused, the first: {first.location}: {first.cause}")
    if report.warning_count:
        notes.append(f"{report.warning_count:,} warnings, the first: {report.warnings[0]}")
    return notes


def _as_json(report: SyncReport) -> dict[str, Any]:
    from pipelines.dataset_metadata import run_facts
    from pipelines.metadata import outcome_facts

    return {
        "run_id": report.run_id,
        "ok": report.ok,
        "error": report.error,
        "connections": [
            {"connection": o.connection, "partition": o.partition, **outcome_facts(o)}
            for o in report.outcomes
        ],
        "datasets": [{"name": m.name, "partition": m.partition, **run_facts(m)} for m in report.made],
        "graph": {"partition": report.graph.partition, **report.graph.counts} if report.graph else None,
    }
