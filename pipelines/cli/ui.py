"""`headwater ui`: Dagster's UI for the project."""

from __future__ import annotations

import os
import signal
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
    from pipelines.server.serving import listening

    listening(host, port).close()  # Dagster would say so late, and go on
    home = dagster_home(project)
    os.environ["HEADWATER_PROJECT"] = str(project.folder)
    err(f"records are in {home}")
    # What a script puts into the background ignores SIGINT, and Dagster does with SIGTERM what it does with SIGINT.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    arguments = ["-m", "dagster", "dev", "-m", "pipelines.definitions", "-h", host, "-p", str(port)]
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606
