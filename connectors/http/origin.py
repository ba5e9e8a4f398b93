"""Origins: which a URL has, which may be asked, and what may go with a request to another one."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from connectors.errors import AccessDenied

# What may follow a redirect to another origin. Any other header may be a credential ("X-Token").
_HARMLESS = frozenset({"accept", "accept-encoding", "accept-language", "connection", "host", "user-agent"})


def origin_of(url: httpx.URL) -> str:
    """Scheme, host and port (left out when it is the scheme's own), in lower case, IDNA encoded."""
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def shown(url: httpx.URL) -> str:
    """A URL that may be shown: user, password, query and fragment, which may hold secrets, are left out."""
    return origin_of(url) + url.path


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
    if _same(request.url, previous.url):
        return
    if request.read():
        raise AccessDenied(
            f"{origin_of(previous.url)} redirects a {request.method} with a body to {origin_of(request.url)}",
            hint="ask the second address directly if it is to be trusted",
        )
    for name in [name for name in request.headers if name.lower() not in _HARMLESS]:
        del request.headers[name]


def _same(url: httpx.URL, previous: httpx.URL) -> bool:
    if origin_of(url) == origin_of(previous):
        return True
    # A server that sends its callers from http to https is the same server.
    ports = (previous.scheme, previous.port, url.scheme, url.port)
    return url.host == previous.host and ports == ("http", None, "https", None)
