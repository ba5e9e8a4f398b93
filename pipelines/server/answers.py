"""The API's answers as types, for its OpenAPI document and for its client. Nothing is checked against them at run time.

They are those of `headwater lineage export` and its siblings (CONTRACT.md, section 2). More fields may stand in them.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict


class Provenance(TypedDict):
    """One reason why an edge exists."""

    origin: str
    connection: str
    partition: str
    run_id: str
    declaration: str | None
    sql: str | None
    location: str | None
    matched_by: str | None


class Resource(TypedDict):
    """A resource with every set field."""

    id: str
    aliases: list[str]
    connection: str
    entity_type: str
    databuilder_id: str
    parent_id: str | None
    title: str | None
    database: str | None
    schema: str | None
    inferred: bool
    description: NotRequired[str | None]
    definition: NotRequired[str | None]
    native_type: NotRequired[str | None]
    owners: NotRequired[list[str] | None]
    tags: NotRequired[list[str]]
    type: NotRequired[str | None]
    sort_order: NotRequired[int | None]
    is_pk: NotRequired[bool | None]
    properties: NotRequired[dict[str, str]]
    facets: NotRequired[dict[str, Any]]


class ReachedResource(Resource):
    """A resource, and how many hops away it is."""

    distance: int


# `from` is a word of Python's own: what has such a key is written in the other form.
Edge = TypedDict(
    "Edge",
    {
        "from": str,
        "to": str,
        "level": NotRequired[str],
        "kind": str,
        "clauses": NotRequired[list[str]],
        "expression": NotRequired[str | None],
        "provenance": NotRequired[list[Provenance]],
        "via": NotRequired[list[str]],
        "direct": NotRequired[int],
        "indirect": NotRequired[int],
    },
)


class Unresolved(TypedDict):
    """A reference that is not an edge, and why."""

    reference: dict[str, Any]
    sql: str | None
    side: str
    counterpart: str | None
    reason: str
    candidates: list[str]
    guessed: bool
    message: str
    declaration: str | None
    connection: str | None
    partition: str | None


class LevelNode(TypedDict):
    """A node at another level, and how many resources of each kind it stands for."""

    id: str
    connection: str
    entity_type: str
    title: str
    counts: dict[str, int]
    distance: NotRequired[int]


class ResourcePage(TypedDict):
    """Some of a list of resources; `next_cursor` gives the next ones."""

    items: list[Resource]
    next_cursor: str | None


class UnresolvedPage(TypedDict):
    """Some of the unresolved references."""

    items: list[Unresolved]
    next_cursor: str | None


class Reached(TypedDict):
    """What lies upstream or downstream; `nodes` in place of `resources` where a `level` above them was asked for."""

    id: str
    direction: Literal["upstream", "downstream"]
    as_of: str
    level: NotRequired[str]
    resources: NotRequired[list[ReachedResource]]
    nodes: NotRequired[list[LevelNode]]
    edges: list[Edge]


Way = TypedDict("Way", {"from": str, "to": str, "as_of": str, "edges": list[Edge]})
Explanation = TypedDict("Explanation", {"from": str, "to": str, "as_of": str, "edges": list[Edge]})


class Impact(TypedDict):
    """What a change reaches; those without an owner are counted under the empty name."""

    as_of: str
    changed: list[str]
    affected: list[ReachedResource]
    by_type: dict[str, int]
    by_owner: dict[str, int]


class Side(TypedDict):
    """One of the graphs that are compared."""

    as_of: str
    partitions: dict[str, list[str]]


class ChangedResources(TypedDict):
    """A changed one is told as it is after, with what differs as it was under `before`."""

    added: list[Resource]
    removed: list[Resource]
    changed: list[dict[str, Any]]


class ChangedEdges(TypedDict):
    """As `ChangedResources`."""

    added: list[Edge]
    removed: list[Edge]
    changed: list[dict[str, Any]]


class ChangedUnresolved(TypedDict):
    """Unresolved references that came and went."""

    added: list[Unresolved]
    removed: list[Unresolved]


class Broken(TypedDict):
    """A resource that has lost a source."""

    id: str
    entity_type: str
    title: str | None
    owners: list[str]
    lost: list[str]
    messages: list[str]
    downstream: list[dict[str, Any]]


class Difference(TypedDict):
    """What differs between two graphs, and what that breaks."""

    before: Side
    after: Side
    resources: ChangedResources
    edges: ChangedEdges
    unresolved: ChangedUnresolved
    broken: list[Broken]


class Graph(TypedDict):
    """A graph, whole or in part."""

    as_of: str
    partitions: dict[str, list[str]]
    resources: list[Resource]
    edges: list[Edge]
    unresolved: list[Unresolved]


class Connection(TypedDict):
    """A configured connector; its configuration and credentials are not told. `partitions` are those that it takes
    part with in the newest graph, `run_id` is the run that gave the last of them.
    """

    name: str
    connector: str
    instance: str
    schedule: str | None
    last_partition: str | None
    run_id: str | None
    resources: int
    unresolved: int


class ConnectionPage(TypedDict):
    """Some of the connections."""

    items: list[Connection]
    next_cursor: str | None


NewEdge = TypedDict("NewEdge", {"from": str, "to": str, "note": NotRequired[str | None]})
AddedEdge = TypedDict("AddedEdge", {"from": str, "to": str, "note": str | None, "as_of": str})


class Received(TypedDict):
    """How many events were taken, and by which connection they are read."""

    received: int
    connection: str


class Problem(TypedDict):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    hint: NotRequired[str]


class GraphState(TypedDict):
    """The newest graph."""

    as_of: str
    built_at: str
    nodes: int
    edges: int
    unresolved: int


class Ready(TypedDict):
    """That the graph can be read; None before the first sync."""

    status: Literal["ready"]
    graph: GraphState | None


class Alive(TypedDict):
    """That the process lives."""

    status: Literal["ok"]
