"""Keeps secrets out of what the overlay stores in the clear."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from connectors.config.form import form_fields
from connectors.config.secrets import MASK, may_be_secret, secrets_of
from connectors.errors import ConfigError
from connectors.registry import load_connector
from connectors.sinks import load_sink
from lineage.store.objects import Body

# Values of a credential that may be shown, where they have one of these names.
_CLEAR = frozenset({"host", "port", "user", "username", "database", "dbname", "schema", "region", "account"})
_LONG_ENOUGH = 12  # a shorter one is found in words


def clear_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Of a credential's values those that are no secret, by their names; not one that a secret is equal to."""
    secrets = set(_secrets(values))
    return {
        name: value
        for name, value in values.items()
        if name in _CLEAR
        and not may_be_secret(name)
        and str(value) not in secrets
        and (isinstance(value, int) or (isinstance(value, str) and not _has_login(value)))
    }


def masked_values(value: Any) -> Any:
    """A credential's values as they may be shown: which there are, and not what they are."""
    if isinstance(value, Mapping):
        return {name: masked_values(one) for name, one in value.items()}
    if isinstance(value, list):
        return [masked_values(one) for one in value]
    return value if value is None or isinstance(value, bool) else MASK


def refuse_secrets_outside(body: Body, values: Mapping[str, Any]) -> None:
    """Raises ConfigError where a secret value of a credential stands in what is stored beside it."""
    beside = orjson.dumps({name: value for name, value in body.items() if name != "sealed"}).decode()
    for secret in _secrets(values):
        if len(secret) >= _LONG_ENOUGH and orjson.dumps(secret).decode()[1:-1] in beside:
            raise _refused("a value of the credential stands outside of its secret values")


def refuse_secrets_within(kind: str, settings: Mapping[str, Any], folder: Path) -> None:
    """Raises ConfigError where the settings of a connection or a sink hold what belongs in a credential."""
    if kind not in ("connection", "sink"):
        return
    name = settings["connector"]
    cls = load_connector(name, folder) if kind == "connection" else load_sink(name)
    fields = {field.name: field.secret for field in form_fields(cls.Config)}
    for path, _ in _leaves(settings.get("config"), ()):
        known = fields.get(".".join(path))
        if known or (known is None and path and may_be_secret(path[-1])):
            raise _refused(f"config.{'.'.join(path)} is a secret")
    for path, value in _leaves(settings, ()):
        if isinstance(value, str) and _has_login(value):
            raise _refused(f"{'.'.join(path)} is an address that holds a password")


def _secrets(values: Mapping[str, Any]) -> list[str]:
    return secrets_of({name: value for name, value in values.items() if may_be_secret(name)})


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _leaves(one, (*path, str(key)))
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one, path)
    elif value is not None:
        yield path, value


def _has_login(text: str) -> bool:
    if "://" not in text:
        return False
    try:
        parts = urlsplit(text)
        return parts.password is not None or any(may_be_secret(name) for name, _ in parse_qsl(parts.query))
    except ValueError:
        return True


def _refused(said: str) -> ConfigError:
    return ConfigError(said, hint="put it in a credential", refused="invalid")
