"""API tokens: made, listed, revoked. The store keeps a hash of each; the token itself is shown once."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from connectors.errors import HeadwaterError
from lineage.store.objects import Objects

Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)  # each includes those before it
PREFIX = "hw_"
KIND = "token"
_SECRET_BYTES = 32
_ID_BYTES = 6


@dataclass(frozen=True)
class Token:
    """What is known of a token. Times are ISO texts in UTC; without `expires_at` it is good until it is revoked."""

    id: str
    name: str
    scope: Scope
    created_at: str
    expires_at: str | None
    hash: str

    @classmethod
    def from_body(cls, key: str, body: Mapping[str, Any]) -> Token:
        """As the store holds it."""
        return cls(
            key, **{name: body[name] for name in ("name", "scope", "created_at", "expires_at", "hash")}
        )

    def to_dict(self) -> dict[str, Any]:
        """Without its hash."""
        told = {name: value for name, value in vars(self).items() if name != "hash"}
        return told | {"expired": not self.is_valid(datetime.now(UTC))}

    def is_valid(self, now: datetime) -> bool:
        """Whether it has not expired at a moment."""
        return self.expires_at is None or now < datetime.fromisoformat(self.expires_at)

    def allows(self, scope: Scope) -> bool:
        """Whether its scope is this one or includes it."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


class Tokens:
    """The tokens of a store."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects

    def issue(self, scope: Scope, *, expires_at: datetime | None = None, name: str = "") -> tuple[str, Token]:
        """A new token, as it is to be presented, and what is kept of it."""
        secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        until = expires_at.astimezone(UTC).isoformat(timespec="seconds") if expires_at else None
        now = datetime.now(UTC).isoformat(timespec="seconds")
        token = Token(secrets.token_hex(_ID_BYTES), name, scope, now, until, hash_of(secret))
        body = {key: value for key, value in vars(token).items() if key != "id"}
        self.objects.put(KIND, token.id, body)
        return secret, token

    def list(self) -> list[Token]:
        """All that are not revoked, the oldest first."""
        found = (Token.from_body(key, body) for (_, key), body in self.objects.all(KIND).items())
        return sorted(found, key=lambda token: (token.created_at, token.id))

    def revoke(self, token_id: str) -> None:
        """Deletes a token. Raises HeadwaterError where none has the id."""
        if token_id.startswith(PREFIX):
            raise HeadwaterError(
                "that is a token, and not its id", hint="give the id that `headwater token list` shows"
            )
        if not self.objects.delete(KIND, token_id):
            raise HeadwaterError(
                f"no token has the id {token_id}", hint="`headwater token list` shows those that there are"
            )


def hash_of(secret: str) -> str:
    """What is kept in a token's place. It is 256 random bits: a plain hash cannot be searched backwards, and looking a
    hash up tells by its time nothing that helps to guess one, so neither salt nor constant time is needed.
    """
    return hashlib.sha256(secret.encode()).hexdigest()
