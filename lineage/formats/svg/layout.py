"""Where boxes go: layers from left to right, so placed that few arrows cross.

The layers and their order are fast-sugiyama's (Sugiyama's method, in Rust); it knows no sizes, so the places are
found here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from connectors.errors import LineageError

_GAP = 18.0  # between two boxes of a layer
_LANE = 10.0  # that an arrow takes which passes through a layer
_BETWEEN = 70.0  # two layers
_ISLANDS = 34.0  # between parts that no arrow joins
Pair = tuple[int, int]


@dataclass
class Layout:
    """Places of boxes (left, top) by number, and of each pair that an arrow joins, the points it passes between."""

    places: dict[int, tuple[float, float]] = field(default_factory=dict)
    ways: dict[Pair, list[tuple[float, float]]] = field(default_factory=dict)
    width: float = 0.0
    height: float = 0.0


def lay_out(sizes: Sequence[tuple[float, float]], pairs: Iterable[Pair]) -> Layout:
    """Places boxes of these sizes (width, height), numbered as they stand, that the pairs join.

    Raises LineageError when the extra that this needs is not installed.
    """
    layout = Layout()
    forward = _without_circles(len(sizes), sorted({(a, b) for a, b in pairs if a != b}))
    joined = sorted({end for pair in forward for end in pair})
    # Its own numbers go on after ours: they have to be without gaps.
    number = {box: at for at, box in enumerate(joined)}
    for positions, links in _layered([(number[a], number[b]) for a, b in forward]):
        _place_part(layout, sizes, joined, positions, links)
    for box in sorted(set(range(len(sizes))) - set(joined)):
        layout.places[box] = (0.0, layout.height)
        layout.height += sizes[box][1] + _GAP
        layout.width = max(layout.width, sizes[box][0])
    return layout


def _layered(pairs: list[Pair]) -> list[tuple[Mapping[int, tuple[float, float]], list[Pair]]]:
    """Each joined part: coordinates (place in the layer, layer), and the links, long ones through numbers that are no
    box.
    """
    if not pairs:
        return []
    try:
        from fast_sugiyama import from_edges
    except ImportError:
        raise LineageError(
            "pictures need headwater's extra `svg`, which is not installed",
            hint="install headwater[svg], or fast-sugiyama beside it",
        ) from None
    parts: list[Any] = from_edges(pairs, vertex_spacing=1, dummy_vertices=True)
    # Which comes first is not settled there: the largest, then by number.
    parts.sort(key=lambda part: (-len(part[0]), min(box for box, _ in part[0])))
    return [(dict(positions), links) for positions, _, _, links in parts]


def _place_part(
    layout: Layout,
    sizes: Sequence[tuple[float, float]],
    joined: Sequence[int],
    positions: Mapping[int, tuple[float, float]],
    links: list[Pair],
) -> None:
    """Places a part below what is there already."""

    def height(one: int) -> float:
        return sizes[joined[one]][1] if one < len(joined) else _LANE

    layers: dict[float, list[int]] = {}
    for one in sorted(positions, key=lambda one: (positions[one][0], one)):
        layers.setdefault(positions[one][1], []).append(one)
    step = median(height(one) for one in positions if one < len(joined)) + _GAP
    tops: dict[int, float] = {}
    for layer in layers.values():
        tops |= _stacked(layer, {one: positions[one][0] * step for one in layer}, height)
    shift = layout.height - min(tops.values())
    spans: dict[int, tuple[float, float]] = {}
    left = 0.0
    for at in _in_direction(layers, positions, links):
        width = max((sizes[joined[one]][0] for one in layers[at] if one < len(joined)), default=0.0)
        for one in layers[at]:
            spans[one] = (left, left + width)
            if one < len(joined):
                layout.places[joined[one]] = (left, tops[one] + shift)
        layout.width = max(layout.width, left + width)
        left += width + _BETWEEN
    after: dict[int, list[int]] = {}
    for start, end in links:
        after.setdefault(start, []).append(end)
    for start in (one for one in positions if one < len(joined)):
        for end in after.get(start, ()):
            way = []
            while end >= len(joined):
                middle = tops[end] + shift + _LANE / 2
                way += [(side, middle) for side in spans[end]]
                (end,) = after[end]
            layout.ways[joined[start], joined[end]] = way
    layout.height += max(tops[one] + height(one) for one in positions) - min(tops.values()) + _ISLANDS


def _stacked(layer: Sequence[int], wanted: Mapping[int, float], height: Any) -> dict[int, float]:
    """Tops of the boxes of one layer: in their order, without overlap, near the middles that are wanted."""
    tops: dict[int, float] = {}
    below = float("-inf")
    for one in layer:
        tops[one] = max(wanted[one] - height(one) / 2, below)
        below = tops[one] + height(one) + _GAP
    drift = sum(tops[one] + height(one) / 2 - wanted[one] for one in layer) / len(layer)
    return {one: top - drift for one, top in tops.items()}


def _in_direction(
    layers: Iterable[float], positions: Mapping[int, tuple[float, float]], links: Sequence[Pair]
) -> list[float]:
    """The layers from upstream to downstream."""
    start, end = links[0]
    return sorted(layers, reverse=positions[start][1] > positions[end][1])


def _without_circles(count: int, pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs but for those that close a circle: fast-sugiyama takes none."""
    after: dict[int, list[int]] = {}
    for start, end in pairs:
        after.setdefault(start, []).append(end)
    kept: list[Pair] = []
    state = [0] * count  # 0 not seen, 1 on the way here, 2 done
    for root in range(count):
        if state[root]:
            continue
        state[root] = 1
        way = [(root, iter(after.get(root, ())))]
        while way:
            node, rest = way[-1]
            for end in rest:
                if state[end] == 1:
                    continue
                kept.append((node, end))
                if state[end] == 0:
                    state[end] = 1
                    way.append((end, iter(after.get(end, ()))))
                    break
            else:
                state[node] = 2
                way.pop()
    return kept
