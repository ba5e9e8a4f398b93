"""The graph: built from snapshots, and asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineage.graph.build import build_graph
    from lineage.graph.inputs import ConnectionSpec
    from lineage.graph.traverse import LineageGraph, Neighbourhood

_HOMES = {
    "ConnectionSpec": "inputs",
    "LineageGraph": "traverse",
    "Neighbourhood": "traverse",
    "build_graph": "build",
}

__all__ = ["ConnectionSpec", "LineageGraph", "Neighbourhood", "build_graph"]


def __getattr__(name: str) -> Any:
    # Building loads the SQL engine; asking a graph does not need it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
