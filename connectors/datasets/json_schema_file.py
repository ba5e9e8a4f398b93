"""The file of a JSON Schema, and what is said of one that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs

from connectors.errors import DatasetError

MAX_BYTES = 10 * 1024 * 1024


def read_document(path: Path) -> dict[str, Any] | bool:
    """A file's schema, not yet checked. Raises DatasetError for a file that holds none."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DatasetError(
            f"schema: {path} cannot be read: {error.strerror}",
            hint="write a file's name as seen from the project's folder",
            path=("schema",),
        ) from None
    if len(text) > MAX_BYTES:
        raise DatasetError(f"schema: {path} has more than {MAX_BYTES} bytes", path=("schema",))
    try:
        document: Any = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise DatasetError(
            f"schema: {path} is no JSON: {error}", hint="mend the file", path=("schema",)
        ) from None
    if not isinstance(document, dict | bool):
        raise DatasetError(
            f"schema: {path} holds no JSON Schema", hint="it has to be an object", path=("schema",)
        )
    return document


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def unusable(error: jsonschema_rs.ValidationError) -> DatasetError:
    """What jsonschema-rs says of a schema that it cannot compile, with its place in the schema."""
    path = ("schema", *map(str, error.instance_path))
    said = error.message.splitlines()[0]
    if error.kind.name in ("$ref", "referencing") or "retriev" in said or "meta-schema" in said:
        hint = "a schema refers to parts of itself only (#/$defs/name); copy what it needs into it"
        if "meta-schema" in said:
            hint = "$schema names a published draft; leave it out for 2020-12"
        said = said.partition(" and retrieving it failed")[0]
        return DatasetError(f"{'.'.join(path)}: {said}", hint=hint, path=path)
    return DatasetError(f"{'.'.join(path)} is not valid: {said}", hint="mend the schema", path=path)
