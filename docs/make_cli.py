"""Writes docs/cli.md from the help of the commands: `python docs/make_cli.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from pipelines.cli.main import cli

PAGE = Path(__file__).with_name("cli.md")
WIDTH = 96
HEAD = """\
# Commands

Written from the commands' own help by `python docs/make_cli.py`; a test compares the two.

`headwater [--project DIR] COMMAND`. The project is the folder that `--project` names, else the variable
HEADWATER_PROJECT, else the current folder. `headwater sql`, `headwater connectors` and `headwater init` need none.

| exit code | means |
|---|---|
| 0 | done |
| 1 | something failed: a connection, an SQL statement, a question that has no answer |
| 2 | wrong use or a wrong headwater.yaml; each fault is a line `file:line: what, and what to do` |

Answers go to standard output, everything else to standard error. Where a command wants an ID, a unique ending of
one will do: `orders` for `warehouse/shop.sales.orders`.
"""


def cli_page() -> str:
    """The page as it should be."""
    return "\n".join([HEAD, *_sections(cli, "headwater", None)])


def _sections(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    sizes = {"terminal_width": WIDTH, "max_content_width": WIDTH}
    context = click.Context(command, parent=parent, info_name=name, **sizes, **command.context_settings)
    yield f"## {context.command_path}\n"
    yield f"```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            if found := command.get_command(context, inner):
                yield from _sections(found, inner, context)


if __name__ == "__main__":
    PAGE.write_text(cli_page(), encoding="utf-8")
