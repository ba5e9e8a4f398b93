"""When a request is sent again, and how long it waits before."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from connectors.errors import ConnectorError

_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
_NOT_PROCESSED = frozenset({429, 503})
_MAY_PASS = frozenset({408, 425, 429, 502, 503, 504})


class Again(Exception):
    """An attempt that may be repeated, after `wait_s` seconds if the server said so.

    `end` is what the request comes to if it is not: the answer, or the error in its place.
    """

    def __init__(self, end: httpx.Response | ConnectorError) -> None:
        super().__init__(f"HTTP {end.status_code}" if isinstance(end, httpx.Response) else str(end))
        self.end = end
        self.wait_s = retry_after_s(end) if isinstance(end, httpx.Response) else None


class Patience:
    """The waits of one request, together at most `max_wait_s` seconds: a backoff hook for stamina."""

    def __init__(self, max_wait_s: float) -> None:
        self.left_s = max_wait_s
        self._backoff_s = 0.25

    def __call__(self, error: Exception) -> bool | float:
        if not isinstance(error, Again) or self.left_s <= 0:
            return False
        wait_s = error.wait_s
        if wait_s is None:
            # Half of it at random, so that many that failed together do not come back together.
            wait_s = self._backoff_s * random.uniform(0.5, 1.0)  # noqa: S311
            self._backoff_s = min(30.0, self._backoff_s * 2)
        if wait_s > self.left_s:
            return False
        self.left_s -= wait_s
        return wait_s


def is_idempotent(method: str) -> bool:
    """Whether a request sent twice does what one does (RFC 9110, 9.2.2)."""
    return method.upper() in _IDEMPOTENT


def may_repeat_answer(method: str, status: int) -> bool:
    """Whether the answer may be different next time, and asking again does nothing twice."""
    return status in _NOT_PROCESSED or (status in _MAY_PASS and is_idempotent(method))


def may_repeat_failure(method: str, error: httpx.TransportError) -> bool:
    """Whether a request without an answer may be sent again."""
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError) or is_tls_refusal(error):
        return False
    # Without a connection nothing was processed, whatever the method.
    return is_idempotent(method) or isinstance(
        error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout
    )


def is_tls_refusal(error: httpx.TransportError) -> bool:
    """Whether the server's certificate was refused."""
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def retry_after_s(response: httpx.Response) -> float | None:
    """`Retry-After` in seconds, from a number or an HTTP date (RFC 9110, 10.2.3); None when there is none."""
    text: str = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment: datetime = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
