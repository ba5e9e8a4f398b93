"""`headwater serve`: the HTTP API."""

from __future__ import annotations

import click

from pipelines.cli.console import err, project_of


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option(
    "--port", default=8090, show_default=True, type=click.IntRange(0, 65535), help="0: any free one."
)
@click.option("--insecure", is_flag=True, help="Let others read without a token.")
@click.pass_context
def command(ctx: click.Context, host: str, port: int, insecure: bool) -> int:
    """Serve the API for this project. Stop it with Ctrl-C.

    At 127.0.0.1 reading needs no token; at any other address every request does. Writing always does.
    """
    project = project_of(ctx)
    from pipelines.server.serving import serve

    serve(project, host, port, insecure=insecure, tell=lambda address: err(f"headwater serves {address}"))
    return 0
