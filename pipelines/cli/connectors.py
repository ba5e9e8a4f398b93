"""`headwater connectors`: what can be connected."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.console import escape, json_option, out, out_json, rich_console


@click.command("connectors")
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> int:
    """What can be connected; with NAME (or the path of a script) its configuration fields."""
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
