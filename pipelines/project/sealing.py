"""Encrypts the secrets that the API is given, with a key that only the environment holds."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from connectors.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

KEY = "HEADWATER_SECRET_KEY"
_MAKE = (
    "make one with: "
    """python -c "import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())\""""
)


def seal(values: Mapping[str, Any]) -> str:
    """The values of a credential, encrypted. Raises ConfigError without a good key, and for what JSON cannot hold."""
    try:
        text = json.dumps(values, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ConfigError("a credential's values are no JSON", hint="give texts and numbers") from None
    return _keys().encrypt(text.encode()).decode()


def unseal(sealed: str) -> dict[str, Any]:
    """The values again. Raises ConfigError where the key is missing or malformed, or not the one that sealed them."""
    from cryptography.fernet import InvalidToken

    try:
        found: dict[str, Any] = json.loads(_keys().decrypt(sealed))
    except InvalidToken:
        raise ConfigError(
            "it was sealed with another key",
            hint=f"add that key to {KEY}, behind a comma, or give the secret again",
        ) from None
    return found


def reseal(sealed: str) -> str:
    """The same values, encrypted with the first key. Raises ConfigError as `unseal` does."""
    return seal(unseal(sealed))


def _keys() -> MultiFernet:
    """The keys of the environment, separated by commas: the first one seals, all of them open."""
    from cryptography.fernet import Fernet, MultiFernet

    given = [key.strip() for key in os.environ.get(KEY, "").split(",") if key.strip()]
    if not given:
        raise ConfigError(f"secrets cannot be encrypted: {KEY} is not set", hint=f"set {KEY}; {_MAKE}")
    try:
        return MultiFernet([Fernet(key) for key in given])
    except ValueError:
        raise ConfigError(f"{KEY} is not 32 bytes in URL-safe base64", hint=_MAKE) from None
