"""Moments in addresses: a day, a day and a time, or how long ago."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Query

from pipelines import moments
from pipelines.server.problems import ApiProblem

_TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?"
# As `headwater runs --since` takes it: `2026-11-20`, `2026-11-20T15:00` (UTC where it does not say), `7d`, `12h`.
Moment = Annotated[
    str | None, Query(pattern=rf"^({moments.SPAN}|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ]{_TIME})?)$")
]


def moment_of(text: str | None) -> datetime | None:
    """A moment in UTC. Raises ApiProblem (422) for one that there is not, as 2026-02-30."""
    if text is None:
        return None
    try:
        return moments.moment_of(text, -1)
    except ValueError as error:
        raise ApiProblem(422, str(error)) from None
