"""Lineage written short, to compare: "out <- t.a t.b"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lineage.sql import analyze

Schemas = Mapping[str, Sequence[str]]


def columns(sql: str, dialect: str | None = None, schemas: Schemas | None = None) -> list[str]:
    """One line for each output that flows somewhere: `target.column <- upstream upstream`."""
    found = analyze(sql, dialect, schemas=schemas).to_dict()
    assert found["errors"] == []
    return [_line(entry) for entry in found["column_lineage"]]


def _line(entry: dict[str, Any]) -> str:
    down = ".".join(filter(None, (entry["downstream"]["table"], entry["downstream"]["column"])))
    ups = sorted(f"{up['table'] or '?'}.{up['column']}" for up in entry["upstreams"])
    return " ".join([down, "<-", *ups]) if ups else f"{down} <-"


def tables(sql: str, dialect: str | None = None) -> tuple[list[str], list[str]]:
    """What a text reads and what it writes."""
    found = analyze(sql, dialect).to_dict()
    assert found["errors"] == []
    return found["in_tables"], found["out_tables"]


def indirect(sql: str, dialect: str | None = None, schemas: Schemas | None = None) -> list[str]:
    """`clause: table.column`, with `-> output` where it concerns one output only; sorted."""
    found = analyze(sql, dialect, schemas=schemas).to_dict()
    assert found["errors"] == []
    lines = []
    for entry in found["indirect"]:
        output = entry["downstream"]["column"]
        lines.append(
            f"{entry['clause']}: {entry['table']}.{entry['column']}" + (f" -> {output}" if output else "")
        )
    return sorted(lines)
