"""Calls to the server: requests out, JSON or errors back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeVar
from urllib.parse import SplitResult, quote, urlsplit

from pydantic import ValidationError

from connectors.config.secrets import Redactor
from connectors.errors import ConfigError, ConnectorError, HeadwaterError
from connectors.http import HttpClient, HttpPolicy

_RETRIES = 4
_LONGEST_WAIT_S = 10.0  # of all that a call's retries wait
_LARGEST_BYTES = 4 * 1024**3
T = TypeVar("T")


class ApiError(HeadwaterError):
    """The server refused or failed; `status` is that of its answer, None where there was none."""

    def __init__(
        self, message: str, *, status: int | None = None, hint: str | None = None, retryable: bool = False
    ) -> None:
        super().__init__(message, hint=hint, retryable=retryable, status=status)
        self.status = status


class Calls:
    """A server at an address, and the token it is asked with; paths are `below` one there. Reads are tried again when
    the server does not answer or says 503; writes are not.
    """

    def __init__(self, base_url: str, token: str | None, timeout_s: float, *, below: str = "/api/v1") -> None:
        parts = _address(base_url)
        self._base = f"{base_url.rstrip('/')}{below}"
        self._headers = {"accept": "application/json"}
        redact = Redactor()
        if token:
            if not (token.isascii() and token.isprintable()):
                raise ConfigError("the token has signs that no token has", hint="is it copied whole?")
            self._headers["authorization"] = f"Bearer {token}"
            redact.add(token)

        def client(retries: int) -> HttpClient:
            policy = HttpPolicy(
                endpoints=[f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"],
                timeout_s=timeout_s,
                retries=retries,
                max_wait_s=_LONGEST_WAIT_S,
                max_answer_bytes=_LARGEST_BYTES,
            )
            return HttpClient(policy, connection="the server", redact=redact)

        self._reads, self._writes = client(_RETRIES), client(0)

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON object at a path; parameters that are None are left out. Raises ApiError, as all of these do."""
        return self._object("GET", path, parameters)

    def post(self, path: str, body: Any) -> Any:
        """Sends JSON; gives the answer's."""
        return self._object("POST", path, {}, body)

    def put(self, path: str, body: Any = None, **parameters: Any) -> Any:
        """Sends JSON; gives the answer's."""
        return self._object("PUT", path, parameters, body)

    def delete(self, path: str, **parameters: Any) -> Any:
        """The answer's JSON, None where it has none."""
        return self._call("DELETE", path, parameters)

    def rows(self, path: str, **parameters: Any) -> list[Any]:
        """The JSON list at a path."""
        found = self._call("GET", path, parameters)
        if not isinstance(found, list):
            raise self._strange()
        return found

    def items(self, path: str, **parameters: Any) -> list[Any]:
        """The items of one page."""
        return self._page(path, parameters)[0]

    def pages(self, path: str, **parameters: Any) -> Iterator[Any]:
        """Every item of a list, page after page."""
        cursor: str | None = None
        while True:
            items, cursor = self._page(path, {**parameters, "cursor": cursor})
            yield from items
            if cursor is None:
                return

    def _page(self, path: str, parameters: Mapping[str, Any]) -> tuple[list[Any], str | None]:
        page = self._object("GET", path, parameters)
        items, cursor = page.get("items"), page.get("next_cursor")
        if not (isinstance(items, list) and isinstance(cursor, str | None)):
            raise self._strange()
        return items, cursor

    def _object(
        self,
        method: Literal["GET", "POST", "PUT"],
        path: str,
        parameters: Mapping[str, Any],
        body: Any = None,
    ) -> Any:
        found = self._call(method, path, parameters, body)
        if not isinstance(found, dict):
            raise self._strange()
        return found

    def understood(self, read: Callable[[], T]) -> T:
        """What is made of an answer, where that is as headwater's are."""
        try:
            return read()
        except (KeyError, TypeError, ValidationError):
            raise self._strange() from None

    def _strange(self, status: int | None = None) -> ApiError:
        told = "" if status is None else f" {status}"
        return ApiError(f"{self._base} answered{told}, and not as headwater does", status=status)

    def close(self) -> None:
        self._reads.close()
        self._writes.close()

    def _call(
        self,
        method: Literal["GET", "POST", "PUT", "DELETE"],
        path: str,
        parameters: Mapping[str, Any],
        body: Any = None,
    ) -> Any:
        client = self._reads if method == "GET" else self._writes
        given = {name: _written(value) for name, value in parameters.items() if value is not None}
        try:
            answer = client.request(method, self._base + path, params=given, headers=self._headers, json=body)
        except ConnectorError as error:
            raise ApiError(error.message, hint=error.hint, retryable=error.retryable) from error
        if answer.status_code == 204:
            return None
        try:
            told = answer.json()
        except ValueError:
            told = None
        if answer.is_success and told is not None:
            return told
        told = told if isinstance(told, dict) else {}
        message = told.get("detail") or told.get("message")
        if not message:
            raise self._strange(answer.status_code)
        raise ApiError(
            str(message),
            status=answer.status_code,
            hint=told.get("hint"),
            retryable=answer.status_code in (429, 503),
        )


def _address(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    except ValueError:
        pass  # it is none, too
    shown = re.sub(r"//[^/]*@", "//", text)
    raise ConfigError(f"{shown} is not the address of a server", hint="as http://127.0.0.1:8090")


def segment(text: str) -> str:
    """A text as one part of a path; dots too, or `..` would lead elsewhere."""
    return quote(text, safe="").replace(".", "%2E")


def _written(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
