"""Calls to the server: requests out, JSON or errors back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from connectors.config.secrets import Redactor
from connectors.errors import ConfigError, ConnectorError, HeadwaterError
from connectors.http import HttpClient, HttpPolicy

_RETRIES = 4
_LONGEST_WAIT_S = 10.0  # of all that a call's retries wait
_LARGEST_BYTES = 4 * 1024**3


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
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{base_url} is not the address of a server", hint="as http://127.0.0.1:8090")
        self._base = f"{base_url.rstrip('/')}{below}"
        self._headers = {"accept": "application/json"}
        redact = Redactor()
        if token:
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
        """The JSON at a path; parameters that are None are left out. Raises ApiError."""
        return self._call(self._reads, "GET", path, parameters)

    def post(self, path: str, body: Any) -> Any:
        """Sends JSON; gives the answer's. Raises ApiError."""
        return self._call(self._writes, "POST", path, {}, body)

    def put(self, path: str, body: Any = None, **parameters: Any) -> Any:
        """Sends JSON; gives the answer's. Raises ApiError."""
        return self._call(self._writes, "PUT", path, parameters, body)

    def delete(self, path: str, **parameters: Any) -> Any:
        """The answer's JSON, None where it has none. Raises ApiError."""
        return self._call(self._writes, "DELETE", path, parameters)

    def pages(self, path: str, **parameters: Any) -> Iterator[Any]:
        """Every item of a list, page after page. Raises ApiError."""
        cursor: str | None = None
        while True:
            page = self.get(path, **parameters, cursor=cursor)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def close(self) -> None:
        self._reads.close()
        self._writes.close()

    def _call(
        self,
        client: HttpClient,
        method: Literal["GET", "POST", "PUT", "DELETE"],
        path: str,
        parameters: Mapping[str, Any],
        body: Any = None,
    ) -> Any:
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
        message = (
            told.get("detail")
            or told.get("message")
            or f"{self._base} answered {answer.status_code}, and not as headwater does"
        )
        raise ApiError(
            str(message),
            status=answer.status_code,
            hint=told.get("hint"),
            retryable=answer.status_code in (429, 503),
        )


def segment(text: str) -> str:
    """A text as one part of a path; dots too, or `..` would lead elsewhere."""
    return quote(text, safe="").replace(".", "%2E")


def _written(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
