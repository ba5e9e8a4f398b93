"""Moments in addresses: a day, a day and a time, or how long ago."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from pipelines import moments

_TIME = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?"
_PATTERN = rf"^({moments.SPAN}|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([T ]{_TIME})?)$"

# As `headwater runs --since` takes it: `2026-11-20`, `2026-11-20T15:00` (UTC where it does not say), `7d`, `12h`.
Moment = Annotated[
    datetime,
    BeforeValidator(lambda text: moments.moment_of(text, -1)),
    WithJsonSchema({"type": "string", "pattern": _PATTERN}),
]
