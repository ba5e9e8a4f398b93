"""The lineage library: SQL analysis, resolution, the store and the graph. Knows no Dagster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineage.graph.diff import diff
    from lineage.graph.traverse import LineageGraph
    from lineage.store import open_store

__all__ = ["LineageGraph", "diff", "open_store"]

_HOMES = {"LineageGraph": "graph.traverse", "diff": "graph.diff", "open_store": "store"}


def __getattr__(name: str) -> Any:
    # Arrow, DuckDB and Delta load when the store or a graph is used, not when a name is imported from here.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"lineage.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'lineage' has no attribute {name!r}")
