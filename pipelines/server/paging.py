"""Lists in pages. A cursor holds the place of the last item shown, so it goes on there in any graph."""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import orjson

from pipelines.server.problems import ApiProblem

T = TypeVar("T")
Place = Sequence[Any]  # what JSON holds, and can be compared with other places of the same list
MOST, USUAL = 1000, 100


def write_cursor(place: Place) -> str:
    """A place as text for a URL."""
    return base64.urlsafe_b64encode(orjson.dumps(list(place))).rstrip(b"=").decode()


def read_cursor(cursor: str | None, shape: tuple[type, ...]) -> tuple[Any, ...] | None:
    """The place that a cursor holds, values of these types. Raises ApiProblem (422) for one that no list gave."""
    if cursor is None:
        return None
    try:
        place = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
    except ValueError:
        place = None
    if isinstance(place, list) and tuple(map(type, place)) == shape:
        return tuple(place)
    raise ApiProblem(422, "cursor: is none that this list gave", hint="give next_cursor as it was answered")


def page(
    items: Sequence[T], place_of: Callable[[T], tuple[Any, ...]], after: tuple[Any, ...] | None, limit: int
) -> tuple[Sequence[T], str | None]:
    """Of items in the order of their places those after a place, at most `limit`, and the cursor that goes on."""
    start = 0 if after is None else bisect_right(items, after, key=place_of)
    shown = items[start : start + limit]
    more = start + limit < len(items)
    return shown, write_cursor(place_of(shown[-1])) if more else None


def page_dict(items: Sequence[Any], next_cursor: str | None) -> dict[str, Any]:
    """A page as it is answered."""
    return {"items": items, "next_cursor": next_cursor}
