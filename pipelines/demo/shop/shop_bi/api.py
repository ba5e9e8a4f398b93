"""The BI tool's web API, as a WSGI app: log in with user and password, then read the dashboards page by page.

POST /api/login {"user", "password"} answers {"token"}; GET /api/dashboards?page=N answers {"dashboards":
[...], "next_page": N or null}.
"""

import hmac
import json
import os
import secrets
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from .dashboards import DASHBOARDS

USER = "headwater"
PAGE = 2
_tokens: set[str] = set()
Answer = tuple[str, dict[str, Any]]


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answers one request, with JSON."""
    route = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if route == ("POST", "/api/login"):
        status, body = _log_in(environ)
    elif route == ("GET", "/api/dashboards"):
        status, body = _dashboards(environ)
    else:
        status, body = "404 Not Found", {"error": "there is no such page"}
    content = json.dumps(body).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
    return [content]


def _log_in(environ: dict[str, Any]) -> Answer:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    try:
        login = json.loads(environ["wsgi.input"].read(length))
        user, password = str(login["user"]), str(login["password"])
    except (ValueError, TypeError, KeyError):
        return "400 Bad Request", {"error": "send user and password as JSON"}
    expected = os.environ.get("SHOP_BI_PASSWORD") or "demo"
    if user != USER or not hmac.compare_digest(password.encode(), expected.encode()):
        return "401 Unauthorized", {"error": "wrong user or password"}
    token = secrets.token_urlsafe(16)
    _tokens.add(token)
    return "200 OK", {"token": token}


def _dashboards(environ: dict[str, Any]) -> Answer:
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme != "Bearer" or token not in _tokens:
        return "401 Unauthorized", {"error": "log in first"}
    try:
        page = int(parse_qs(environ.get("QUERY_STRING", "")).get("page", ["1"])[0])
    except ValueError:
        page = 0
    if page < 1:
        return "400 Bad Request", {"error": "page is a number from 1 on"}
    first, end = (page - 1) * PAGE, page * PAGE
    more = page + 1 if end < len(DASHBOARDS) else None
    return "200 OK", {"dashboards": DASHBOARDS[first:end], "next_page": more}
