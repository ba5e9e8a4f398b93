"""Options that name a moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from pipelines.moments import moment_of


class Moment(click.ParamType[datetime]):
    """As `pipelines.moments` reads it, into the past (direction -1) or the future (1)."""

    name = "moment"

    def __init__(self, direction: int) -> None:
        self._direction = direction

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return moment_of(str(value).strip(), self._direction)
        except ValueError as error:
            self.fail(str(error), param, ctx)


PAST, FUTURE = Moment(-1), Moment(1)


since_option = click.option(
    "--since",
    metavar="D",
    type=PAST,
    help="Only runs created since then, such as 2026-11-20, 7d, 12h (UTC).",
)
