"""The verbs of a hosted Secoda integration, in the child: what is declared or asked for goes to the host."""

from __future__ import annotations

import importlib
import os
import queue
import socket
import threading
from datetime import timedelta
from typing import Any

import httpx

from connectors.hosts.channel import pack, unpack

# By name: it is the real package where there is one, and headwater's own where not.
_strategies: Any = importlib.import_module("secodadk.strats.core")
# What the host's own client says anew.
_OF_THE_WIRE = frozenset({"host", "content-length", "transfer-encoding"})


class Host:
    """The way to the host: says things, and waits for answers to requests, from any thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._waiting: dict[int, queue.SimpleQueue[tuple[dict[str, Any], bytes]]] = {}
        self._count = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def say(self, message: dict[str, Any], body: bytes = b"") -> None:
        """Sends at once, so that nothing said is lost in a crash."""
        packed = pack(message, body)
        with self._lock:
            self._connection.sendall(packed)

    def ask(self, message: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
        """Sends, and waits for the answer."""
        answer: queue.SimpleQueue[tuple[dict[str, Any], bytes]] = queue.SimpleQueue()
        with self._lock:
            self._count += 1
            number = self._count
            self._waiting[number] = answer
        self.say({**message, "id": number}, body)
        return answer.get()

    def _listen(self) -> None:
        for message, body in unpack(self._connection.recv, 1 << 40):
            self._waiting.pop(message["id"]).put((message, body))
        os._exit(1)  # the host is gone


class Ingest(_strategies.IngestResourcesStrategy):  # type: ignore[misc]
    """Sends each declaration to the host, which validates it."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.finalized = False

    def declare_resource(self, resource: Any) -> None:
        self._host.say({"kind": "resource", "value": resource.model_dump(mode="json")})

    def declare_lineage(self, lineage: Any) -> None:
        self._host.say({"kind": "lineage", "value": lineage.model_dump(mode="json")})

    def finalize(self) -> None:
        self.finalized = True


class Network(_strategies.NetworkCallStrategy):  # type: ignore[misc]
    """Sends each request to the host. What `auth` asks for is done here, so any kind of httpx's works."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def make_request(
        self,
        method: str,
        url: str,
        *,
        params: Any = None,
        headers: Any = None,
        data: Any = None,
        json: Any = None,
        verify: Any = True,
        follow_redirects: bool = False,
        auth: Any = None,
    ) -> httpx.Response:
        raw = data if isinstance(data, bytes | str) else None
        form = None if raw is not None else data
        request = httpx.Request(
            method, url, params=params, headers=headers, content=raw, data=form, json=json
        )
        request.read()
        flow = _auth_flow(auth, request)
        request = next(flow)
        while True:
            response = self._send(request, follow_redirects, verify)
            try:
                request = flow.send(response)
            except StopIteration:
                return response

    def _send(self, request: httpx.Request, follow_redirects: bool, verify: Any) -> httpx.Response:
        asked = {
            "kind": "request",
            "method": request.method,
            "url": str(request.url),
            "headers": [(k, v) for k, v in request.headers.multi_items() if k.lower() not in _OF_THE_WIRE],
            "follow_redirects": bool(follow_redirects),
            "verify": verify if isinstance(verify, bool) else os.fspath(verify),
        }
        answer, body = self._host.ask(asked, request.read())
        if "error" in answer:
            kind = getattr(httpx, answer["error"]["type"], httpx.ConnectError)
            raise kind(answer["error"]["message"], request=request)
        return _response(answer, body, request)


class Discard(_strategies.IngestResourcesStrategy):  # type: ignore[misc]
    """What a script declares while it is imported is not meant for the host."""

    def declare_resource(self, resource: Any) -> None:
        """Nothing is kept."""

    def declare_lineage(self, lineage: Any) -> None:
        """Nothing is kept."""

    def finalize(self) -> None:
        """Nothing is left to do."""


class Refuse(_strategies.NetworkCallStrategy):  # type: ignore[misc]
    """A script asks nobody while it is imported."""

    def make_request(self, method: str, url: str, **options: Any) -> Any:
        raise httpx.ConnectError(f"{method} {url}: there is no network while the script is loaded")


def _auth_flow(auth: Any, request: httpx.Request) -> Any:
    if isinstance(auth, tuple | list):
        auth = httpx.BasicAuth(*auth)
    if isinstance(auth, httpx.Auth):
        return auth.sync_auth_flow(request)
    return httpx.Auth().sync_auth_flow(auth(request) if auth is not None else request)


def _response(answer: dict[str, Any], body: bytes, request: httpx.Request) -> httpx.Response:
    hops = [
        httpx.Response(
            hop["status"],
            headers=hop["headers"],
            content=b"",
            request=httpx.Request(hop["method"], hop["url"]),
        )
        for hop in answer["history"]
    ]
    last = httpx.Request(answer["method"], answer["url"]) if hops else request
    response = httpx.Response(
        answer["status"], headers=answer["headers"], content=body, request=last, history=hops
    )
    response.elapsed = timedelta(seconds=answer["elapsed_s"])
    return response
