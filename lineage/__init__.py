"""The lineage library: SQL analysis, resolution, the store and the graph. Knows no Dagster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineage.graph.traverse import LineageGraph
    from lineage.store import open_store

__all__ = ["LineageGraph", "open_store"]


def __getattr__(name: str) -> Any:
    # Arrow, DuckDB and Delta load when the store or a graph is used, not when a name is imported from here.
    if name == "LineageGraph":
        from lineage.graph.traverse import LineageGraph

        return LineageGraph
    if name == "open_store":
        from lineage.store import open_store

        return open_store
    raise AttributeError(f"module 'lineage' has no attribute {name!r}")
