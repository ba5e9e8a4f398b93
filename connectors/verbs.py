"""The HTTP verbs of a connector. The Secoda SDK's have its names and signatures."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from connectors.model import ExtractReport

if TYPE_CHECKING:
    import httpx

    from connectors.http import HttpClient
    from connectors.http.answer import JsonAnswer

_counting = threading.Lock()


class HttpVerbs:
    """Requests over the connection's client, held to its endpoints; safe to use from threads."""

    config: Any
    report: ExtractReport

    if TYPE_CHECKING:

        @cached_property
        def http(self) -> HttpClient: ...

    def http_get(
        self,
        url: str,
        *,
        params: Any = None,
        headers: Any = None,
        follow_redirects: bool = False,
        verify: Any = True,
        auth: Any = None,
    ) -> httpx.Response:
        """GET. The answer is never raised for its status; redirects are followed only when asked for."""
        return self._request(
            "GET",
            url,
            params=params,
            headers=headers,
            follow_redirects=follow_redirects,
            verify=verify,
            auth=auth,
        )

    def http_post(
        self,
        url: str,
        *,
        params: Any = None,
        headers: Any = None,
        data: Any = None,
        json: Any = None,
        follow_redirects: bool = False,
        verify: Any = True,
        auth: Any = None,
    ) -> httpx.Response:
        """POST, as `http_get`, with a form (`data`) or a JSON body."""
        return self._request(
            "POST",
            url,
            params=params,
            headers=headers,
            data=data,
            json=json,
            follow_redirects=follow_redirects,
            verify=verify,
            auth=auth,
        )

    def http_put(
        self,
        url: str,
        *,
        params: Any = None,
        headers: Any = None,
        data: Any = None,
        json: Any = None,
        follow_redirects: bool = False,
        verify: Any = True,
        auth: Any = None,
    ) -> httpx.Response:
        """PUT, as `http_post`."""
        return self._request(
            "PUT",
            url,
            params=params,
            headers=headers,
            data=data,
            json=json,
            follow_redirects=follow_redirects,
            verify=verify,
            auth=auth,
        )

    def http_patch(
        self,
        url: str,
        *,
        params: Any = None,
        headers: Any = None,
        data: Any = None,
        json: Any = None,
        follow_redirects: bool = False,
        verify: Any = True,
        auth: Any = None,
    ) -> httpx.Response:
        """PATCH, as `http_post`."""
        return self._request(
            "PATCH",
            url,
            params=params,
            headers=headers,
            data=data,
            json=json,
            follow_redirects=follow_redirects,
            verify=verify,
            auth=auth,
        )

    def http_delete(
        self,
        url: str,
        *,
        params: Any = None,
        headers: Any = None,
        data: Any = None,
        json: Any = None,
        follow_redirects: bool = False,
        verify: Any = True,
        auth: Any = None,
    ) -> httpx.Response:
        """DELETE, as `http_post`."""
        return self._request(
            "DELETE",
            url,
            params=params,
            headers=headers,
            data=data,
            json=json,
            follow_redirects=follow_redirects,
            verify=verify,
            auth=auth,
        )

    # -- JSON APIs

    @cached_property
    def base_url(self) -> str:
        """What addresses without an origin are added to, in `get_json` and `pages`: the configuration's `url`, where
        a subclass sets no other.
        """
        return str(getattr(self.config, "url", None) or "")

    def get_json(
        self,
        url: str,
        *,
        params: Any = None,
        headers: Any = None,
        method: str = "GET",
        json: Any = None,
        auth: Any = None,
    ) -> Any:
        """An answer's JSON. `url` is whole, or a path ("/orders") that is added to `base_url`.

        Redirects are followed; `params` join those of `url`. An answer of no content is None. Integers keep every
        digit. A 500, and a success that is not JSON, are asked for again like a 503, where that does nothing twice.
        Raises, naming the call and the cause, `AuthFailed` for 401, `AccessDenied` for 403 and for an origin outside
        the endpoints, `RateLimited` for a 429 that lasts longer than the policy waits, `UnexpectedAnswer` for any
        other status that is no success (`context["status"]`) and for what is not JSON, `Unreachable` for no answer.
        """
        return self._ask_json(
            method, self._address(url), params=params, headers=headers, json=json, auth=auth
        ).data

    def pages(
        self,
        url: str,
        *,
        params: Any = None,
        headers: Any = None,
        method: str = "GET",
        json: Any = None,
        auth: Any = None,
        items: str | Callable[[Any], Any] | None = None,
        next: str | Callable[[Any], Any] | None = None,
        cursor: str | Callable[[Any], Any] | None = None,
        cursor_param: str = "cursor",
        page_param: str | None = None,
        first: int = 1,
        offset_param: str | None = None,
        limit: int | None = None,
        limit_param: str = "limit",
    ) -> Iterator[Any]:
        """The items of a listing, one by one, from all its pages: `yield from self.pages("/orders", items="data")`.

        `items` is where they are in an answer: keys with dots between ("data.items"), or a function of the body;
        without it the body is the list. Null is no items. One of these says how the pages follow each other:

        - nothing: by the `Link` header's `rel=next` (RFC 8288); one page where there is none
        - `next="links.next"`: by an address in the body, whole or relative to the page's own, and taken as it is;
          to another origin only what is no credential goes with it
        - `cursor="meta.next_cursor"`: by a cursor in the body, sent as `cursor_param`
        - `page_param="page"`: by page numbers, from `first` on
        - `offset_param="offset"`: by how many items were given

        `next` and `cursor` may be functions of the body; they end where there is null, nothing or no such key.
        Numbers and offsets end at an empty page, or with a `limit` at a shorter page that comes after a full one.
        `limit`, sent as `limit_param`, is how many items a page is to have. A call with a `json` body has these
        parameters in the body. Raises as `get_json` does, and `UnexpectedAnswer` where `items` is no list, naming
        what is there, and for pages without end: one that was given before.
        """
        from connectors.http.paging import listing, page_call

        return listing(
            self._ask_json,
            page_call(method, self._address(url), params=params, headers=headers, json=json, auth=auth),
            items=items,
            next=next,
            cursor=cursor,
            cursor_param=cursor_param,
            page_param=page_param,
            first=first,
            offset_param=offset_param,
            limit=limit,
            limit_param=limit_param,
        )

    def _address(self, url: str) -> str:
        whole = "://" in url.partition("?")[0] and not url.startswith("/")
        return url if whole or not self.base_url else f"{self.base_url.rstrip('/')}/{url.lstrip('/')}"

    def _ask_json(self, method: str, url: str, **options: Any) -> JsonAnswer:
        self._count()
        return self.http.ask_json(method, url, **options)

    def _request(self, method: str, url: str, **options: Any) -> httpx.Response:
        self._count()
        # A 500 passes as often as a 503 does. A hosted script's is its own affair: its requests go another way.
        return self.http.request(method, url, accept=_is_no_500, **options)

    def _count(self) -> None:
        with _counting:
            self.report.requests += 1


def _is_no_500(answer: httpx.Response) -> bool:
    return answer.status_code != 500
