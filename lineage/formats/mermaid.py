"""Graphs as Mermaid flowcharts, which GitHub and many editors draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def flowchart(resources: Iterable[Mapping[str, Any]], edges: Iterable[Mapping[str, Any]]) -> str:
    """Resources as boxes, a box around each table's columns, edges as arrows, indirect ones dotted."""
    items = list(resources)
    number = {item["id"]: f"n{at}" for at, item in enumerate(items)}
    inside: dict[str | None, list[Mapping[str, Any]]] = {}
    for item in items:
        parent = (
            item["parent_id"] if item["entity_type"] == "column" and item["parent_id"] in number else None
        )
        inside.setdefault(parent, []).append(item)
    lines = ["flowchart LR"]
    for item in inside.get(None, []):
        name, label = number[item["id"]], _label(item)
        if columns := inside.get(item["id"]):
            lines.append(f'  subgraph {name}["{label}"]')
            lines += [f'    {number[c["id"]]}["{_label(c)}"]' for c in columns]
            lines.append("  end")
        else:
            lines.append(f'  {name}["{label}"]')
    for edge in edges:
        if edge["from"] in number and edge["to"] in number:
            arrow = "-.->" if edge["kind"] == "indirect" else "-->"
            lines.append(f"  {number[edge['from']]} {arrow} {number[edge['to']]}")
    return "\n".join(lines)


def _label(item: Mapping[str, Any]) -> str:
    text = str(item.get("title") or item["databuilder_id"])
    return text.replace('"', "#quot;").replace("\n", " ")
