"""What a change of resources reaches: everything downstream, counted by kind and by owner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lineage.graph.shown import owners_of
from lineage.graph.traverse import LineageGraph

UNOWNED = ""


@dataclass(frozen=True)
class Impact:
    """`affected` are resources with their `distance` (hops from the nearest of `changed`), nearest first; `by_owner`
    counts those without an owner under the empty name.
    """

    as_of: str
    changed: list[str]
    affected: list[dict[str, Any]]
    by_type: dict[str, int]
    by_owner: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """As `headwater lineage impact --json` prints it."""
        return dict(vars(self))


def impact_of(
    graph: LineageGraph, identifiers: Sequence[str], depth: int | None = None, *, columns: bool = False
) -> Impact:
    """What lies downstream of resources, at most `depth` hops away; at column level for columns, or with `columns`.

    Raises LineageError for an id that no resource or several have.
    """
    changed = list(dict.fromkeys(graph.find_id(one) for one in identifiers))
    distances: dict[str, int] = {}
    for one in changed:
        for node, hops in graph.downstream(one, depth, columns=columns).distances.items():
            distances[node] = min(hops, distances.get(node, hops))
    reached = graph.resources(distances.keys() - set(changed))
    affected = sorted(
        ({**one, "distance": distances[one["id"]]} for one in reached), key=lambda r: (r["distance"], r["id"])
    )
    owners = Counter(owner for one in affected for owner in owners_of(one) or (UNOWNED,))
    types = Counter(str(one["entity_type"]) for one in affected)
    return Impact(graph.as_of, changed, affected, _most_first(types), _most_first(owners))


def _most_first(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
