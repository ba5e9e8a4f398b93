"""Edges as CSV: one line each, for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

COLUMNS = ("from", "to", "level", "kind", "clauses", "expression", "origins", "connections", "matched_by")


def edges_csv(edges: Iterable[Mapping[str, Any]]) -> str:
    """Lines end with LF; several values of a cell are joined by blanks.

    A cell that a spreadsheet would run as a formula is preceded by an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for edge in edges:
        reasons = edge["provenance"]
        row = [
            edge["from"],
            edge["to"],
            edge["level"],
            edge["kind"],
            " ".join(edge["clauses"]),
            edge["expression"],
        ]
        row += [
            _distinct(reasons, "origin"),
            _distinct(reasons, "connection"),
            _distinct(reasons, "matched_by"),
        ]
        writer.writerow([_harmless(cell) for cell in row])
    return text.getvalue()


def _distinct(reasons: Iterable[Mapping[str, Any]], name: str) -> str:
    return " ".join(sorted({str(one[name]) for one in reasons}))


def _harmless(cell: str | None) -> str:
    text = cell or ""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
