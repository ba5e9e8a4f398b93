"""Draws boxes for tables, rows in them for their columns, and arrows from upstream to downstream."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unicodedata import east_asian_width
from xml.sax.saxutils import escape
from zlib import crc32

from connectors.errors import LineageError
from lineage.formats.svg.layout import Layout, lay_out

MAX_BOXES = 2000  # tables and their rows; more than that nobody can read
_CHARACTER, _BOLD, _PADDING, _MARGIN = 6.9, 8.0, 12.0, 20.0
_HEAD, _ROW = 40.0, 20.0  # heights
_NARROWEST, _LONGEST = 120.0, 44  # of a box; of a text, in characters
_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # in XML
_STYLE = """\
text{font:12px ui-sans-serif,system-ui,'Segoe UI','DejaVu Sans',Arial,sans-serif;fill:#1f2933}
.title{font-weight:600}.from{font-size:10px;fill:#52606d}
.row{fill:#fff;stroke:#e4e7eb}.box{fill:none;stroke:#7b8794}.inferred{stroke-dasharray:4 3}
.edge{fill:none;stroke:#52606d;stroke-width:1.2}.indirect{stroke-dasharray:5 4;stroke:#9aa5b1}"""


@dataclass
class _Box:
    """A table (or chart, or the like), and the columns that are drawn in it."""

    item: Mapping[str, Any]
    columns: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def size(self) -> tuple[float, float]:
        texts = [_under(self.item), *(_title(one) for one in self.columns)]
        width = max(_length(_shortened(text)) for text in texts) * _CHARACTER
        width = max(width, _length(_shortened(_title(self.item))) * _BOLD) + 2 * _PADDING
        return max(width, _NARROWEST), _HEAD + _ROW * len(self.columns)


def picture(
    resources: Sequence[Mapping[str, Any]], edges: Sequence[Mapping[str, Any]], *, columns: bool = False
) -> str:
    """An SVG document of what has an edge; where nothing has one, of every resource but the columns.

    Indirect edges are dashed. With `columns` those that have an edge stand in their tables, and an edge between two
    tables is drawn where none of their columns explains it. Raises LineageError for more than can be read.
    """
    boxes, at = _boxes(resources, edges, columns=columns)
    arrows = _arrows(edges, at, boxes, columns=columns)
    drawn = len(boxes) + sum(len(box.columns) for box in boxes)
    if drawn > MAX_BOXES:
        raise LineageError(
            f"a picture of {drawn:,} tables and columns cannot be read; {MAX_BOXES:,} are the most",
            hint="draw what is around one resource: --focus ID --depth N",
        )
    layout = lay_out([box.size for box in boxes], [(start[0], end[0]) for start, end, _ in arrows])
    width, height = layout.width + 2 * _MARGIN, layout.height + 2 * _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}"'
        f' width="{width:.0f}" height="{height:.0f}">',
        f"<style>{_STYLE}</style>",
        '<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
        ' orient="auto"><path d="M0 0L8 4L0 8z" fill="#52606d"/></marker></defs>',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<g transform="translate({_MARGIN:.0f} {_MARGIN:.0f})">',
        *(_arrow(*one, layout, boxes) for one in arrows),
        *(line for number, box in enumerate(boxes) for line in _drawn(box, *layout.places[number])),
        "</g></svg>",
    ]
    return "\n".join(lines) + "\n"


Place = tuple[int, int | None]  # a box, and a row of it


def _boxes(
    resources: Sequence[Mapping[str, Any]], edges: Iterable[Mapping[str, Any]], *, columns: bool
) -> tuple[list[_Box], dict[str, Place]]:
    """The boxes, and where in them each node is drawn."""
    parents = {one["id"]: one["parent_id"] for one in resources if one["entity_type"] == "column"}
    ends = {edge[side] for edge in edges for side in ("from", "to")}
    ends |= {parents[end] for end in ends & parents.keys()}
    tables = [one for one in resources if one["id"] not in parents]
    boxes = [_Box(one) for one in tables if one["id"] in ends] or [_Box(one) for one in tables]
    at: dict[str, Place] = {box.item["id"]: (number, None) for number, box in enumerate(boxes)}
    if columns:
        rows = [one for one in resources if one["id"] in ends & parents.keys() and one["parent_id"] in at]
        for one in sorted(rows, key=lambda one: (one.get("sort_order") or 0, one["id"])):
            number = at[one["parent_id"]][0]
            at[one["id"]] = (number, len(boxes[number].columns))
            boxes[number].columns.append(one)
    return boxes, at


def _arrows(
    edges: Iterable[Mapping[str, Any]], at: Mapping[str, Place], boxes: Sequence[_Box], *, columns: bool
) -> list[tuple[Place, Place, str]]:
    shown = [edge for edge in edges if edge["from"] in at and edge["to"] in at]
    shown = [edge for edge in shown if columns or edge["level"] == "resource"]
    found = [(at[edge["from"]], at[edge["to"]], edge["kind"]) for edge in shown]
    explained = {(start[0], end[0]) for start, end, _ in found if (start[1], end[1]) != (None, None)}
    return [
        (start, end, kind)
        for start, end, kind in found
        if (start[1], end[1]) != (None, None) or (start[0], end[0]) not in explained
    ]


def _arrow(start: Place, end: Place, kind: str, layout: Layout, boxes: Sequence[_Box]) -> str:
    left, top = layout.places[start[0]]
    x, y = left + boxes[start[0]].size[0], top + _middle(start[1])
    last, below = layout.places[end[0]]
    way = [*layout.ways.get((start[0], end[0]), []), (last, below + _middle(end[1]))]
    path = f"M{x:.1f} {y:.1f}"
    if start[0] == end[0]:  # back into the box that it comes from, on the same side
        to = top + _middle(end[1])
        path += f"C{x + 30:.1f} {y:.1f} {x + 30:.1f} {to:.1f} {x:.1f} {to:.1f}"
        way = []
    for at_x, at_y in way:
        # Straight within a layer, where it passes between boxes; an S from one to the next.
        bend = max(abs(at_x - x) / 2, 30.0)
        path += (
            f"H{at_x:.1f}"
            if at_y == y and at_x > x
            else f"C{x + bend:.1f} {y:.1f} {at_x - bend:.1f} {at_y:.1f} {at_x:.1f} {at_y:.1f}"
        )
        x, y = at_x, at_y
    style = "edge indirect" if kind == "indirect" else "edge"
    told = f"{_id(start, boxes)} -> {_id(end, boxes)}"
    return f'<path class="{style}" d="{path}" marker-end="url(#end)"><title>{_text(told)}</title></path>'


def _drawn(box: _Box, left: float, top: float) -> Iterable[str]:
    width, height = box.size
    hue = crc32(str(box.item["connection"]).encode()) % 360
    yield f'<g transform="translate({left:.1f} {top:.1f})"><title>{_text(box.item["id"])}</title>'
    yield f'<rect width="{width:.1f}" height="{_HEAD:.0f}" rx="3" fill="hsl({hue} 55% 92%)"/>'
    yield _words("title", _PADDING, 17, _title(box.item))
    yield _words("from", _PADDING, 32, _under(box.item))
    for number, one in enumerate(box.columns):
        y = _HEAD + _ROW * number
        yield f'<rect class="row" y="{y:.0f}" width="{width:.1f}" height="{_ROW:.0f}"/>'
        yield _words("column", _PADDING, y + 14, _title(one))
    style = "box inferred" if box.item.get("inferred") else "box"
    yield f'<rect class="{style}" width="{width:.1f}" height="{height:.0f}" rx="3"/></g>'


def _words(style: str, x: float, y: float, text: str) -> str:
    return f'<text class="{style}" x="{x:.0f}" y="{y:.0f}">{_text(_shortened(text))}</text>'


def _middle(row: int | None) -> float:
    return _HEAD / 2 if row is None else _HEAD + _ROW * (row + 0.5)


def _id(place: Place, boxes: Sequence[_Box]) -> str:
    box = boxes[place[0]]
    return str(box.item["id"] if place[1] is None else box.columns[place[1]]["id"])


def _title(item: Mapping[str, Any]) -> str:
    return " ".join(str(item.get("title") or item["databuilder_id"]).split())


def _under(item: Mapping[str, Any]) -> str:
    return f"{item['connection']} · {item['entity_type']}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _length(text: str) -> int:
    """In characters of usual width; those of East Asia are twice as wide."""
    return sum(2 if east_asian_width(one) in "WF" else 1 for one in text)


def _text(text: str) -> str:
    return escape(_INVALID.sub("\ufffd", str(text)))
