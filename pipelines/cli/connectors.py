"""`headwater connectors`: what can be connected."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.console import escape, json_option, out, out_json, rich_console


class Connectors(click.Group):
    """`new`; any other word is a connector's name, or a script's path, whose fields are shown."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["new"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name == "new":
            from pipelines.cli.new_connector import command

            return command
        return _fields_of(cmd_name)


@click.group(
    "connectors", cls=Connectors, invoke_without_command=True, subcommand_metavar="[NAME | new NAME]"
)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int:
    """What can be connected; with NAME (or the path of a script) its configuration fields.

    `headwater connectors new NAME` begins a connector of your own.
    """
    return 0 if ctx.invoked_subcommand else _show(None, as_json)


def _fields_of(name: str) -> click.Command:
    @click.command(name, help=f"The configuration fields of {name}.")
    @json_option
    @click.pass_context
    def show(ctx: click.Context, as_json: bool) -> int:
        return _show(name, as_json or bool(ctx.parent and ctx.parent.params.get("as_json")))

    return show


def _show(name: str | None, as_json: bool) -> int:
    from connectors.config.form import form_fields
    from connectors.registry import connector_names, load_connector

    names = [name] if name else connector_names()
    found = {one: load_connector(one, Path.cwd()) for one in names}
    if as_json:
        out_json(
            [
                {
                    "name": one,
                    "description": _first_line(cls.__doc__),
                    "windowed": cls.windowed,
                    "schema": cls.Config.model_json_schema(),
                }
                for one, cls in found.items()
            ]
        )
        return 0
    from rich.table import Table

    console = rich_console()
    if name is None:
        table = Table(box=None, pad_edge=False, show_header=False)
        for one, cls in found.items():
            table.add_row(one, escape(_first_line(cls.__doc__)))
        console.print(table)
        out(
            "\nheadwater connectors NAME shows a connector's fields; a Secoda integration is connected by its path"
        )
        return 0
    console.print(escape(_first_line(found[name].__doc__)) + "\n")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("field", "type", "default", "help"):
        table.add_column(column)
    for field in form_fields(found[name].Config):
        default = "required" if field.required else "" if field.default is None else str(field.default)
        table.add_row(field.name, field.type, escape(default), escape(field.help or ""))
    console.print(table)
    return 0


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]
