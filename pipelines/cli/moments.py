"""Options that name a moment: a day, a day and a time, or how long ago."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Moment(click.ParamType[datetime]):
    """`2026-11-20`, `2026-11-20T15:00` (UTC), or so far from now: `7d`, `12h`, `30m`, `2w`."""

    name = "moment"

    def __init__(self, direction: int) -> None:
        self._direction = direction

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        try:
            if match := re.fullmatch(r"(\d{1,6})([mhdw])", text):
                away = timedelta(**{_UNITS[match[2]]: int(match[1])})
                return datetime.now(UTC) + self._direction * away
            found = datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            self.fail(
                f"{value} is no moment; write 2026-11-20, 2026-11-20T15:00 (UTC), or 7d, 12h, 30m", param, ctx
            )
        return found if found.tzinfo else found.replace(tzinfo=UTC)


PAST, FUTURE = Moment(-1), Moment(1)


def since_option(what: str) -> Callable[[Any], Any]:
    """`--since D`."""
    return click.option("--since", metavar="D", type=PAST, help=f"{what} Such as 2026-11-20, 7d, 12h (UTC).")
