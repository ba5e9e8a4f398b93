"""How commands speak: answers on standard output, everything else on standard error."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.project import Project


# What moves a terminal's cursor, changes its colours or turns text around: a catalogue's names may hold it.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text with control characters written out."""
    return _UNPRINTABLE.sub(lambda match: ascii(match.group())[1:-1], text)


def escape(text: str) -> str:
    """A text from outside, for a line that rich prints: neither markup nor control characters work in it."""
    from rich.markup import escape as escaped

    return escaped(printable(text))


def out(text: str = "") -> None:
    """A line of the answer."""
    click.echo(printable(text))


def out_rest(found: Sequence[object], shown: int) -> None:
    """Of a list that was shown in part: how much more there is."""
    if len(found) > shown:
        out(f"... and {len(found) - shown:,} more; see --json")


def err(text: str) -> None:
    """A line that is not part of the answer."""
    click.echo(printable(text), err=True)


def out_json(value: Any) -> None:
    """The answer for machines."""
    import orjson

    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str) + b"\n")
    sys.stdout.buffer.flush()


def rich_console(*, stderr: bool = False) -> Console:
    """A console that prints plain lines where there is no terminal."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, soft_wrap=True, width=None if stream.isatty() else 240)


def project_of(ctx: click.Context) -> Project:
    """The project that `--project`, HEADWATER_PROJECT or the current folder names. Raises ConfigError."""
    from pipelines.project import find_project, read_project

    return read_project(find_project(ctx.find_root().obj))


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _partition_key(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"\d{4}-\d{2}-\d{2}(-\d{2}:\d{2}([+-]\d{4})?)?", value):
        raise click.BadParameter(
            f"{value} is not a partition; write 2026-11-20, or 2026-11-20-15:00 of hourly ones"
        )
    return value


as_of_option = click.option(
    "--as-of",
    metavar="KEY",
    callback=_partition_key,
    help="In the newest graph at or before this partition.",
)
