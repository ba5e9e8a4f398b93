"""What OpenLineage calls the resources of a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

from lineage.platforms import dataset_name

PRODUCER = f"pkg:generic/headwater@{version('headwater')}"  # a package URL: OpenLineage wants a URI
_TABLES = frozenset({"table", "view"})


class DatasetName(NamedTuple):
    """A dataset as others know it."""

    namespace: str
    name: str


def own_namespace(project: str, connection: str | None = None) -> str:
    """headwater's own namespace: of a project's jobs, or of what a connection has that has no place elsewhere."""
    return f"headwater://{project}/{connection}" if connection else f"headwater://{project}"


class Names:
    """The graph's nodes in OpenLineage's words: a dataset, or a field of one.

    A table of a connection whose namespace is known has its platform's canonical name. Whatever else there is (a
    chart, a table of an unknown place) is called by its key, in its connection's own namespace.
    """

    def __init__(
        self, resources: Sequence[Mapping[str, Any]], namespaces: Mapping[str, str], job_namespace: str
    ) -> None:
        self._resources = {one["id"]: one for one in resources}
        self._namespaces = namespaces
        self._job_namespace = job_namespace

    def dataset(self, node: str) -> DatasetName:
        """Of a node that is no column."""
        item = self._resources[node]
        namespace = self._namespaces.get(item["connection"])
        if namespace and item["title"] and item["entity_type"] in _TABLES:
            name = dataset_name(namespace, item["database"], item["schema"], item["title"])
            return DatasetName(namespace, name)
        return self.of_key(item["connection"], item["databuilder_id"])

    def of_key(self, connection: str, key: str) -> DatasetName:
        """What has no place that others know."""
        return DatasetName(f"{self._job_namespace}/{connection}", key)

    def place(self, node: str) -> tuple[str, str | None] | None:
        """The table (or chart) that a node belongs to, and, of a column, its path there; None where it is not in
        the graph.
        """
        path: list[str] = []
        seen: set[str] = set()
        while (item := self._resources.get(node)) and item["entity_type"] == "column" and node not in seen:
            seen.add(node)
            path.append(str(item["title"] or item["databuilder_id"]))
            node = str(item["parent_id"])
        if item is None or item["entity_type"] == "column":
            return None
        return node, ".".join(reversed(path)) or None
