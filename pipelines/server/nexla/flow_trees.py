"""Flows as Nexla has them: a tree from a source by way of data sets to destinations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pipelines.server.nexla.estate import SETS, SINKS, SOURCES, DataSet, Estate
from pipelines.surrogates import surrogate_id

Json = dict[str, Any]


def flow_id(connection: str) -> int:
    """The id of a connection's flow: that of its tree's root."""
    return _node_id(connection, connection)


def flow_tree(estate: Estate, connection: str, status: str) -> Json:
    """The tree of a connection. A data set with several parents stands below the first."""
    origin = flow_id(connection)

    def node(
        key: str, parent: int | None, name: str, children: Callable[[int], list[Json]], **which: int
    ) -> Json:
        number = _node_id(connection, key)
        return {
            "id": number,
            "origin_node_id": origin,
            "parent_node_id": parent,
            "data_source_id": which.get(SOURCES),
            "data_set_id": which.get(SETS),
            "data_sink_id": which.get(SINKS),
            "status": status,
            "project_id": None,
            "flow_type": "batch",
            "ingestion_mode": "POLL",
            "name": name,
            "description": None,
            "children": children(number),
        }

    def of_set(one: DataSet, parent: int) -> Json:
        def below(number: int) -> list[Json]:
            made = [of_set(child, number) for child in estate.children(one.key)]
            sinks = (estate.sink_by_key[key] for key in one.sinks)
            given = [node(f"sinks/{s.key}", number, s.key, lambda _: [], **{SINKS: s.id}) for s in sinks]
            return made + given

        return node(one.key, parent, one.name, below, **{SETS: one.id})

    def of_source(number: int) -> list[Json]:
        return [of_set(one, number) for one in estate.detected_by(connection)]

    return node(connection, None, connection, of_source, **{SOURCES: surrogate_id("connection", connection)})


def resources_of(tree: Json) -> dict[str, set[int]]:
    """The ids of what is in a tree, by kind."""
    nodes = list(_nodes(tree))
    fields = {SOURCES: "data_source_id", SETS: "data_set_id", SINKS: "data_sink_id"}
    return {kind: {one[field] for one in nodes if one[field]} for kind, field in fields.items()}


def _nodes(tree: Json) -> Iterator[Json]:
    yield tree
    for child in tree["children"]:
        yield from _nodes(child)


def _node_id(connection: str, key: str) -> int:
    return surrogate_id("node", f"{connection}|{key}")
