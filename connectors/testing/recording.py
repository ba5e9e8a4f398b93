"""HTTP for tests, at the wire: scripted answers, answers that fail now and then, and recorded ones.

Each is an httpx transport: give it to `run_connector(http=...)`, or to an `HttpClient`.
"""

from __future__ import annotations

import base64
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from connectors.config.secrets import Redactor
from connectors.http.answer import OF_THE_WIRE

KINDS = ("429", "500", "503", "timeout", "torn", "html")
Handler = Callable[[httpx.Request], httpx.Response]
_ANY = ("", "", "", ())  # the request that stands for every one


class InTurn:
    """Answers that are given one after another, each once."""

    def __init__(self, *answers: Any) -> None:
        self.answers = answers


class Scripted(httpx.BaseTransport):
    """Gives answers from a mapping, or one after another from a list; any other request fails the test.

    A mapping's keys are `"GET /orders?page=1"` or, for one host alone, `"GET https://a.test/orders"`; parameters may
    come in any order. An answer is JSON data (a dict or a list); a status; text or bytes, as a body is; a tuple
    `(status, answer)` or `(status, answer, headers)`; an exception, which is raised; or `InTurn(...)` of these.
    `requests` are what came in; `unknown` what no answer was found for, as the AssertionError that it raised says.
    """

    def __init__(self, answers: Mapping[str, Any] | Sequence[Any]) -> None:
        self.requests: list[httpx.Request] = []
        self.unknown: list[str] = []
        given = answers if isinstance(answers, Mapping) else {"": InTurn(*answers)}
        self._answers = {_parsed(key) if key else _ANY: value for key, value in given.items()}
        self._known = [key or f"{len(answers)} answers in turn" for key in given]
        self._turns: Counter[Any] = Counter()
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        with self._lock:
            self.requests.append(request)
            answer = self._next(request)
        if isinstance(answer, BaseException) or (
            isinstance(answer, type) and issubclass(answer, BaseException)
        ):
            raise answer
        return _response(answer)

    def _next(self, request: httpx.Request) -> Any:
        method, origin, path, query = _parsed(f"{request.method} {request.url}")
        for key in ((method, origin, path, query), (method, "", path, query), _ANY):
            if key in self._answers:
                answer = self._answers[key]
                if not isinstance(answer, InTurn):
                    return answer
                self._turns[key] += 1
                if self._turns[key] <= len(answer.answers):
                    return answer.answers[self._turns[key] - 1]
                raise self._fail(
                    f"{request.method} {request.url} came when its {len(answer.answers)} answers were given"
                )
        raise self._fail(f"no answer to {request.method} {request.url}")

    def _fail(self, text: str) -> AssertionError:
        self.unknown.append(text)
        return AssertionError(text + "; known are:\n  " + "\n  ".join(self._known))


class Flaky(httpx.BaseTransport):
    """Makes a share of the calls to another transport, or to a handler, fail: the same ones for the same seed.

    `kinds` come in turn: "429", "500" and "503" (which ask to be repeated at once), "timeout", "torn" (a body that
    breaks off) and "html" (a proxy's page with status 200). The same call fails at most `in_a_row` times before it
    passes, so that a client with as many retries gets through. A call that fails does not reach the transport.
    `calls` counts all, `faults` those that failed.
    """

    def __init__(
        self,
        inner: httpx.BaseTransport | Handler,
        share: float = 0.1,
        seed: int = 0,
        kinds: Sequence[str] = KINDS,
        in_a_row: int = 2,
    ) -> None:
        if unknown := set(kinds) - set(KINDS):
            raise ValueError(f"no kind of fault: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
        self.calls = 0
        self.faults = 0
        self._inner = inner if isinstance(inner, httpx.BaseTransport) else httpx.MockTransport(inner)
        self._share, self._seed, self._kinds, self._in_a_row = share, seed, tuple(kinds), in_a_row
        self._asked: Counter[str] = Counter()
        self._row: Counter[str] = Counter()
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        kind = self._fault(f"{request.method} {request.url} {request.read()!r}")
        if kind is None:
            return self._inner.handle_request(request)
        if kind == "timeout":
            raise httpx.ReadTimeout("injected: no answer in time", request=request)
        if kind == "torn":
            return httpx.Response(200, headers={"content-type": "application/json"}, stream=_Torn())
        if kind == "html":
            return httpx.Response(200, html="<html><body>injected: Bad Gateway</body></html>")
        return httpx.Response(int(kind), headers={"retry-after": "0"}, text="injected")

    def close(self) -> None:
        self._inner.close()

    def _fault(self, call: str) -> str | None:
        """The kind of the fault of a call. It hangs on the call alone, so the order of threads changes no count."""
        with self._lock:
            self.calls += 1
            self._asked[call] += 1
            chance = random.Random(f"{self._seed} {self._asked[call]} {call}").random()  # noqa: S311
            if chance >= self._share or self._row[call] >= self._in_a_row:
                self._row[call] = 0
                return None
            self._row[call] += 1
            self.faults += 1
            return self._kinds[(self.faults - 1) % len(self._kinds)]


class Recorder(httpx.BaseTransport):
    """Keeps real answers in a JSON file the first time, and gives them from the file afterwards.

    With no file at `path`, requests go to `inner` (by default the network), and closing writes the file. With one,
    they are answered from it, the same request's answers in their order; one that it does not have fails the test.
    `secrets` (of four characters or more) are masked wherever they stand, the same on both occasions, so a test may
    have another key than the recording; no header of a request is written, and no cookie.
    """

    def __init__(
        self, path: Path, inner: httpx.BaseTransport | None = None, *, secrets: Iterable[str] = ()
    ) -> None:
        self.path = Path(path)
        self.replays = self.path.exists()
        self._redact = Redactor(secrets)
        self._inner = inner
        self._calls: list[dict[str, Any]] = json.loads(self.path.read_text("utf-8")) if self.replays else []
        self._turns: Counter[str] = Counter()
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url.copy_with(userinfo=b"")
        asked = {"request": self._redact(f"{request.method} {url}")}
        if body := request.read():
            asked |= self._written(body)
        if self.replays:
            return self._recorded(asked)
        if self._inner is None:
            self._inner = httpx.HTTPTransport()
        response = self._inner.handle_request(request)
        content = response.read()
        headers = [
            [name, self._redact(value)]
            for name, value in response.headers.multi_items()
            if name.lower() not in OF_THE_WIRE | {"set-cookie"}
        ]
        answer = {"status": response.status_code, "headers": headers, **self._written(content)}
        with self._lock:
            self._calls.append({**asked, "answer": answer})
        # What a test sees the first time is what it sees afterwards.
        return _replayed(answer)

    def close(self) -> None:
        if self._calls and not self.replays:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(self._calls, indent=1, ensure_ascii=False)
            self.path.write_text(text + "\n", "utf-8")
        if self._inner is not None:
            self._inner.close()

    def _recorded(self, asked: dict[str, str]) -> httpx.Response:
        answers = [
            call["answer"]
            for call in self._calls
            if {k: v for k, v in call.items() if k != "answer"} == asked
        ]
        with self._lock:
            turn = self._turns[repr(asked)]
            self._turns[repr(asked)] += 1
        if turn < len(answers):
            return _replayed(answers[turn])
        known = "\n  ".join(dict.fromkeys(call["request"] for call in self._calls))
        raise AssertionError(
            f"{self.path.name} has {len(answers)} answers to {asked['request']}, and this is request "
            f"{turn + 1}; remove the file to record again. It knows:\n  {known}"
        )

    def _written(self, content: bytes) -> dict[str, str]:
        masked = self._redact(content.decode("utf-8", "surrogateescape"))
        try:
            masked.encode()
        except UnicodeEncodeError:
            return {"base64": base64.b64encode(masked.encode("utf-8", "surrogateescape")).decode()}
        return {"body": masked}


def _replayed(answer: dict[str, Any]) -> httpx.Response:
    content = base64.b64decode(answer["base64"]) if "base64" in answer else answer["body"].encode()
    return httpx.Response(answer["status"], headers=[(k, v) for k, v in answer["headers"]], content=content)


class _Torn(httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield b'{"data": [{"id": '
        raise httpx.RemoteProtocolError("injected: the body breaks off")


def _parsed(key: str) -> tuple[str, str, str, tuple[tuple[str, str], ...]]:
    """Method, origin or nothing, path, and parameters in an order of their own. Raises ValueError."""
    method, _, target = key.partition(" ")
    if not target.startswith(("/", "http://", "https://")):
        raise ValueError(f'{key!r} is no request: write "GET /path?a=1", or with https:// and the host')
    url = httpx.URL(target)
    origin = f"{url.scheme}://{url.netloc.decode('ascii')}" if url.host else ""
    return method.upper(), origin, url.path, tuple(sorted(url.params.multi_items()))


def _response(answer: Any) -> httpx.Response:
    headers: Mapping[str, str] = {}
    status = 200
    if isinstance(answer, tuple):
        status, answer, headers = (*answer, {})[:3]
    elif type(answer) is int:
        return httpx.Response(answer)
    if isinstance(answer, str | bytes):
        return httpx.Response(status, headers=headers, content=answer)
    return httpx.Response(status, headers=headers, json=answer)
