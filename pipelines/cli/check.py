"""`headwater check`: is the project sound, and does each connection work?"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from pipelines.cli.console import escape, json_option, out_json, project_of, rich_console
from pipelines.connection_check import check_connection

if TYPE_CHECKING:
    from connectors.model import CheckResult
    from pipelines.project import Project


@click.command("check")
@click.argument("names", nargs=-1)
@json_option
@click.pass_context
def command(ctx: click.Context, names: Sequence[str], as_json: bool) -> int:
    """Validate headwater.yaml and try each connection and sink (or the connections NAMES), capability by capability."""
    project = project_of(ctx)
    _refuse_unknown_columns(project)
    for name in names:
        if name not in project.connections:
            raise click.UsageError(
                f"no connection is named {name}; there are {', '.join(project.connections)}"
            )
    chosen = list(dict.fromkeys(names)) or list(project.connections)
    log = logging.getLogger("headwater.check")
    results = {name: check_connection(project, name, log) for name in chosen}
    sinks = {} if names else {name: _check_sink(project, name) for name in project.model.sinks}
    ok = all(result.ok for found in (*results.values(), *sinks.values()) for result in found)
    if as_json:
        told = {
            kind: {name: [asdict(r) for r in found] for name, found in some.items()}
            for kind, some in (("connections", results), ("sinks", sinks))
        }
        out_json({"ok": ok, **told})
        return 0 if ok else 1

    console = rich_console()
    for name, found in (results | {f"sinks/{name}": found for name, found in sinks.items()}).items():
        console.print(f"[bold]{name}[/bold]")
        for result in found:
            mark = "[green]ok[/green]    " if result.ok else "[red]failed[/red]"
            hint = f" ({result.hint})" if result.hint else ""
            console.print(f"  {mark}  {escape(result.capability)}  {escape(result.message + hint)}")
    return 0 if ok else 1


def _refuse_unknown_columns(project: Project) -> None:
    if not project.datasets:
        return
    from lineage.store import open_store
    from pipelines.datasets.planning import refuse_unknown_columns

    refuse_unknown_columns(project, open_store(project.storage, project.storage_options))


def _check_sink(project: Project, name: str) -> list[CheckResult]:
    from connectors.errors import HeadwaterError
    from connectors.model import CheckResult
    from pipelines.extract import describe
    from pipelines.project.sink import resolve_sink

    try:
        resolved = resolve_sink(project, name)
    except HeadwaterError as error:
        return [CheckResult("configuration", False, error.message, error.hint)]
    found = [CheckResult("configuration", True)]
    redact = resolved.redact
    try:
        for result in resolved.sink.check():
            hint = result.hint and redact(result.hint)
            found.append(replace(result, message=redact(result.message), hint=hint))
    except Exception as error:  # noqa: BLE001 - whatever a sink raises is that sink's fault, shown as such
        found.append(CheckResult("check", False, redact(describe(error))))
    return found
