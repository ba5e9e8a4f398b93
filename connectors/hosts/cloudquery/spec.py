"""A plugin's spec: what it is made of, what of it is secret, and whether it fits the plugin's JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Secret, SecretBytes, SecretStr

from connectors.config.secrets import is_address, may_be_secret
from connectors.errors import ConfigError

_WORDS = {"true", "false", "none", "null"}
_FAULTS = 20


def build_spec(spec: Mapping[str, Any], credentials: Mapping[str, str]) -> dict[str, Any]:
    """The spec as the plugin gets it: plain values, a credential's added at the top. Raises ConfigError when both
    give the same field.
    """
    if both := sorted(spec.keys() & credentials.keys()):
        raise ConfigError(
            f"spec: {', '.join(both)} is also in the credential", hint="give each in one of the two"
        )
    return {**_plain(spec), **credentials}


def secret_texts(spec: Any) -> list[str]:
    """What must not be shown of a spec: every text in it, less plain addresses of hosts and words like `true`;
    under a key that looks like a secret's, every value.
    """
    return [text for text, always in _texts(spec, False) if always or not _is_harmless(text)]


def certain_secrets(spec: Any) -> list[str]:
    """What of a spec is secret by its key's name, for what is stored: other texts of it may stand in records."""
    return [text for text, always in _texts(_plain(spec), False) if always]


def faults_of(spec: Mapping[str, Any], json_schema: str) -> list[str]:
    """Where a spec does not fit a JSON Schema: a line for each fault, without the values that were given.

    Raises ValueError when the schema itself is not one. It is not asked over the network for parts of it.
    """
    import jsonschema_rs

    # The library's errors of a schema are ValueErrors, of a reference that leads nowhere not always.
    try:
        schema = json.loads(json_schema)
        validator = jsonschema_rs.validator_for(schema, mask="the value", offline=True)
        errors = list(validator.iter_errors(dict(spec)))
    except (ValueError, RecursionError, jsonschema_rs.ReferencingError) as error:
        raise ValueError(f"the plugin's JSON Schema cannot be used: {type(error).__name__}") from None
    return [f"spec{_place(error.instance_path)}: {error.message}" for error in errors[:_FAULTS]]


def _place(path: list[str | int]) -> str:
    return "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in path)


def _is_harmless(text: str) -> bool:
    return len(text) < 4 or text.lower() in _WORDS or is_address(text)


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr | SecretBytes | Secret):
        return _plain(value.get_secret_value())
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    # YAML also knows dates.
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _texts(value: Any, always: bool) -> Iterator[tuple[str, bool]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _texts(one, always or may_be_secret(str(key)))
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, always)
    elif isinstance(value, str):
        yield value, always
    elif always and value is not None and not isinstance(value, bool):
        yield str(value), always
