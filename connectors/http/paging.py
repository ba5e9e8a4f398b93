"""The pages of a listing, asked for one after another, and the items on them.

How an API tells which page follows is its style: a link (in the `Link` header, or in the body), a cursor, a page
number, or an offset. A style takes a call and what it gave, and gives the call for the page after it, or None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import httpx

from connectors.errors import AccessDenied, UnexpectedAnswer
from connectors.http.answer import JsonAnswer
from connectors.http.origin import address, harmless, is_same_origin, origin_of

# Where something is in a body: keys with dots between them ("meta.next"), or a function of the body.
Pick = str | Callable[[Any], Any]


class Ask(Protocol):
    """Sends a request and reads its JSON, as `HttpClient.ask_json` does."""

    def __call__(self, method: str, url: str, *, headers: Any, json: Any, auth: Any) -> JsonAnswer: ...


@dataclass(frozen=True)
class Call:
    """What asks for one page."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    json: Any
    auth: Any

    def having(self, **values: Any) -> Call:
        """The same with other parameters, which stand in the JSON body if there is one, else in the address."""
        if self.json is None:
            return replace(self, url=self.url.copy_merge_params(values))
        return replace(self, json={**self.json, **values})


def page_call(method: str, url: str, *, params: Any, headers: Any, json: Any, auth: Any) -> Call:
    """What asks for a listing's first page. Raises `ConnectorError` for an address that is no URL."""
    return Call(method, address(url, params), httpx.Headers(headers), json, auth)


Style = Callable[[Call, JsonAnswer, list[Any]], Call | None]


def listing(
    ask: Ask,
    call: Call,
    *,
    items: Pick | None,
    next: Pick | None,
    cursor: Pick | None,
    cursor_param: str,
    page_param: str | None,
    first: int,
    offset_param: str | None,
    limit: int | None,
    limit_param: str,
) -> Iterator[Any]:
    """The items of all pages from `call` on, in the style that the parameters choose, as `Connector.pages` tells.

    Raises `TypeError` for parameters of two styles; the iterator raises `UnexpectedAnswer` where the items are no
    list and for a page that comes a second time, `AccessDenied` for a link that takes a body to another origin, and
    what `ask` raises.
    """
    if len([name for name in (next, cursor, page_param, offset_param) if name is not None]) > 1:
        raise TypeError("pages takes one of next, cursor, page_param and offset_param")
    if limit is not None:
        call = call.having(**{limit_param: limit})
    if cursor is not None:
        return _walk(ask, call, items, by_cursor(cursor, cursor_param))
    if page_param is not None:
        style = by_count(page_param, first, limit, of_items=False)
        return _walk(ask, call.having(**{page_param: first}), items, style)
    if offset_param is not None:
        style = by_count(offset_param, 0, limit, of_items=True)
        return _walk(ask, call.having(**{offset_param: 0}), items, style)
    return _walk(ask, call, items, by_link(next))


def _walk(ask: Ask, first: Call, items: Pick | None, style: Style) -> Iterator[Any]:
    call, asked = first, {_page(first)}
    while True:
        sent = call if is_same_origin(call.url, first.url) else _without_credentials(call, first)
        answer = ask(sent.method, str(sent.url), headers=sent.headers, json=sent.json, auth=sent.auth)
        found = _items(answer, items)
        following = style(call, answer, found)
        yield from found
        if following is None:
            return
        if _page(following) in asked:
            raise UnexpectedAnswer(
                f"{answer.call}: the page that follows was given before",
                hint="look at how the API tells which page follows, and which is the last",
            )
        asked.add(_page(following))
        call = following


def _page(call: Call) -> tuple[str, str]:
    return str(call.url), repr(call.json)


def _without_credentials(call: Call, first: Call) -> Call:
    if call.json is not None:
        raise AccessDenied(f"{origin_of(first.url)} links a listing with a body to {origin_of(call.url)}")
    return replace(call, headers=harmless(call.headers), auth=None)


# -- styles


def by_link(pick: Pick | None = None) -> Style:
    """A link in the body, or without `pick` the one of `rel=next` in the `Link` header (RFC 8288). It is relative to
    the page's own address, and taken as it is: parameters that it does not have are not added.
    """

    def follow(call: Call, answer: JsonAnswer, found: list[Any]) -> Call | None:
        link: Any = _next_link(answer.response) if pick is None else _picked(answer.data, pick)
        if _is_none(link):
            return None
        try:
            return replace(call, url=answer.response.request.url.join(link))
        except (httpx.InvalidURL, TypeError) as error:
            raise UnexpectedAnswer(f"{answer.call}: the page that follows has no address: {error}") from None

    return follow


def by_cursor(pick: Pick, param: str) -> Style:
    """A cursor in the body, sent as the parameter `param`."""

    def follow(call: Call, answer: JsonAnswer, found: list[Any]) -> Call | None:
        cursor = _picked(answer.data, pick)
        return None if _is_none(cursor) else call.having(**{param: cursor})

    return follow


def by_count(param: str, start: int, size: int | None, *, of_items: bool) -> Style:
    """A parameter that counts the pages, or with `of_items` the items, given so far from `start` on.

    The listing ends at an empty page; and at one of fewer than `size` items, if a full one came before it: an API
    that never gives as many as were asked for would else be left after its first page.
    """
    count, was_full, before = start, False, None

    def follow(call: Call, answer: JsonAnswer, found: list[Any]) -> Call | None:
        nonlocal count, was_full, before
        if not found:
            return None
        if found == before:
            raise UnexpectedAnswer(
                f"{answer.call} gave the same items for {param}={count} as for the page before it",
                hint=f"look whether the API knows the parameter {param}",
            )
        full = size is not None and len(found) >= size
        if was_full and not full:
            return None
        count, was_full, before = count + (len(found) if of_items else 1), full, found
        return call.having(**{param: count})

    return follow


# -- what is in an answer


def _items(answer: JsonAnswer, pick: Pick | None) -> list[Any]:
    found = answer.data
    if callable(pick):
        found = pick(found)
    elif pick:
        for depth, key in enumerate(keys := pick.split(".")):
            if not isinstance(found, Mapping) or key not in found:
                place = f"its {'.'.join(keys[:depth])!r}" if depth else "it"
                raise UnexpectedAnswer(f"{answer.call} gave no {pick!r}: {place} is {_described(found)}")
            found = found[key]
    if found is None and pick:  # how some APIs write an empty list
        return []
    if isinstance(found, str | bytes | Mapping) or not isinstance(found, Iterable):
        raise UnexpectedAnswer(
            f"{answer.call} gave no list of items: {repr(pick) if pick else 'the body'} is {_described(found)}",
            hint='say where the items are, such as items="data"',
        )
    return list(found)


def _picked(body: Any, pick: Pick) -> Any:
    """What is there, or None."""
    if callable(pick):
        return pick(body)
    for key in pick.split("."):
        body = body.get(key) if isinstance(body, Mapping) else None
    return body


def _is_none(value: Any) -> bool:
    return value is None or value is False or value == ""


def _described(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"an object with {', '.join(map(str, list(value)[:20])) or 'no keys'}"
    names = {list: "a list", str: "text", type(None): "null", bool: "a truth value"}
    return names.get(type(value), "a number")


def _next_link(response: httpx.Response) -> str | None:
    for rels, link in response.links.items():
        if "next" in (rels or "").lower().split():
            return link["url"]
    return None
