"""Dependencies and columns put together: of expressions, of set operations."""

from __future__ import annotations

from typing import Any

from lineage.sql.binding.columns import Computed, OpenStar, ScopeColumns, Ups
from lineage.sql.program import VALUE


def add(out: Ups, ups: Ups, flags: int) -> None:
    for column, ways in ups.items():
        out[column] = out.get(column, 0) | (ways if flags == VALUE else flags)


def merge(parts: list[Ups]) -> Ups:
    if len(parts) == 1:
        return parts[0]
    out: Ups = {}
    for ups in parts:
        add(out, ups, VALUE)
    texts: dict[int, str | int] = {}
    for ups in parts:
        for column in ups if type(ups) is Computed else ():
            text = text_of(ups, column)
            if text is not None:
                texts.setdefault(column, text)
    return Computed(out, text_of(parts[0]), texts) if texts else out


def text_of(ups: Ups, column: int | None = None) -> str | int | None:
    """The expression's text as the program holds it; with a column, that of the branch which depends on it."""
    if type(ups) is not Computed:
        return None
    return ups.text if column is None or ups.texts is None else ups.texts.get(column)


def without_text(ups: Ups) -> Ups:
    """What an expression without a text of its own depends on: the text within is not its own."""
    return dict(ups) if type(ups) is Computed else ups


def join_by_position(parts: list[list[Any]]) -> list[Any]:
    """Column by column, as far as the places are known: behind a star they are not."""
    first = list(parts[0])
    gathered: list[list[Ups]] = [[] if type(item) is OpenStar else [item[2]] for item in first]
    for other in parts[1:]:
        for place, item in enumerate(other[: len(first)]):
            mine = first[place]
            if type(mine) is OpenStar or type(item) is OpenStar:
                if type(mine) is OpenStar and type(item) is OpenStar:
                    first[place] = mine.beside(item)
                break
            gathered[place].append(item[2])
    return [
        item if type(item) is OpenStar else (item[0], item[1], merge(ups))
        for item, ups in zip(first, gathered, strict=True)
    ]


def join_by_name(parts: list[list[Any]]) -> list[Any]:
    places: dict[str, int] = {}
    out: list[Any] = []
    for part in parts:
        for item in part:
            if type(item) is OpenStar:
                out.append(item)
            elif item[0] in places:
                mine = out[places[item[0]]]
                out[places[item[0]]] = (mine[0], mine[1], merge([mine[2], item[2]]))
            else:
                places[item[0]] = len(out)
                out.append(item)
    return out


def differ(before: ScopeColumns | None, after: ScopeColumns | None) -> bool:
    if before is None or after is None:
        return before is not after
    return [i[2] for i in before.items if type(i) is not OpenStar] != [
        i[2] for i in after.items if type(i) is not OpenStar
    ]
