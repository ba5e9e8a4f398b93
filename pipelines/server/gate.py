"""What every request passes: who asks, how much it sends, how its answer is marked, counted and, if it fails, told."""

from __future__ import annotations

import logging
import os
import re
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.server.access import Access, Refusal
from pipelines.server.metrics import RequestMetrics
from pipelines.server.problems import problem

MAX_BODY_BYTES = 5 * 1024 * 1024
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
log = logging.getLogger("headwater.server")


class Gate:
    """ASGI middleware. What it let pass has the request's `token` in its state, None without one."""

    def __init__(self, app: ASGIApp, access: Access, metrics: RequestMetrics) -> None:
        self._app = app
        self._access = access
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        passage = _Passage(scope, receive, send)
        try:
            await self._pass(passage)
        except Exception:
            log.exception("request %s: %s %s failed", passage.id, scope["method"], scope["path"])
            if passage.status:  # a part of the answer is gone: that it breaks off must be seen
                raise
            detail = f"the server failed; its log says more of request {passage.id}"
            await problem(500, detail, scope["path"])(scope, receive, passage.send)
        finally:
            route = getattr(passage.scope.get("route"), "path", None)
            seconds = time.perf_counter() - began
            self._metrics.observe(route, scope["method"], passage.status, seconds)

    async def _pass(self, passage: _Passage) -> None:
        headers = passage.headers
        given = self._access.judge(
            passage.scope["method"], passage.scope["path"], headers.get("host"), headers.get("authorization")
        )
        if not isinstance(given, Refusal):
            size = headers.get("content-length", "0")
            if not (size.isascii() and size.isdigit() and int(size[:19]) <= MAX_BODY_BYTES):
                given = Refusal(413, too_large(), "send it in parts")
        if isinstance(given, Refusal):
            named = {"WWW-Authenticate": "Bearer"} if given.status == 401 else None
            answer = problem(
                given.status, given.detail, passage.scope["path"], hint=given.hint, headers=named
            )
            await answer(passage.scope, passage.receive, passage.send)
            return
        passage.scope.setdefault("state", {})["token"] = given
        await self._app(passage.scope, passage.receive, passage.send)


class _Passage:
    """One request on its way, and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Where GET is answered, HEAD is, too; the server leaves the body out.
        self.scope = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        self.headers = Headers(scope=scope)
        self.status = 0
        self._receive = receive
        self._send = send
        self._received = 0
        given = self.headers.get("x-request-id", "")
        self.id = given if _REQUEST_ID.fullmatch(given) else os.urandom(8).hex()

    async def receive(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > MAX_BODY_BYTES:
            raise HTTPException(413, too_large())
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in _ALWAYS.items():
                headers.setdefault(name, value)
            headers["X-Request-Id"] = self.id
        await self._send(message)


def too_large() -> str:
    """That a request's body is too large."""
    return f"a request's body has at most {MAX_BODY_BYTES // 1024 // 1024} MiB"
