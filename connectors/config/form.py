"""A connector's configuration as the fields of a form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

_TYPES = {"string": "text", "integer": "int", "number": "number", "boolean": "bool", "array": "list"}
_FORMATS = {
    "uri": "url",
    "path": "file",
    "file-path": "file",
    "directory-path": "folder",
    "date-time": "time",
}


@dataclass(frozen=True)
class FormField:
    """One field. `type` is text, secret, url, file, folder, time, int, number, bool, list, choice, json.

    `name` is dotted for a field of a nested model; `choices` are a choice's values; `default` is None when
    there is none, and for a secret.
    """

    name: str
    type: str
    required: bool
    secret: bool
    default: Any = None
    help: str = ""
    choices: tuple[Any, ...] = ()


def form_fields(config: type[BaseModel]) -> list[FormField]:
    """The fields of a configuration model, in its order."""
    schema = config.model_json_schema()
    return list(_fields(schema, schema.get("$defs", {}), "", True))


def _fields(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str, required: bool
) -> list[FormField]:
    found: list[FormField] = []
    needed = set(schema.get("required", ()))
    for name, declared in schema.get("properties", {}).items():
        field = _resolved(declared, definitions)
        must = required and name in needed
        if field.get("type") == "object" and field.get("properties"):
            found += _fields(field, definitions, f"{prefix}{name}.", must)
            continue
        kind = _type(field)
        found.append(
            FormField(
                name=prefix + name,
                type=kind,
                required=must,
                secret=kind == "secret",
                default=None if kind == "secret" else field.get("default"),
                help=field.get("description", ""),
                choices=tuple(field.get("enum", ())),
            )
        )
    return found


def _resolved(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The field with its reference followed, and without the alternative that it is absent."""
    own = dict(field)
    options = own.pop("anyOf", None)
    if options is not None:
        given = [option for option in options if option.get("type") != "null"]
        if len(given) != 1:
            return own
        own = {**_resolved(given[0], definitions), **own}
    if reference := own.pop("$ref", None):
        own = {**_resolved(definitions[reference.rpartition("/")[2]], definitions), **own}
    return own


def _type(field: Mapping[str, Any]) -> str:
    if field.get("format") == "password" or field.get("writeOnly"):
        return "secret"
    if "enum" in field:
        return "choice"
    kind = field.get("type", "")
    if kind == "string" and field.get("format") in _FORMATS:
        return _FORMATS[field["format"]]
    return _TYPES.get(kind, "json")
