"""Secrets: how `${VAR}` becomes a value, and how no value comes out again."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from pydantic import BaseModel, Secret, SecretBytes, SecretStr

MASK = "**********"
_VARIABLE = re.compile(r"\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})")


def expand(text: str, environment: Mapping[str, str]) -> tuple[str, list[str]]:
    """`${VAR}` and `${VAR:-default}` replaced, `$$` a dollar; with the names of the variables that are
    missing.
    """
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        name, default = match.groups()
        if name is None:
            return "$"
        if environment.get(name):
            return environment[name]
        if default is not None:
            return str(default)
        missing.append(name)
        return ""

    return _VARIABLE.sub(value, text), missing


def values_within(text: str, environment: Mapping[str, str]) -> list[str]:
    """What `expand` takes from the environment. A default stands in the file for all to read: it is no secret."""
    names = [match.group(1) for match in _VARIABLE.finditer(text) if match.group(1)]
    return [environment[name] for name in names if environment.get(name)]


class Redactor:
    """Masks known secret values in any text, also as URLs, JSON, Python's repr and base64 write them.

    Values under four characters are not masked: they would mask words.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._forms: list[str] = []
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Also masks each line of a secret of several lines."""
        lines = {line for secret in secrets for line in (secret, *secret.splitlines())}
        new = {line for line in lines if len(line.strip()) > 3} - self._known
        self._known |= new
        forms = {*self._forms, *(form for secret in new for form in _forms(secret))}
        self._forms = sorted(forms, key=len, reverse=True)

    @property
    def known(self) -> tuple[str, ...]:
        """The values that are masked, for another redactor to mask too."""
        return tuple(sorted(self._known))

    @property
    def forms(self) -> tuple[str, ...]:
        """The texts that are masked, the longest first."""
        return tuple(self._forms)

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, MASK)
        return text


_IN_PATH = "!$&'()*+,;=:@"  # what an address's path may hold as it is


def _forms(secret: str) -> set[str]:
    """The ways in which a secret is usually written, itself among them."""
    data = secret.encode("utf-8", "surrogateescape")
    return {
        secret,
        *(quote(data, safe=safe) for safe in ("", "/", _IN_PATH, "/" + _IN_PATH)),
        quote_plus(data),
        json.dumps(secret)[1:-1],
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        " ".join(secret.split()),
        # Without its padding: base64 is often written so, and with it the rest is masked all the same.
        base64.b64encode(data).decode().rstrip("="),
    }


class RedactingFilter(logging.Filter):
    """Masks secrets in a log record's message and its exception's text."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - a log call with wrong arguments must not fail its caller
            text = f"{record.msg} {record.args}"
        record.msg, record.args = self._redact(text), None
        if record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        if record.exc_text:
            record.exc_text = self._redact(record.exc_text)
        return True


_SECRET_NAME = re.compile(
    r"pass|secret|token|key|pwd|auth|private|signature|credential|bearer|cookie|dsn|jwt|connection_?string"
    r"|(^|_)(pin|pat)(_|$)",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(
    r"(.*_)?(primary|foreign|partition|sort|row|join|group|routing|cache|order)_?keys?", re.IGNORECASE
)


def may_be_secret(name: str) -> bool:
    """Whether a value of this name is masked: rather one too many."""
    return bool(_SECRET_NAME.search(name)) and not _NO_SECRET.fullmatch(name)


def secrets_of(value: Any) -> list[str]:
    """The secret values within a configuration model (its `SecretStr` fields) or a credential: every value of
    it as text, but for true, false and null, and for plain addresses of hosts: without those no message could say
    which host failed.
    """
    return [one for one in _secrets_in(value, every=isinstance(value, Mapping)) if not is_address(one)]


def is_address(text: str) -> bool:
    """Whether a text is the address of a web host and nothing more: no path, no question, no user."""
    try:
        parts = urlsplit(text)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return False
    bare = f"{parts.scheme}://{parts.hostname}{port}"
    return parts.scheme in {"http", "https"} and text.rstrip("/").lower() == bare


def _secrets_in(value: Any, *, every: bool) -> Iterator[str]:
    if isinstance(value, SecretStr | SecretBytes | Secret):
        yield from _secrets_in(value.get_secret_value(), every=True)
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets_in(getattr(value, name), every=every)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _secrets_in(one, every=every)
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from _secrets_in(one, every=every)
    elif every and value is not None and not isinstance(value, bool):
        yield value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
