"""`headwater token`: who may use the API."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from pipelines.cli.console import err, escape, json_option, out, out_json, project_of, rich_console
from pipelines.cli.moments import FUTURE


@click.group("token")
def command() -> None:
    """API tokens. The store keeps a hash of each: a token is shown once, when it is made."""


def _ahead(ctx: click.Context, parameter: click.Parameter, moment: datetime | None) -> datetime | None:
    if moment is not None and moment <= datetime.now(UTC):
        raise click.BadParameter(f"{moment:%Y-%m-%d %H:%M} UTC has passed already")
    return moment


@command.command("create")
@click.option(
    "--scope",
    type=click.Choice(["read", "write", "admin"]),
    required=True,
    help="What it allows; each includes those before it.",
)
@click.option(
    "--expires",
    "expires_at",
    metavar="D",
    type=FUTURE,
    callback=_ahead,
    help="A date (it ends as that day begins, UTC), or a span: 30d, 12h.  [never]",
)
@click.option("--name", default="", help="Whose it is or what it is for.")
@click.pass_context
def create(ctx: click.Context, scope: str, expires_at: datetime | None, name: str) -> int:
    """Make a token and print it, alone, on standard output."""
    from pipelines.project.overlay import objects_of
    from pipelines.server.tokens import SCOPES, Tokens

    chosen = next(one for one in SCOPES if one == scope)
    secret, token = Tokens(objects_of(project_of(ctx))).issue(chosen, expires_at=expires_at, name=name)
    out(secret)
    until = f"until {token.expires_at}" if token.expires_at else "until it is revoked"
    err(f"token {token.id}, scope {scope}, good {until}; it is not shown again")
    return 0


@command.command("list")
@json_option
@click.pass_context
def list_tokens(ctx: click.Context, as_json: bool) -> int:
    """Show the tokens that there are, not what they are."""
    from pipelines.project.overlay import objects_of
    from pipelines.server.tokens import Tokens

    tokens = [token.to_dict() for token in Tokens(objects_of(project_of(ctx))).list()]
    if as_json:
        out_json(tokens)
        return 0
    if not tokens:
        out("there are no tokens; make one with `headwater token create --scope read`")
        return 0
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("id", "name", "scope", "created", "expires"):
        table.add_column(column, no_wrap=True)
    for token in tokens:
        expires = (token["expires_at"] or "never") + (" (expired)" if token["expired"] else "")
        table.add_row(token["id"], escape(token["name"]), token["scope"], token["created_at"], expires)
    rich_console().print(table)
    return 0


@command.command("revoke")
@click.argument("token_id", metavar="ID")
@click.pass_context
def revoke(ctx: click.Context, token_id: str) -> int:
    """Make a token worthless; a running server knows within two seconds."""
    from pipelines.project.overlay import objects_of
    from pipelines.server.tokens import Tokens

    Tokens(objects_of(project_of(ctx))).revoke(token_id)
    out(f"token {token_id} is revoked")
    return 0
