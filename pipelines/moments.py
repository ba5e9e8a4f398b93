"""Moments as people write them: a day, a day and a time, or how far from now."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
SPAN = r"[0-9]{1,6}[mhdw]"


def moment_of(text: str, direction: int) -> datetime:
    """`2026-11-20`, `2026-11-20T15:00` (UTC where it does not say), or so far from now: `7d`, `12h`, `30m`, `2w`, into
    the past (direction -1) or the future (1). Raises ValueError for what is none.
    """
    try:
        if re.fullmatch(SPAN, text):
            away = timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
            return datetime.now(UTC) + direction * away
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text} is no moment; write 2026-11-20, 2026-11-20T15:00 (UTC), or 7d, 12h, 30m"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
