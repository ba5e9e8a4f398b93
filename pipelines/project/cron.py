"""Whether a schedule's cron expression is one."""

from __future__ import annotations

import re

_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_PART = re.compile(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?")


def is_cron(text: str) -> bool:
    """Whether Dagster takes it for one."""
    if _is_plain(text):
        return True
    # Dagster knows, and takes a second to be imported.
    from dagster._utils.schedules import is_valid_cron_string

    return bool(is_valid_cron_string(text))


def _is_plain(text: str) -> bool:
    """Whether it is five fields of numbers, ranges and steps, within bounds."""
    fields = text.split(" ")
    return len(fields) == len(_RANGES) and all(map(_fits, fields, _RANGES))


def _fits(field: str, bounds: tuple[int, int]) -> bool:
    least, most = bounds
    for part in field.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            return False
        first, last, step = (None if one is None else int(one) for one in match.groups())
        if step is not None and (not 1 <= step <= most or (first is not None and last is None)):
            return False
        if first is not None and not least <= first <= (last if last is not None else first) <= most:
            return False
    return True
