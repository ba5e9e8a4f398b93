"""Differences and impacts as Markdown, for a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

MOST_LINES = 50  # of one list; a pull request's comment is read by people


def diff_markdown(found: Mapping[str, Any]) -> str:
    """What `GraphDiff.to_dict` tells: what breaks first, then what came, went and changed."""
    lines = ["## Lineage: what changes"]
    broken = found["broken"]
    if broken:
        lines += ["", f"### :x: {_count(len(broken), 'resource')} lost a source", ""]
        lines += ["| resource | kind | owners | lost | downstream |", "| --- | --- | --- | --- | --- |"]
        lines += [_broken(one) for one in broken[:MOST_LINES]]
        lines += _more(broken)
        if reached := _reached(broken):
            lines += ["", f"Downstream of these, {_count(len(reached), 'resource')} more:", ""]
            lines += ["| resource | kind | owners |", "| --- | --- | --- |"]
            lines += [
                _line(_code(one["id"]), one["entity_type"], _owners(one)) for one in reached[:MOST_LINES]
            ]
            lines += _more(reached)
    else:
        lines += ["", "Nothing downstream loses its source."]
    lines += ["", "| | came | went | changed |", "| --- | ---: | ---: | ---: |"]
    for thing in ("resources", "edges", "unresolved"):
        counts = [
            len(found[thing][change]) if change in found[thing] else ""
            for change in ("added", "removed", "changed")
        ]
        lines.append(f"| {thing} | " + " | ".join(str(count) for count in counts) + " |")
    for change, title in (("removed", "Resources that went"), ("added", "Resources that came")):
        if rows := found["resources"][change]:
            lines += ["", f"<details><summary>{title}: {len(rows)}</summary>", ""]
            lines += [f"- {_code(row['id'])} ({row['entity_type']})" for row in rows[:MOST_LINES]]
            lines += [*_more(rows), "", "</details>"]
    if changed := found["resources"]["changed"]:
        lines += ["", f"<details><summary>Resources that changed: {len(changed)}</summary>", ""]
        lines += [f"- {_code(row['id'])}: {', '.join(row['before'])}" for row in changed[:MOST_LINES]]
        lines += [*_more(changed), "", "</details>"]
    if edges := found["edges"]["removed"]:
        lines += ["", f"<details><summary>Edges that went: {len(edges)}</summary>", ""]
        lines += [f"- {_code(edge['from'])} to {_code(edge['to'])}" for edge in edges[:MOST_LINES]]
        lines += [*_more(edges), "", "</details>"]
    return "\n".join(lines) + "\n"


def impact_markdown(found: Mapping[str, Any]) -> str:
    """What `Impact.to_dict` tells."""
    changed, affected = found["changed"], found["affected"]
    named = ", ".join(_code(one) for one in changed)
    lines = [f"## Lineage: what {named} {'reaches' if len(changed) == 1 else 'reach'}", ""]
    if not affected:
        return "\n".join([*lines, "Nothing downstream is known.", ""])
    lines += [
        f"{_count(len(affected), 'resource')} downstream.",
        "",
        "| kind | resources |",
        "| --- | ---: |",
    ]
    lines += [f"| {kind} | {count} |" for kind, count in found["by_type"].items()]
    lines += ["", "| owner | resources |", "| --- | ---: |"]
    lines += [
        f"| {_cell(owner) if owner else '(none)'} | {count} |" for owner, count in found["by_owner"].items()
    ]
    lines += ["", "| resource | kind | hops |", "| --- | --- | ---: |"]
    lines += [
        f"| {_code(one['id'])} | {one['entity_type']} | {one['distance']} |" for one in affected[:MOST_LINES]
    ]
    return "\n".join([*lines, *_more(affected), ""])


def _broken(one: Mapping[str, Any]) -> str:
    kinds = Counter(str(below["entity_type"]) for below in one["downstream"])
    below = ", ".join(f"{_count(count, kind)}" for kind, count in sorted(kinds.items())) or "nothing"
    lost = ", ".join(_code(source) for source in one["lost"])
    return _line(_code(one["id"]), one["entity_type"], _owners(one), lost, below)


def _reached(broken: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What lies downstream of what broke, and did not break itself; columns last."""
    named = {one["id"] for one in broken}
    reached = {
        below["id"]: below for one in broken for below in one["downstream"] if below["id"] not in named
    }
    return sorted(
        reached.values(), key=lambda one: (one["entity_type"] == "column", one["entity_type"], one["id"])
    )


def _owners(one: Mapping[str, Any]) -> str:
    return ", ".join(map(_cell, one["owners"])) or "(none)"


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _more(rows: Sequence[Any]) -> list[str]:
    return ["", f"... and {len(rows) - MOST_LINES} more"] if len(rows) > MOST_LINES else []


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _code(text: str) -> str:
    """A name as code, whatever stands in it; a table's cell ends at no bar of its own."""
    plain = _cell(text).replace("`", "'")
    return f"`{plain}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
