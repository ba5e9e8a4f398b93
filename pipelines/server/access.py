"""Who may ask for what: by the token that a request carries, and by where the server is bound."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from lineage.store.version import TableVersion
from pipelines.server.tokens import SCOPES, Scope, Token, Tokens, hash_of

log = logging.getLogger("headwater.server")

# What tells nothing of the project's data, or no more than a counter.
OPEN = frozenset({"/", "/healthz", "/readyz", "/metrics", "/api/v1/docs", "/api/v1/openapi.json"})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    detail: str
    hint: str


class KnownTokens:
    """The store's tokens in memory, by hash. `look` takes up what changed; call it again and again from one thread."""

    def __init__(self, tokens: Tokens, version: TableVersion) -> None:
        self._tokens = tokens
        self._version = version
        self._seen: object = ()
        self._by_hash: Mapping[str, Token] = {}
        self._failing = False

    def look(self) -> None:
        """Never raises: while the store does not answer, or the tokens' table is gone, what was known last holds."""
        try:
            seen = self._version.read()
            if seen != self._seen:
                self._by_hash = {token.hash: token for token in self._tokens.list()}
                self._seen = seen
            self._failing = False
        except Exception:
            if not self._failing:
                log.exception("the tokens cannot be read; those known last hold")
            self._failing = True

    def with_id(self, token_id: str) -> Token | None:
        """The token of an id, while it is valid."""
        found = next((one for one in self._by_hash.values() if one.id == token_id), None)
        return found if found and found.is_valid(datetime.now(UTC)) else None

    def find(self, secret: str) -> Token | None:
        """The token that a secret is, while it is valid."""
        token = self._by_hash.get(hash_of(secret))
        return token if token and token.is_valid(datetime.now(UTC)) else None


@dataclass(frozen=True)
class Access:
    """The rules. `loopback` says that only this machine can connect, `insecure` that reading needs no token all the
    same. Paths that begin with one of `self_guarded` are let through: their routes ask for keys of their own.
    """

    tokens: KnownTokens
    loopback: bool = True
    insecure: bool = False
    self_guarded: tuple[str, ...] = ()

    def judge(
        self, method: str, path: str, host: str | None, authorization: str | None
    ) -> Token | Refusal | None:
        """The token of a request that may go on, None where it needs none; or why it may not."""
        if path.startswith(self.self_guarded):
            return None
        if authorization is None:
            return self._without_token(method, path, host)
        kind, _, secret = authorization.partition(" ")
        token = self.tokens.find(secret.strip()) if kind.lower() == "bearer" else None
        if token is None:
            return Refusal(401, "the token is not known, has expired or was revoked", _MAKE)
        needed = needed_scope(method)
        if path not in OPEN and not token.allows(needed):
            return too_small(token, needed)
        return token

    def _without_token(self, method: str, path: str, host: str | None) -> Refusal | None:
        # A page from elsewhere may have its name point here: then a browser sends that name.
        if self.loopback and not is_local_name(host):
            return Refusal(
                421, "this server answers to localhost only", "ask for http://127.0.0.1, or send a token"
            )
        if path in OPEN and method in _READS:
            return None
        if method in _READS and (self.loopback or self.insecure):
            return None
        needed = needed_scope(method)
        return Refusal(401, f"this needs a token with the scope {needed}", _MAKE)


_MAKE = "make one with `headwater token create --scope S`, and send it as `Authorization: Bearer TOKEN`"


def needed_scope(method: str) -> Scope:
    """What a method needs at least; a route may ask for more."""
    return "read" if method in _READS else "write"


def too_small(token: Token, needed: Scope) -> Refusal:
    """That a token's scope does not reach."""
    enough = " or ".join(SCOPES[SCOPES.index(needed) :])
    return Refusal(403, f"the token's scope is {token.scope}", f"this needs one with the scope {enough}")


def is_local_name(host: str | None) -> bool:
    """Whether a Host header names this machine."""
    name, colon, port = (host or "").rpartition(":")
    if not colon or not port.isdigit():
        name = host or ""
    return name.lower() in _LOCAL_NAMES


def is_loopback(host: str) -> bool:
    """Whether an address to bind to can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def has_valid_token(tokens: Tokens) -> bool:
    """Whether any token can be used now. Raises StoreError where the store cannot be read."""
    now = datetime.now(UTC)
    return any(token.is_valid(now) for token in tokens.list())
