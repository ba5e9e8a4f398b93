"""A graph made of an earlier one beside one of the same inputs that is built anew."""

from __future__ import annotations

from lineage.graph.build import build_graph
from lineage.graph.patch import PatchLimits


def plain(graph):
    found = graph.to_dict()
    for edge in found["edges"]:
        edge["provenance"] = [
            {k: v for k, v in one.items() if k not in ("run_id", "partition")} for one in edge["provenance"]
        ]
    for entry in found["unresolved"]:
        entry.pop("partition")
    found["unresolved"].sort(key=str)
    return {name: found[name] for name in ("resources", "edges", "unresolved")}


def made(world, day, **kw):
    """The graph of the day, made of the one before, and one of the same inputs built in a new store."""
    specs = list(world.specs.values())
    patched = build_graph(world.store, day, specs, limits=PatchLimits(0, 1), **kw)
    folder = world.folder / f"anew-{day}"
    anew = build_graph(type(world.store)(str(folder)), day, specs, else_from=[world.store], **kw)
    return patched, anew


def assert_same(world, day, **kw):
    """Builds both graphs of a day; gives the one that may have been made of an earlier one."""
    patched, anew = made(world, day, **kw)
    assert plain(patched) == plain(anew)
    assert patched.header.counts == anew.header.counts
    assert patched.header.coverage == anew.header.coverage
    assert not anew.header.patched
    return patched
