"""Samples as they may be recorded in Dagster's event log."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from pipelines.flows import datasets_of
from pipelines.masking import MASKED, hiding, masked
from pipelines.project import Project, usable_class
from pipelines.stored_sql import text_to_store

_LONGEST = 2_000  # characters of a text


def masked_samples(project: Project, name: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """What `Samples.told` gave, with values masked that are personal, or secret by their column's name; SQL as the
    connection stores it; long texts cut.
    """
    model, cls = project.connection(name), usable_class(project, name)
    read_by = datasets_of(project, [name])
    personal = {one for made in read_by for one in project.datasets[made].model.personal}
    is_hidden = hiding(personal)
    dialect = model.defaults.dialect or cls.dialect
    samples = _sql_as_stored(told["samples"], text_to_store(model.store_sql or cls.store_sql), dialect)
    for row in samples.get("refused", ()):
        # The key and the cause hold values of the row.
        row.update({part: MASKED for part in ("key", "cause") if personal or is_hidden(row["column"])})
    tables = {
        table: {**one, "sample": [masked(row, is_hidden) for row in one["sample"]]}
        for table, one in told["tables"].items()
    }
    recorded: dict[str, Any] = _short({**told, "samples": samples, "tables": tables})
    return recorded


def _sql_as_stored(value: Any, stored: Callable[[str, str | None], str | None], dialect: str | None) -> Any:
    if isinstance(value, Mapping):
        found = {key: _sql_as_stored(one, stored, dialect) for key, one in value.items()}
        if isinstance(sql := found.get("sql"), str):
            found["sql"] = stored(sql, found.get("dialect") or dialect) or MASKED
        return found
    return [_sql_as_stored(one, stored, dialect) for one in value] if isinstance(value, list) else value


def _short(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _short(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_short(one) for one in value]
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
