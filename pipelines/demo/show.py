"""What `make demo` prints after the sync.

Where a dashboard's numbers come from, what did not resolve, and what to type next.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from lineage import LineageGraph

DASHBOARD = "bi/dashboard.revenue"
WIDTH = 100
_INDENT = 4  # columns that each level of a tree takes


def show(graph: LineageGraph, project: Path, console: Console | None = None) -> None:
    """Prints all of it. `project` is the folder that was synced."""
    console = console or Console(width=WIDTH, highlight=False)
    console.print("\n[bold]Where a dashboard's numbers come from, column by column[/bold]")
    console.print(PathTree(graph, DASHBOARD).tree)
    entries = graph.unresolved()
    console.print(f"\n[bold]References that did not resolve: {len(entries)}, all put there on purpose[/bold]")
    console.print(unresolved_table(entries))
    console.print("\n[bold]What to type next[/bold]")
    for command, meaning in next_commands(project):
        console.print(f"  {escape(command)}", soft_wrap=True)
        console.print(f"      [dim]{meaning}[/dim]")


class PathTree:
    """All that flows into a resource, as a tree. What only filters, groups or joins is left out.

    A column's only source stands behind it, after an arrow, where the edge has no expression; one that stood
    above is not opened again.
    """

    def __init__(self, graph: LineageGraph, identifier: str) -> None:
        found = graph.upstream(identifier, columns=True)
        self._resources = {resource["id"]: resource for resource in graph.resources()}
        self._into: dict[str, list[dict[str, Any]]] = {}
        for edge in found.edges:
            if edge["kind"] == "direct":
                self._into.setdefault(edge["to"], []).append(edge)
        self._columns: dict[str, list[str]] = {}
        for column, table in found.passed.items():
            self._columns.setdefault(table, []).append(column)
        self._opened: set[str] = set()
        self.tree = Tree("", hide_root=True, guide_style="dim")
        self._add(self.tree, found.start, 0)

    def _add(self, branch: Tree, node: str, depth: int) -> None:
        line, last = self._line(node, WIDTH - _INDENT * depth)
        leaf = branch.add(line)
        if last in self._opened:
            return
        self._opened.add(last)
        for upstream in (*self._columns.get(last, []), *(edge["from"] for edge in self._into.get(last, []))):
            self._add(leaf, upstream, depth + 1)

    def _line(self, node: str, width: int) -> tuple[Text, str]:
        """A node's line, as long as copies fit on it; with the node it ends on."""
        line = self._label(node)
        while copied := self._copied(node):
            longer = line + Text(" ← ", "dim") + self._name(copied)
            if len(longer) > width:
                break
            line, node = longer, copied
        if node in self._opened and self._into.get(node):
            note = " (above)"
        elif expression := self._expression(node):
            note = f" = {expression}"
        else:
            note = ""
        line.append(note, "dim")
        line.truncate(width, overflow="ellipsis")
        return line, node

    def _copied(self, node: str) -> str | None:
        """The one column that this column is taken from, without an expression."""
        edges = self._into.get(node, [])
        copy = len(edges) == 1 and edges[0]["level"] == "column" and not edges[0]["expression"]
        is_column = self._resources[node]["entity_type"] == "column"
        return str(edges[0]["from"]) if copy and is_column and node not in self._opened else None

    def _expression(self, node: str) -> str:
        """What a column is made of, in one line."""
        found = [edge["expression"] for edge in self._into.get(node, []) if edge["expression"]]
        return " ".join(found[0].split()) if found else ""

    def _label(self, node: str) -> Text:
        resource = self._resources[node]
        if resource["entity_type"] not in ("table", "column"):
            return Text(f"{resource['entity_type']} ", "dim") + Text(str(resource["title"]), "bold")
        return Text(f"{self._kind(resource)} ", "dim") + self._name(node)

    def _kind(self, resource: dict[str, Any]) -> str:
        """What kind of table it is, or is a column of."""
        if resource["connection"] == "app":
            return "application"
        is_column = resource["entity_type"] == "column"
        table = self._resources[resource["parent_id"]] if is_column else resource
        kind = str(table.get("native_type") or "table")
        modelled = any(alias.startswith("dbt/model.") for alias in table["aliases"])
        return f"dbt {kind}" if modelled else kind

    def _name(self, node: str) -> Text:
        """A unique ending of the id, which any command takes."""
        _, _, key = node.partition("/")
        connection = self._resources[node]["connection"]
        name = key.removeprefix("shop.") if connection == "warehouse" else key
        return Text(name, "green" if connection == "app" else "")


def unresolved_table(entries: list[dict[str, Any]]) -> Table:
    """One row for each reference that did not resolve."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("reason", "for", "what, and what it may have meant"):
        table.add_column(name, overflow="fold", no_wrap=name == "reason")
    for entry in sorted(entries, key=lambda entry: str(entry["reason"])):
        meant = f"\n[dim]{escape(', '.join(entry['candidates']))}[/dim]" if entry["candidates"] else ""
        table.add_row(entry["reason"], escape(str(entry["counterpart"])), escape(entry["message"]) + meant)
    return table


def next_commands(project: Path) -> Iterator[tuple[str, str]]:
    """Commands that work where the reader stands, each with what it does."""
    headwater = _headwater(project)
    yield f"{headwater} ui", "Dagster's page: the assets, their runs, the schedules"
    yield f"{headwater} lineage upstream dashboard.stores --columns", "the same of another dashboard"
    yield (
        f"{headwater} lineage downstream app.main.order_items.discount_cents",
        "what breaks if the application changes this column",
    )
    yield (
        f"{headwater} lineage explain marts.fct_sales reporting.sales_by_month",
        "why an edge is there: the statement or declaration",
    )
    yield (
        f"{headwater} quarantine show web_sales",
        "the sales that break a rule, kept out of the dataset and its sink",
    )
    yield f"{headwater} runs", "what ran, when, and how it ended"
    yield f"{headwater} metrics", "how many records each dataset was given, and how many it refused"
    yield f"{headwater} serve", "the same answers over HTTP, for programs"
    yield f"{headwater} lineage unresolved", "what did not resolve, with all candidates"
    yield f"{headwater} find revenue", "resources by words"


def _headwater(project: Path) -> str:
    """The command as it must be typed here."""
    installed = Path(sys.executable).with_name("headwater")
    found = shutil.which("headwater")
    on_path = found is not None and Path(found).resolve() == installed.resolve()
    command = "headwater" if on_path or not installed.exists() else _typed(installed)
    return command if project.resolve() == Path.cwd() else f"{command} --project {_typed(project)}"


def _typed(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
