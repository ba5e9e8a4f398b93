"""`headwater ui`: Dagster's UI for the project."""

from __future__ import annotations

import os
import sys

import click

from pipelines.cli.console import err, project_of


@click.command("ui")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535))
@click.pass_context
def command(ctx: click.Context, host: str, port: int) -> None:
    """Run `dagster dev` for this project: asset graph, runs, schedules, sensors. Stop it with Ctrl-C."""
    project = project_of(ctx)
    from pipelines.home import dagster_home

    home = dagster_home(project)
    os.environ["HEADWATER_PROJECT"] = str(project.folder)
    err(f"records are in {home}")
    arguments = ["-m", "dagster", "dev", "-m", "pipelines.definitions", "-h", host, "-p", str(port)]
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606
