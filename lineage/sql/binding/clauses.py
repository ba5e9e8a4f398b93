"""Clauses whose columns no expression names: items by their place, columns of USING and NATURAL, whole rows.

Which columns these are is known when the sources are. A scope holds them as `[clause, None, places]`, where a
place from 0 is an output and `~n` the n-th column after stars are expanded, or as `[clause, None, source,
names]`: the source at that place is compared with those before it, in the columns of these names; None for
all columns that both sides have.
"""

from __future__ import annotations

from typing import Any

from lineage.sql.binding.columns import AMBIGUOUS, OpenStar, Source, Ups
from lineage.sql.binding.lookup import Lookup


def columns_at(lookup: Lookup, items: list[Any], starts: list[int], places: list[int]) -> Ups:
    """What the items at these places depend on. `starts` says where the items of each output begin."""
    ends = [*starts[1:], len(items)]
    chosen: list[Any] = []
    for place in places:
        if place >= 0:
            chosen += items[starts[place] : ends[place]]
        elif ~place < len(items) and not any(type(item) is OpenStar for item in items[: ~place + 1]):
            chosen.append(items[~place])
    return lookup.all_ups(chosen)


def compared_columns(lookup: Lookup, number: int, place: int, names: list[int] | None) -> Ups:
    """The columns of both sides that USING or NATURAL compares."""
    sources = lookup.sources(number)
    if place >= len(sources):
        return {}
    before = [source for source in sources[:place] if source.using is not False]
    if names is None:
        shared = {key: name for source in before for key, name in _known(source)}
        wanted = [(key, name) for key, name in _known(sources[place]) if key in shared]
    else:
        wanted = [(lookup.keys[name], name) for name in names]
    out: Ups = {}
    for key, name in wanted:
        found = [source.columns.find(key, name) for source in before]
        sure = [ups for certain, ups in found if certain and ups is not None]
        for ups in [*(sure or [ups for _, ups in found]), sources[place].columns.find(key, name)[1]]:
            if ups is not None and ups is not AMBIGUOUS:
                out.update(ups)
    return out


def _known(source: Source) -> list[tuple[str, Any]]:
    return [(item[0], item[1]) for item in source.columns.items if type(item) is not OpenStar]
