"""Answers of the graph as lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipelines.cli.console import escape

if TYPE_CHECKING:
    from rich.tree import Tree

    from lineage.graph.questions import Neighbourhood

MAX_LINES = 500  # of a tree; a wider one is cut, and says so
_MOST_VIA = 3


def reach_tree(found: Neighbourhood) -> Tree:
    """A tree from the start outwards; what was shown already is not opened again."""
    from rich.tree import Tree

    near, far = ("to", "from") if found.direction == "upstream" else ("from", "to")
    around: dict[str, list[dict[str, Any]]] = {}
    for edge in found.edges:
        around.setdefault(edge[near], []).append(edge)
    inside: dict[str, list[str]] = {}
    for node, passed_from in found.passed.items():
        if node in around:
            inside.setdefault(passed_from, []).append(node)
    tree = Tree(f"[bold]{escape(found.start)}[/bold]")
    lines, seen = 0, {found.start}
    todo = [(tree, found.start)]
    while todo:
        branch, node = todo.pop(0)
        for other in inside.get(node, []):
            todo.append((branch.add(escape(_short(other, node))), other))
            seen.add(other)
        for edge in around.get(node, []):
            other = edge[far]
            if lines == MAX_LINES:
                branch.add(
                    f"[yellow]... {len(found.distances)} resources in all; see --depth or --json[/yellow]"
                )
                return tree
            lines += 1
            shown = "  [dim](shown elsewhere)[/dim]" if other in seen and other in around else ""
            leaf = branch.add(escape(other) + edge_note(edge) + shown)
            if other not in seen:
                seen.add(other)
                todo.append((leaf, other))
    return tree


def _short(column: str, table: str) -> str:
    """A column below its table's line: its own part of the id."""
    return column.removeprefix(table) if column.startswith(table + ".") else column


def edge_note(edge: Mapping[str, Any]) -> str:
    """What there is to say of an edge, at any level, behind its end."""
    if "provenance" not in edge:
        counts = [f"{edge[kind]:,} {kind}" for kind in ("direct", "indirect") if edge[kind]]
        return f"  [dim]{', '.join(counts)}[/dim]"
    clauses = ", ".join(clause.replace("_", " ") for clause in edge["clauses"])
    kind = f"only in {clauses}" if edge["kind"] == "indirect" and clauses else clauses
    expression = " ".join((edge["expression"] or "").split())
    via = edge.get("via", ())
    more = f" and {len(via) - _MOST_VIA:,} more" if len(via) > _MOST_VIA else ""
    past = f"via {', '.join(via[:_MOST_VIA])}{more}" if via else ""
    notes = [note for note in (expression, kind, past) if note]
    return f"  [dim]{escape(' · '.join(notes))}[/dim]" if notes else ""
