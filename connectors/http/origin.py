"""Origins: which a URL has, which may be asked, and what may go with a request to another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from connectors.errors import AccessDenied, ConnectorError

# What may go with a redirect or a link to another origin. Any other header may be a credential ("X-Token").
_HARMLESS = frozenset({"accept", "accept-encoding", "accept-language", "connection", "host", "user-agent"})


def origin_of(url: httpx.URL) -> str:
    """Scheme, host and port (left out when it is the scheme's own), in lower case, IDNA encoded."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def shown(url: httpx.URL) -> str:
    """A URL that may be shown: user, password, query and fragment, which may hold secrets, are left out."""
    return origin_of(url) + url.path


def address(url: str, params: Any = None) -> httpx.URL:
    """A URL, `params` in place of its own of the same names. Raises `ConnectorError` for what is no URL."""
    try:
        return httpx.URL(url).copy_merge_params(params) if params else httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConnectorError(f"the address is not a URL: {error}") from None


def check_origin(url: httpx.URL, endpoints: Sequence[str] | None, connection: str) -> None:
    """Raises `AccessDenied` for a URL that is not of HTTP or not among the endpoints."""
    origin = origin_of(url)
    if url.scheme not in {"http", "https"} or not url.host:
        raise AccessDenied(
            f"{connection}: {origin!r} is not an HTTP address",
            hint="give a full URL, with https://",
            origin=origin,
        )
    if endpoints is not None and origin not in endpoints:
        raise AccessDenied(
            f"{connection}: {origin} is not among the connection's `endpoints`",
            hint=f"add {origin} to `endpoints` if the connection is to reach it",
            origin=origin,
        )


def leave_credentials(request: httpx.Request, previous: httpx.Request) -> None:
    """Takes from a redirected request what another origin must not see. Raises `AccessDenied` for a body."""
    if is_same_origin(request.url, previous.url):
        return
    if request.read():
        raise AccessDenied(
            f"{origin_of(previous.url)} redirects a {request.method} with a body to {origin_of(request.url)}",
            hint="ask the second address directly if it is to be trusted",
        )
    request.headers = httpx.Headers(harmless(request.headers))


def harmless(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that another origin may see."""
    return {name: value for name, value in headers.items() if name.lower() in _HARMLESS}


def is_same_origin(url: httpx.URL, previous: httpx.URL) -> bool:
    """Whether what was sent to the previous address may be sent to this one."""
    if origin_of(url) == origin_of(previous):
        return True
    # A server that sends its callers from http to https is the same server.
    ports = (previous.scheme, previous.port, url.scheme, url.port)
    return url.host == previous.host and ports == ("http", None, "https", None)
