"""Edges as short text, so that a test's expectation can be read."""

from __future__ import annotations

from lineage import LineageGraph

_PREFIXES = ("wh/wh.main.", "datasets/")


def flows(graph: LineageGraph, dataset: str, origin: str = "transform") -> set[str]:
    """All edges into a dataset and its columns: `orders.amount -> x: direct = (amount * 2)`.

    A clause follows the kind: `direct window`. `orders -> *: direct` is the dataset's own, `orders.id -> *: indirect
    where` leads from a column into which records there are. What an edge of a column must be besides, is asserted.
    """
    found = set()
    target = f"datasets/{dataset}"
    for edge in graph.edges():
        if edge["to"] != target and not edge["to"].startswith(f"{target}."):
            continue
        assert {(one["origin"], one["connection"]) for one in edge["provenance"]} == {(origin, "datasets")}
        assert {one["matched_by"] for one in edge["provenance"]} == {"id"}
        start = _short(edge["from"])
        from_table = edge["kind"] == "direct" and edge["to"] == target
        assert edge["level"] == ("resource" if from_table else "column")
        end = "*" if edge["to"] == target else edge["to"].removeprefix(f"{target}.")
        text = " ".join([f"{start} -> {end}: {edge['kind']}", *edge["clauses"]])
        found.add(text + (f" = {edge['expression']}" if edge["expression"] is not None else ""))
    return found


def same(start: str, *columns: str) -> set[str]:
    """The edges of columns that are passed on as they are: no expression is told."""
    return {f"{start}.{name} -> {name}: direct" for name in columns}


def _short(text: str) -> str:
    for prefix in _PREFIXES:
        text = text.removeprefix(prefix)
    return text
