"""The project's one partition definition, and the windows of its keys."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import dagster as dg

from connectors import Window
from connectors.errors import RunError
from pipelines.project.model import Partitions

TimePartitions = dg.DailyPartitionsDefinition | dg.HourlyPartitionsDefinition


def partitions_definition(model: Partitions) -> TimePartitions:
    """Days or hours from the project's start on, the one under way included."""
    start = model.start
    start = start.replace(tzinfo=ZoneInfo(model.timezone)) if start.tzinfo is None else start
    if model.every == "hour":
        return dg.HourlyPartitionsDefinition(start_date=start, timezone=model.timezone, end_offset=1)
    return dg.DailyPartitionsDefinition(start_date=start, timezone=model.timezone, end_offset=1)


def key_at(model: Partitions, moment: datetime) -> str:
    """The key of the partition that a moment (aware) lies in."""
    return str(partitions_definition(model).get_partition_key_for_timestamp(moment.timestamp()))


def window_of(parts: TimePartitions, key: str) -> Window:
    """The partition's interval. Raises RunError for a key that is not one of the project's form."""
    try:
        found = parts.time_window_for_partition_key(key)
    except (ValueError, dg.DagsterError) as error:
        raise RunError(
            f"{key} is not a partition of this project", hint=f"keys look like {parts.fmt}"
        ) from error
    return Window(key, found.start.astimezone(UTC), found.end.astimezone(UTC))


def keys_between(parts: TimePartitions, first: str, last: str) -> list[str]:
    """The keys from one to another, both included. Raises RunError when one of them is none."""
    keys = list(parts.get_partition_keys())
    for key in (first, last):
        if key not in keys:
            span = f"go from {keys[0]} to {keys[-1]}" if keys else "begin in the future"
            raise RunError(f"{key} is not a partition of this project", hint=f"they {span}")
    return keys[keys.index(first) : keys.index(last) + 1]
