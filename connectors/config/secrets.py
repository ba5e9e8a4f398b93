"""Secrets: how `${VAR}` becomes a value, and how no value comes out again."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

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


def has_variable(text: str) -> bool:
    """Whether the text takes a value from the environment."""
    return any(match.group(1) for match in _VARIABLE.finditer(text))


class Redactor:
    """Masks known secret values in any text. Values under four characters are not masked: they would mask
    words.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: list[str] = []
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Also masks each line of a secret of several lines."""
        lines = {line for secret in secrets for line in (secret, *secret.splitlines())}
        known = {*self._secrets, *(line for line in lines if len(line.strip()) > 3)}
        self._secrets = sorted(known, key=len, reverse=True)

    @property
    def known(self) -> tuple[str, ...]:
        """The values that are masked, for another redactor to mask too."""
        return tuple(self._secrets)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text


class RedactingFilter(logging.Filter):
    """Masks secrets in a log record's message and its exception's text."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = self._redact(record.getMessage()), None
        if record.exc_info:
            record.exc_text = self._redact(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


def secrets_of(value: Any) -> list[str]:
    """The secret values within a configuration model (its `SecretStr` fields) or a credential (every text of
    it).
    """
    if isinstance(value, SecretStr):
        return [value.get_secret_value()]
    if isinstance(value, SecretBytes):
        return [value.get_secret_value().decode("utf-8", "replace")]
    if isinstance(value, BaseModel):
        fields = [getattr(value, name) for name in type(value).model_fields]
        return [s for one in fields if not isinstance(one, Mapping) for s in secrets_of(one)]
    if isinstance(value, Mapping):
        return [s for one in value.values() for s in ([one] if isinstance(one, str) else secrets_of(one))]
    if isinstance(value, list | tuple | set):
        return [s for one in value for s in secrets_of(one)]
    return []
