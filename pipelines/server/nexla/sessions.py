"""Access tokens: what the client gets for its service key, which is an API token of ours."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from datetime import datetime
from threading import Lock

from pipelines.server.access import KnownTokens
from pipelines.server.tokens import Token

LIFE_S = 86_400  # more than the client's margin of an hour, or it would ask before each call
_PREFIX = "hwa"


class Sessions:
    """Access tokens of one server: signed and kept nowhere, so that a handshake writes nothing.

    They hold while the API token behind them does. Servers that share HEADWATER_SECRET_KEY take each other's; without
    it they end with the server, and a client with a service key asks for another.
    """

    def __init__(self, tokens: KnownTokens) -> None:
        self._tokens = tokens
        shared = os.environ.get("HEADWATER_SECRET_KEY", "").split(",")[0]
        seed = shared.encode() if shared else secrets.token_bytes(32)
        self._key = hashlib.sha256(b"headwater access tokens\0" + seed).digest()
        self._ended: dict[str, int] = {}
        self._lock = Lock()

    def issue(self, service_key: str) -> tuple[str, int] | None:
        """An access token and the seconds that it holds; None for a key that is none."""
        token = self._tokens.find(service_key)
        if token is None:
            return None
        expires = int(time.time()) + LIFE_S
        if token.expires_at is not None:
            expires = min(expires, int(datetime.fromisoformat(token.expires_at).timestamp()))
        told = f"{_PREFIX}.{token.id}.{expires}.{secrets.token_urlsafe(12)}"
        return f"{told}.{self._signed(told)}", expires - int(time.time())

    def find(self, bearer: str) -> Token | None:
        """The API token behind an access token, or that is presented itself, while it holds."""
        if not bearer.startswith(f"{_PREFIX}."):
            return self._tokens.find(bearer)
        told, _, signature = bearer.rpartition(".")
        parts = told.split(".")
        if len(parts) != 4 or not hmac.compare_digest(signature.encode(), self._signed(told).encode()):
            return None
        if int(parts[2]) <= time.time() or told in self._ended:
            return None
        return self._tokens.with_id(parts[1])

    def end(self, bearer: str) -> None:
        """Ends an access token before its time."""
        told = bearer.rpartition(".")[0]
        now = time.time()
        with self._lock:
            self._ended = {one: until for one, until in self._ended.items() if until > now}
            if self.find(bearer) is not None and bearer.startswith(f"{_PREFIX}."):
                self._ended[told] = int(told.split(".")[2])

    def _signed(self, told: str) -> str:
        return hmac.new(self._key, told.encode(), hashlib.sha256).hexdigest()
