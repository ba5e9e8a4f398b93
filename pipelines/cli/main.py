"""`headwater`: the group of all commands, and how errors leave it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import click

from connectors.errors import ConfigError, HeadwaterError
from pipelines.cli.console import err

# Command: module and a line of help, so that `--help` imports none of them.
COMMANDS = {
    "init": ("init", "Write a commented project that syncs at once."),
    "connectors": ("connectors", "What can be connected, and each one's configuration."),
    "check": ("check", "Validate the project, try each connection and sink."),
    "preview": ("preview", "Extract without storing: counts and samples."),
    "sync": ("sync", "Read connections, make datasets, deliver, build the graph."),
    "find": ("find", "Find resources by words."),
    "lineage": ("lineage", "Ask the graph: upstream, downstream, path, unresolved ..."),
    "sql": ("sql", "Lineage of SQL text; needs no project."),
    "runs": ("runs", "What ran, when, and how it ended."),
    "metrics": ("metrics", "What runs did with each dataset, by run or by day."),
    "quarantine": ("quarantine", "Records that datasets refused: show, replay, purge."),
    "state": ("state", "Where a connection's next run goes on; start over."),
    "forget": ("forget", "Delete a connection's history."),
    "serve": ("serve", "Serve the API: resources, lineage, metrics."),
    "token": ("token", "API tokens: create, list, revoke."),
    "overlay": ("overlay", "What the API created: list, export, delete."),
    "ui": ("ui", "Open Dagster's UI for this project."),
}


class Commands(click.Group):
    """Loads a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"pipelines.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--project", metavar="DIR", help="The folder with headwater.yaml.  [HEADWATER_PROJECT, else here]"
)
@click.version_option(package_name="headwater", prog_name="headwater")
@click.pass_context
def cli(ctx: click.Context, project: str | None) -> None:
    """Where does this come from, and what breaks if it changes?

    Start with `headwater init DIR`, then `headwater sync`.
    """
    ctx.obj = project


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command line and exits: 0 done, 1 something failed, 2 wrong use or configuration."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line; gives the exit code."""
    try:
        result: Any = cli.main(arguments, prog_name="headwater", standalone_mode=False)
    except click.exceptions.Abort:
        err("interrupted")
        return 1
    except click.ClickException as error:
        error.show()
        return 2
    except ConfigError as error:
        for fault in error.faults or (str(error),):
            err(fault)
        return 2
    except HeadwaterError as error:
        err(str(error))
        return 1
    except KeyboardInterrupt:
        err("interrupted")
        return 1
    except BrokenPipeError:
        sys.stderr.close()  # the reader has left; Python would complain at exit
        return 1
    except OSError as error:
        err(f"the answer could not be written: {error.strerror or error}")
        return 1
    return result if isinstance(result, int) else 0
