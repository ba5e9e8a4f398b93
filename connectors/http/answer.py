"""What an API's answer says: its JSON, or an error that names the call and the cause."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx
import orjson

from connectors.errors import AccessDenied, AuthFailed, ConnectorError, RateLimited, UnexpectedAnswer
from connectors.http.origin import shown

# A body that is handed on decoded and whole is no longer what these say.
OF_THE_WIRE = frozenset({"content-encoding", "content-length", "transfer-encoding"})

_EXCERPT = 200  # characters of a body that an error shows
_MAY_PASS = frozenset({408, 425, 429})  # and all from 500 on
_DIGITS_TO_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_KINDS: dict[int, tuple[type[ConnectorError], str]] = {
    401: (AuthFailed, "check the connection's credential"),
    403: (AccessDenied, "give the connection's credential the right to read this"),
    429: (RateLimited, "lower rate_per_s, or raise retries and max_wait_s"),
}


@dataclass(frozen=True)
class JsonAnswer:
    """An answer's JSON as `data`; `call` is its method and address, which may be shown."""

    data: Any
    response: httpx.Response
    call: str


def read_answer(response: httpx.Response, redact: Callable[[str], str]) -> JsonAnswer | ConnectorError:
    """The JSON of an answer (None of one without content), or what is wrong with it: a status that is no
    success, or a body that is not JSON.
    """
    call = redact(f"{response.request.method} {shown(response.request.url)}")
    status = response.status_code
    if not response.is_success:
        kind, hint = _KINDS.get(status, (UnexpectedAnswer, None))
        text = _excerpt(response, redact)
        message = f"{call} answered {status}{_phrase(status)}" + (f": {text}" if text else "")
        return kind(message, hint=hint, retryable=status in _MAY_PASS or status >= 500, status=status)
    if status in (HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT):
        return JsonAnswer(None, response, call)
    try:
        return JsonAnswer(parse_json(response.content), response, call)
    except (ValueError, RecursionError) as error:
        what = response.headers.get("content-type", "no content type")
        return UnexpectedAnswer(
            f"{call} answered {status} with what is not JSON ({what}, {len(response.content)} bytes, "
            f"{redact(str(error))}): {_excerpt(response, redact)}",
            retryable=True,  # a proxy's page, or a body cut short: the next may be whole
            status=status,
        )


def parse_json(content: bytes) -> Any:
    """JSON as Python's values; integers keep every digit. What Python's own parser takes beyond the standard is
    taken too: NaN and Infinity, UTF-8 with a mark, UTF-16, and half of a surrogate pair. Raises ValueError or
    RecursionError.
    """
    # orjson makes rounded floats of integers beyond 64 bits, which have 19 digits or more.
    if b"0" * 19 not in content.translate(_DIGITS_TO_ZEROS):
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            pass
    return json.loads(content)


def _excerpt(response: httpx.Response, redact: Callable[[str], str]) -> str:
    text = redact(response.content[:10_000].decode(response.encoding or "utf-8", "replace"))
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= _EXCERPT else plain[:_EXCERPT] + "…"


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""
