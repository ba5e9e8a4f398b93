"""Keeps secrets out of what the overlay stores in the clear."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson

from connectors.config.form import form_fields
from connectors.config.secrets import MASK, may_be_secret, secrets_of
from connectors.errors import ConfigError
from connectors.model.logins import without_login
from connectors.registry import load_connector
from connectors.sinks import load_sink
from lineage.store.objects import Body

# Values of a credential that may be shown, where they have one of these names.
_USERS = frozenset({"user", "username"})
_CLEAR = _USERS | {"host", "port", "database", "dbname", "schema", "region", "account"}
_LONG_ENOUGH = 12  # a shorter one is found in words
_RUN = re.compile(rf"[A-Za-z0-9]{{{_LONG_ENOUGH},}}")
_SAS = re.compile(r"(?:.*_)?sas(?:_.*)?", re.I)  # Azure's shared access signature
_ADDRESS = re.compile(r"(?:jdbc:|[a-z][a-z0-9+.-]{0,20}://)\S+", re.I)
_PARAMETER = re.compile(r"[?&;#]([^?&;#=\s]+)=([^&;#\s]+)")
_BARE = re.compile(r"(?!mailto:|jdbc:)(?://)?[^/@:\s]+:([^/\s]+)@[^@\s]+", re.I)  # user:password@host
_AUTHORIZATION = re.compile(r"(?i:\b(?:bearer|basic))\s+(?![A-Z]?[a-z]+(?:\s|$))(\S{8,})")
_PAIR = re.compile(r"\b(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s']\S*)")
# What stands around an address in a text, or in a pattern of one.
_AROUND = re.compile(r"[\s'\"<>(){}\[\]|\\^`]+")


def clear_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Of a credential's values those that are no secret, by their names; not one that a secret is equal to."""
    secrets = set(_secrets(values))
    return {
        name: value
        for name, value in values.items()
        if name in _CLEAR
        and isinstance(value, int | str)
        and str(value) not in secrets
        and not any(_secret_parts(str(value)))
        and (name in _USERS or "@" not in str(value))
    }


def masked_values(value: Any) -> Any:
    """A credential's values as they may be shown: which there are, which are empty, and not what they are."""
    if isinstance(value, Mapping):
        return {name: masked_values(one) for name, one in value.items()}
    if isinstance(value, list):
        return [masked_values(one) for one in value]
    return value if value in (None, "") or isinstance(value, bool) else MASK


def refuse_secrets_outside(body: Body, values: Mapping[str, Any]) -> None:
    """Raises ConfigError where a secret value of a credential stands in what is stored beside it."""
    beside = orjson.dumps({name: value for name, value in body.items() if name != "sealed"}).decode()
    for secret in _secrets(values):
        if len(secret) >= _LONG_ENOUGH and orjson.dumps(secret).decode()[1:-1] in beside:
            raise _refused(
                "a value of the credential stands outside of its secret values", "leave it out there"
            )


def refuse_secrets_within(kind: str, body: Body, folder: Path) -> None:
    """Raises ConfigError where an object holds, outside of its sealed values, what belongs in a credential."""
    settings = body["settings"]
    if kind in ("connection", "sink"):
        _refuse_secret_settings(kind, settings, folder)
    for part in ({"name": body["name"]}, settings, body["more"]):
        for path, text in _texts(part, ()):
            if _tells_a_login(text):
                raise _refused(f"{_named(path)} holds an address with a login", "leave the login out")


def _refuse_secret_settings(kind: str, settings: Mapping[str, Any], folder: Path) -> None:
    name = settings["connector"]
    cls = load_connector(name, folder) if kind == "connection" else load_sink(name)
    fields = {field.name: field.secret for field in form_fields(cls.Config)}
    for path, _ in _leaves(settings.get("config"), ()):
        known = fields.get(".".join(path))
        if known or (known is None and path and (may_be_secret(path[-1]) or _SAS.fullmatch(path[-1]))):
            raise _refused(f"{_named(('config', *path))} is a secret")
    for path, text in _texts(settings, ()):
        if any(_secret_parts(text)):
            raise _refused(f"{_named(path)} holds a password or a token")


def _secrets(values: Mapping[str, Any]) -> Iterator[str]:
    """What is secret of a credential: values by their names or their looks, and parts of values."""
    for path, value in _leaves(values, ()):
        if any(map(may_be_secret, path)) or (path[-1] not in _CLEAR and _looks_random(str(value))):
            yield from secrets_of({"": value})
        yield from _secret_parts(str(value))


def _looks_random(text: str) -> bool:
    return any(not run.isalpha() and not run.isdigit() for run in _RUN.findall(text))


def _secret_parts(text: str) -> Iterator[str]:
    """What of a value is a password or a token, as it is written and as it is meant."""
    parts = [part for address in _ADDRESS.findall(text) for part in (_login(address), *_parameters(address))]
    if found := _BARE.fullmatch(text):
        parts.append(found[1])
    parts += [found[1] for found in _AUTHORIZATION.finditer(text)]
    parts += [value.strip("'") for name, value in _pairs(text) if may_be_secret(name)]
    for part in filter(None, parts):
        yield from {part, unquote(part)}


def _tells_a_login(text: str) -> bool:
    """Whether there is an address with a login in a text that people, or engines, read."""
    addresses = [address for word in _AROUND.split(text) for address in _ADDRESS.findall(word)]
    return any(
        _login(address) or any(len(value) >= _LONG_ENOUGH for value in _parameters(address))
        for address in addresses
    )


def _login(address: str) -> str:
    """The password in an address; where there is only a user, that, for it is a token. Empty where there is none."""
    place = re.split("[?;]", without_login(address))[0]
    if place == re.split("[?;]", address)[0]:
        return ""
    scheme, slashes, rest = place.partition("//")
    login = address.removeprefix(scheme + slashes).partition(f"@{rest}")[0]
    user, _, password = login.partition(":")
    # A user alone is told to SSH as a matter of course: git@github.com.
    return password or ("" if scheme.lower().endswith(("ssh:", "sftp:")) else user)


def _parameters(address: str) -> list[str]:
    """The values in an address's question and fragment that may be secret by their names."""
    given = [(unquote(name), value) for name, value in _PARAMETER.findall(address)]
    return [value for name, value in given if may_be_secret(name) or name.lower() == "sig"]


def _pairs(text: str) -> list[tuple[str, str]]:
    """The names and values of a text that is nothing but these, as libpq writes them or with semicolons."""
    if ";" not in text:
        return [] if _PAIR.sub("", text).strip() else _PAIR.findall(text)
    parts = [part.partition("=") for part in text.split(";") if part.strip()]
    is_list = all(mark and len(name.split()) in (1, 2) for name, mark, _ in parts)
    return [(name.strip(), value.strip()) for name, _, value in parts] if is_list else []


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _leaves(one, (*path, str(key)))
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one, path)
    elif value is not None:
        yield path, value


def _texts(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Values that are texts, and names."""
    for names, one in _leaves(value, path):
        yield from ((names, name) for name in names)
        if isinstance(one, str):
            yield names, one


def _named(path: tuple[str, ...]) -> str:
    return ".".join(MASK if any(_secret_parts(name)) else name for name in path)


def _refused(said: str, hint: str = "put it in a credential") -> ConfigError:
    return ConfigError(said, hint=hint, refused="invalid")
