"""Differences and impacts as Markdown, for a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lineage.formats.markdown_text import code, plain, table

MOST_LINES = 50  # of one list; a pull request's comment is read by people


def diff_markdown(found: Mapping[str, Any]) -> str:
    """What `GraphDiff.to_dict` tells: what breaks first, then what came, went and changed."""
    lines = ["## Lineage: what changes"]
    broken = found["broken"]
    if broken:
        lines += ["", f"### :x: {_count(len(broken), 'resource')} lost a source", ""]
        head = ("resource", "kind", "owners", "lost", "downstream")
        lines += [*table(head, [_broken(one) for one in broken[:MOST_LINES]]), *_more(broken)]
        if reached := _reached(broken):
            lines += ["", f"Downstream of these, {_count(len(reached), 'resource')} more:", ""]
            rows = [_who(one) for one in reached[:MOST_LINES]]
            lines += [*table(("resource", "kind", "owners"), rows), *_more(reached)]
    else:
        lines += ["", "Nothing downstream loses its source."]
    changes = {"came": "added", "went": "removed", "changed": "changed"}
    counts = [
        [thing, *(str(len(found[thing][one])) if one in found[thing] else "" for one in changes.values())]
        for thing in ("resources", "edges", "unresolved")
    ]
    lines += ["", *table(("", *changes), counts, numbers=tuple(changes))]
    resources = found["resources"]
    for change, title in (("removed", "Resources that went"), ("added", "Resources that came")):
        lines += _folded(
            title, resources[change], lambda row: f"{code(row['id'])} ({plain(row['entity_type'])})"
        )
    lines += _folded(
        "Resources that changed",
        resources["changed"],
        lambda row: f"{code(row['id'])}: {', '.join(map(plain, row['before']))}",
    )
    edges = found["edges"]["removed"]
    lines += _folded("Edges that went", edges, lambda edge: f"{code(edge['from'])} to {code(edge['to'])}")
    return "\n".join(lines) + "\n"


def impact_markdown(found: Mapping[str, Any]) -> str:
    """What `Impact.to_dict` tells."""
    changed, affected = found["changed"], found["affected"]
    named = ", ".join(map(code, changed))
    lines = [f"## Lineage: what {named} {'reaches' if len(changed) == 1 else 'reach'}", ""]
    if not affected:
        return "\n".join([*lines, "Nothing downstream is known.", ""])
    lines += [f"{_count(len(affected), 'resource')} downstream.", ""]
    for name, counts in (("kind", found["by_type"]), ("owner", found["by_owner"])):
        rows = [[code(one, in_table=True) or "(none)", str(count)] for one, count in counts.items()]
        lines += [*table((name, "resources"), rows, numbers=("resources",)), ""]
    rows = [
        [code(one["id"], in_table=True), plain(one["entity_type"]), str(one["distance"])]
        for one in affected[:MOST_LINES]
    ]
    lines += table(("resource", "kind", "hops"), rows, numbers=("hops",))
    return "\n".join([*lines, *_more(affected), ""])


def _folded(
    title: str, rows: Sequence[Mapping[str, Any]], shown: Callable[[Mapping[str, Any]], str]
) -> list[str]:
    """A list that the reader opens."""
    if not rows:
        return []
    lines = [f"- {shown(row)}" for row in rows[:MOST_LINES]]
    return [
        *("", f"<details><summary>{title}: {len(rows)}</summary>", ""),
        *(*lines, *_more(rows), "", "</details>"),
    ]


def _broken(one: Mapping[str, Any]) -> list[str]:
    kinds = Counter(str(below["entity_type"]) for below in one["downstream"])
    below = ", ".join(plain(_count(count, kind)) for kind, count in sorted(kinds.items())) or "nothing"
    lost = ", ".join(code(source, in_table=True) for source in one["lost"])
    return [*_who(one), lost, below]


def _reached(broken: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What lies downstream of what broke, and did not break itself; columns last."""
    named = {one["id"] for one in broken}
    reached = {
        below["id"]: below for one in broken for below in one["downstream"] if below["id"] not in named
    }
    return sorted(
        reached.values(), key=lambda one: (one["entity_type"] == "column", one["entity_type"], one["id"])
    )


def _who(one: Mapping[str, Any]) -> list[str]:
    """A resource, its kind and its owners; as code, so that a comment calls nobody."""
    owners = ", ".join(code(owner, in_table=True) for owner in one["owners"]) or "(none)"
    return [code(one["id"], in_table=True), plain(one["entity_type"]), owners]


def _more(rows: Sequence[Any]) -> list[str]:
    return ["", f"... and {len(rows) - MOST_LINES} more"] if len(rows) > MOST_LINES else []


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
