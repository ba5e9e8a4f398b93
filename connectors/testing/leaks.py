"""Which values of a connector's settings are secret, and whether one stands in what it gave."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from connectors.config.secrets import Redactor, secrets_of
from connectors.testing.comparison import content
from connectors.testing.run import Extract

_SECRET = re.compile(
    r"(.*_)?(pass|passwd|passphrase|passcode|pwd|secrets?|tokens?|apikey|credential|signature)(_.*)?"
    r"|.*password|(.*_)?(api|access|account|auth|encryption|license|master|private|secret|shared|signing)_key|key"
)
# What lies about a secret, and is none: token_url, password_file, api_key_header.
_PUBLIC = re.compile(
    r".*_(column|count|endpoint|expiry|field|file|folder|header|id|limit|name|param|path|prefix|seconds|ttl|type"
    r"|uri|url|user)"
)


def sounds_secret(name: str) -> bool:
    """Whether a field of this name surely holds a secret, as far as a name can tell: its author is told so."""
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()
    return bool(_SECRET.fullmatch(plain)) and not _PUBLIC.fullmatch(plain)


class Leaks:
    """Looks for secrets in all the ways in which one is usually written: `typed` are those of configurations.

    `secrets` are all values of the credentials too: none may stand in a message. `certain` are those that are secret
    by their type or their name: a user's name may stand in what is read, as a table's owner. The methods raise
    AssertionError, which names no value.
    """

    def __init__(self, typed: Sequence[str], credentials: Sequence[Mapping[str, Any]]) -> None:
        named = [{k: v for k, v in given.items() if sounds_secret(k)} for given in credentials]
        self.certain = _with_passwords([*typed, *(one for given in named for one in secrets_of(given))])
        self.secrets = _with_passwords([*typed, *(one for given in credentials for one in secrets_of(given))])
        self._certain, self._every = Redactor(self.certain).forms, Redactor(self.secrets).forms

    def refuse_in_extract(self, found: Extract) -> None:
        """Looks in all that an extract gave, said and kept."""
        for what, texts in content(found).items():
            _refuse(self._certain, what, texts)
        _refuse(self._certain, "refused rows", [*found.refused_rows, *found.report.rejects])
        _refuse(self._certain, "state and cursors", [found.state, found.cursors])
        self.refuse_in("log", found.log)
        self.refuse_in("warnings", found.report.warnings)
        self.refuse_in_error(found.error)

    def refuse_in_error(self, error: Exception | None) -> None:
        """Looks in an error's message, hint and context."""
        if error is not None:
            self.refuse_in("error", [str(error), getattr(error, "context", {})])

    def refuse_in(self, what: str, values: Iterable[Any]) -> None:
        """Looks in messages."""
        _refuse(self._every, what, values)


def _refuse(forms: Sequence[str], what: str, values: Iterable[Any]) -> None:
    text = "\n".join(value if isinstance(value, str) else repr(value) for value in values)
    assert not any(form in text for form in forms), f"a secret stands in its {what}"


def _with_passwords(secrets: list[str]) -> list[str]:
    return [*secrets, *filter(None, map(_password, secrets))]


def _password(url: str) -> str | None:
    """The password within a URL."""
    try:
        password = urlsplit(url).password
    except ValueError:
        return None
    return unquote(password) if password else None
