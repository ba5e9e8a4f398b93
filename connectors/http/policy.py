"""What a connection may ask for, how often, and how long it waits."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class HttpPolicy(BaseModel):
    """The HTTP settings of one connection.

    `endpoints` are the origins that may be asked: None leaves it to the connector, an empty list allows none.
    `transport` names a WSGI app (`module:attribute`) that answers in this process instead of the network.
    `timeout_s` is the longest silence, to connect and between two pieces of an answer; `total_s` the longest
    answer. `retries` repeat a request that was not processed, or may be repeated; all waits of one request
    together last at most `max_wait_s`. `rate_per_s` spaces requests, `concurrency` bounds those under way. A
    relative `ca_file` starts at the project's folder.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    endpoints: list[str] | None = None
    transport: str | None = Field(default=None, pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")
    timeout_s: float = Field(default=30.0, gt=0, le=3600)
    total_s: float = Field(default=900.0, gt=0)
    retries: int = Field(default=4, ge=0, le=20)
    max_wait_s: float = Field(default=120.0, ge=0)
    rate_per_s: float | None = Field(default=None, gt=0)
    concurrency: int = Field(default=8, ge=1, le=256)
    max_answer_bytes: int = Field(default=256 * 1024 * 1024, gt=0)
    proxy: SecretStr | None = None
    ca_file: str | None = None

    @field_validator("endpoints")
    @classmethod
    def _origins(cls, endpoints: list[str] | None) -> list[str] | None:
        return None if endpoints is None else [_origin(endpoint) for endpoint in endpoints]


def _origin(endpoint: str) -> str:
    try:
        parts = urlsplit(endpoint.strip())
        port = parts.port
    except ValueError:
        raise ValueError("an endpoint is an origin, such as https://bi.example.com") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise ValueError("an endpoint is an origin, such as https://bi.example.com")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("an endpoint is an origin without a path, such as https://bi.example.com")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" if port in (None, usual) else f"{parts.scheme}://{host}:{port}"
