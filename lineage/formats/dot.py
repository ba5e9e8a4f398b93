"""Graphs in the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def digraph(resources: Iterable[Mapping[str, Any]], edges: Iterable[Mapping[str, Any]]) -> str:
    """Resources as boxes, edges as arrows, indirect ones dashed; column edges between columns' own boxes."""
    items = list(resources)
    known = {item["id"] for item in items}
    lines = ["digraph lineage {", "  rankdir=LR;", "  node [shape=box];"]
    for item in items:
        label = str(item.get("title") or item["databuilder_id"])
        lines.append(f"  {_text(item['id'])} [label={_text(label)}];")
    for edge in edges:
        if edge["from"] in known and edge["to"] in known:
            style = " [style=dashed]" if edge["kind"] == "indirect" else ""
            lines.append(f"  {_text(edge['from'])} -> {_text(edge['to'])}{style};")
    return "\n".join([*lines, "}"])


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
