"""Transports that watch what a connector asks for, and deny some of it."""

from __future__ import annotations

import re

import httpx


class NoHttp(httpx.BaseTransport):
    """For what asks nothing: a request fails the test."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        asked = f"{request.method} {request.url}"
        raise AssertionError(f"it asks for {asked}: give `http`, which answers in the place of the network")


class Watching(httpx.BaseTransport):
    """Notes the paths that are asked for."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.paths: list[str] = []
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        return self._inner.handle_request(request)


class Denying(httpx.BaseTransport):
    """Answers 403 to one path, in which a star stands for a part between slashes."""

    def __init__(self, inner: httpx.BaseTransport, path: str) -> None:
        self._inner = inner
        self._path = re.compile("[^/]*".join(map(re.escape, path.split("*"))))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self._path.fullmatch(request.url.path):
            return httpx.Response(403, json={"error": "denied"})
        return self._inner.handle_request(request)


def shape_of(path: str) -> str:
    """A path with stars for its parts that have digits, ids most likely; a version ("v2") stays."""
    parts = path.split("/")
    return "/".join("*" if re.search(r"\d", p) and not re.fullmatch(r"v\d+(\.\d+)*", p) else p for p in parts)
