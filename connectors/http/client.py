"""One connection's HTTP client: allowed origins, retries, limits, counts, and no secret in any message."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import stamina

from connectors.config.secrets import Redactor
from connectors.errors import ConfigError, ConnectorError, UnexpectedAnswer, Unreachable
from connectors.http.answer import OF_THE_WIRE, JsonAnswer, read_answer
from connectors.http.origin import address, check_origin, leave_credentials, origin_of, shown
from connectors.http.pace import Pace
from connectors.http.policy import HttpPolicy
from connectors.http.retry import (
    Again,
    Patience,
    is_idempotent,
    is_tls_refusal,
    may_repeat_answer,
    may_repeat_failure,
)
from connectors.http.transport import load_wsgi_app

# Retries are told in the connection's own log; stamina would print each on the user's terminal as well.
stamina.instrumentation.set_on_retry_hooks([])

_MAX_REDIRECTS = 20


@dataclass
class HttpCounts:
    """What a client did: requests sent, those among them that repeated another, and bytes of answers read."""

    requests: int = 0
    retries: int = 0
    bytes: int = 0


class HttpClient:
    """The HTTP client of one connection; safe to use from many threads.

    `folder` is the project's: a relative `ca_file` and the module of `transport` are looked up there.
    `transport` answers instead of the network, and instead of the policy's own transport.
    """

    def __init__(
        self,
        policy: HttpPolicy | None = None,
        *,
        connection: str = "",
        folder: Path | None = None,
        redact: Redactor | None = None,
        log: logging.Logger | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.policy = policy or HttpPolicy()
        self.counts = HttpCounts()
        self._connection = connection or "this connection"
        self._folder = folder or Path()
        self._redact = redact or Redactor()
        if self.policy.proxy:
            self._redact.add(self.policy.proxy.get_secret_value())
        self._log = log or logging.getLogger("headwater.http")
        self._transport = transport
        self._clients: dict[str | bool, httpx.Client] = {}
        self._lock = threading.Lock()
        self._pace = Pace(self.policy.rate_per_s)
        self._slots = threading.BoundedSemaphore(self.policy.concurrency)

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Any = None,
        headers: Any = None,
        data: Any = None,
        json: Any = None,
        content: bytes | None = None,
        follow_redirects: bool = False,
        verify: bool | str = True,
        auth: Any = None,
        accept: Callable[[httpx.Response], bool] | None = None,
    ) -> httpx.Response:
        """Sends a request; the answer is whole, has its `request`, and is never raised for its status.

        `verify` may be the path of a CA file. `accept` judges each answer, whatever its status: one that it does
        not take is asked for again like a 503, where that does nothing twice (RFC 9110, 9.2.2), and is given
        as it is when the retries are used up. Raises `AccessDenied` for an origin outside the endpoints,
        `Unreachable` when there is no answer, `UnexpectedAnswer` when it is not HTTP, too large or redirects
        for ever.
        """
        client = self._client(verify)
        try:
            request = client.build_request(
                method, url, params=params, headers=headers, data=data, json=json, content=content
            )
        except httpx.InvalidURL as error:
            raise ConnectorError(f"{self._connection}: the address is not a URL: {error}") from None
        cookies = httpx.Cookies()
        history: list[httpx.Response] = []
        while True:
            check_origin(request.url, self.policy.endpoints, self._connection)
            answer, following = self._hop(client, request, auth, accept)
            answer.history = list(history)
            if not (follow_redirects and following):
                return answer
            if len(history) == _MAX_REDIRECTS:
                raise UnexpectedAnswer(f"{shown(request.url)} redirects more than {_MAX_REDIRECTS} times")
            history.append(answer)
            leave_credentials(following, request)
            cookies.extract_cookies(answer)
            cookies.set_cookie_header(following)
            # A redirected request carries its Authorization header already, or must not.
            request, auth = following, None

    def ask_json(
        self,
        method: str,
        url: str,
        *,
        params: Any = None,
        headers: Any = None,
        json: Any = None,
        auth: Any = None,
    ) -> JsonAnswer:
        """Sends a request and reads its answer's JSON; redirects are followed, `params` join those of `url`.

        A 500, and a success that is not JSON, are asked for again where that does nothing twice. Raises, beside
        what `request` does, `AuthFailed` for 401, `AccessDenied` for 403, `RateLimited` for 429, and
        `UnexpectedAnswer` for any other status that is no success and for what is not JSON.
        """
        read: JsonAnswer | ConnectorError | None = None

        def accept(answer: httpx.Response) -> bool:
            nonlocal read
            read = read_answer(answer, self._redact)
            return not (isinstance(read, ConnectorError) and read.retryable)

        wanted = httpx.Headers({"accept": "application/json"})
        wanted.update(headers)
        self.request(
            method,
            str(address(url, params)),
            headers=wanted,
            json=json,
            auth=auth,
            follow_redirects=True,
            accept=accept,
        )
        if not isinstance(read, JsonAnswer):
            raise read or AssertionError("every answer is read")
        return read

    def close(self) -> None:
        """Closes what is open."""
        for client in self._clients.values():
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- one request, with its retries

    def _hop(
        self,
        client: httpx.Client,
        request: httpx.Request,
        auth: Any,
        accept: Callable[[httpx.Response], bool] | None,
    ) -> tuple[httpx.Response, httpx.Request | None]:
        patience = Patience(self.policy.max_wait_s)
        attempts = stamina.retry_context(on=patience, attempts=self.policy.retries + 1, timeout=None)
        try:
            for attempt in attempts.with_name(f"{request.method} {origin_of(request.url)}", (), {}):
                with attempt:
                    if attempt.num > 1:
                        self._log.info(
                            "%s %s: attempt %d", request.method, origin_of(request.url), attempt.num
                        )
                    self._pace.wait()
                    with self._slots:
                        answer, following = self._send(client, request, auth, repeated=attempt.num > 1)
                    refused = accept is not None and not accept(answer)
                    if may_repeat_answer(request.method, answer.status_code) or (
                        refused and is_idempotent(request.method)
                    ):
                        raise Again(answer)
                    return answer, following
        except Again as last:
            if isinstance(last.end, httpx.Response):
                return last.end, None
            raise last.end from last.__cause__
        raise AssertionError("stamina ends with an answer or with the last attempt's exception")

    def _send(
        self, client: httpx.Client, request: httpx.Request, auth: Any, *, repeated: bool
    ) -> tuple[httpx.Response, httpx.Request | None]:
        with self._lock:
            self.counts.requests += 1
            self.counts.retries += repeated
        started = time.monotonic()
        try:
            response = client.send(request, auth=auth, stream=True)
            try:
                answer = self._read(response, request, started)
            finally:
                response.close()
        except httpx.TransportError as error:
            unreachable = self._unreachable(request, error)
            if may_repeat_failure(request.method, error):
                raise Again(unreachable) from error
            raise unreachable from error
        except (httpx.DecodingError, httpx.InvalidURL) as error:
            torn = isinstance(error, httpx.DecodingError)  # else it redirects to what is no URL
            unreadable = UnexpectedAnswer(
                self._redact(
                    f"{request.method} {shown(request.url)} gave an answer that cannot be read: {error}"
                ),
                retryable=torn,
            )
            if torn and is_idempotent(request.method):
                raise Again(unreadable) from error
            raise unreadable from error
        self._log.debug(self._redact(f"{request.method} {shown(request.url)} -> {answer.status_code}"))
        return answer, response.next_request

    def _read(self, response: httpx.Response, request: httpx.Request, started: float) -> httpx.Response:
        """The answer with its body decoded, held to the policy's size and time."""
        pieces, size = [], 0
        for piece in response.iter_bytes():
            pieces.append(piece)
            size += len(piece)
            if size > self.policy.max_answer_bytes:
                raise UnexpectedAnswer(
                    f"{shown(request.url)} answers with more than {self.policy.max_answer_bytes} bytes",
                    hint="ask for smaller pages, or raise max_answer_bytes",
                )
            if time.monotonic() - started > self.policy.total_s:
                raise Unreachable(
                    f"{origin_of(request.url)} was still answering after {self.policy.total_s:g} s",
                    hint="raise total_s if answers take this long",
                    host=request.url.host,
                )
        if _ends_early(response):
            raise httpx.DecodingError("its compressed body ends early", request=request)
        with self._lock:
            self.counts.bytes += size
        answer = httpx.Response(
            response.status_code,
            headers=[(k, v) for k, v in response.headers.multi_items() if k.lower() not in OF_THE_WIRE],
            content=b"".join(pieces),
            request=response.request,
            extensions=response.extensions,
        )
        answer.elapsed = timedelta(seconds=time.monotonic() - started)
        return answer

    def _unreachable(self, request: httpx.Request, cause: BaseException) -> Unreachable:
        text = self._redact(str(cause)) or "no cause given"
        untrusted = isinstance(cause, httpx.TransportError) and is_tls_refusal(cause)
        return Unreachable(
            self._redact(f"{origin_of(request.url)} does not answer {request.method} {request.url.path}: ")
            + f"{type(cause).__name__}: {text}",
            hint="name your CA in ca_file" if untrusted else "check the address, the network and the proxy",
            retryable=not untrusted,
            host=request.url.host,
            cause=type(cause).__name__,
        )

    # -- httpx clients, one for each way to verify

    def _client(self, verify: bool | str) -> httpx.Client:
        with self._lock:
            if verify not in self._clients:
                self._clients[verify] = self._open(verify)
            return self._clients[verify]

    def _open(self, verify: bool | str) -> httpx.Client:
        if self._transport is None and self.policy.transport:
            self._transport = load_wsgi_app(self.policy.transport, self._folder)
        limits = httpx.Limits(max_connections=self.policy.concurrency)
        return httpx.Client(
            transport=self._transport,
            proxy=self.policy.proxy.get_secret_value() if self.policy.proxy and not self._transport else None,
            verify=self._trusted(verify) if verify else False,
            timeout=self.policy.timeout_s,
            limits=limits,
            headers={"user-agent": f"headwater/{_version()}"},
            # Each request stands alone, as in the Secoda SDK; cookies live as long as a chain of redirects.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    def _trusted(self, verify: bool | str) -> ssl.SSLContext:
        context = httpx.create_ssl_context()
        for path in (self.policy.ca_file, verify if isinstance(verify, str) else None):
            if path is None:
                continue
            try:
                context.load_verify_locations(self._folder / Path(path).expanduser())
            except OSError as error:  # an SSLError is one
                raise ConfigError(f"the CA file {path} cannot be used: {error}") from error
        return context


def _ends_early(response: httpx.Response) -> bool:
    # httpx takes a compressed body that breaks off for whole, and tells its decoder to none.
    decompressor = getattr(getattr(response, "_decoder", None), "decompressor", None)
    return response.num_bytes_downloaded > 0 and getattr(decompressor, "eof", True) is False


def _version() -> str:
    try:
        return version("headwater")
    except PackageNotFoundError:
        return "0"
