"""Values as a person wrote them in YAML, checked one at a time; every fault says where it stands."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from connectors.datasets.expression import Expression, parse_expression
from connectors.datasets.names import check_distinct, suggestion
from connectors.errors import DatasetError

Path = tuple[str, ...]


def at(error: DatasetError, path: Path) -> DatasetError:
    """The error with the place that it is about."""
    return DatasetError(error.message, hint=error.hint, path=path)


def mapping(value: Any, path: Path, example: str) -> Mapping[str, Any]:
    """Return a mapping with text for keys."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise DatasetError(f"{_where(path)} has to be a mapping", hint=f"such as {example}", path=path)
    return value


def keys(value: Mapping[str, Any], known: Collection[str], needed: Collection[str], path: Path) -> None:
    """Check that a mapping has no key but the known ones, and all that are needed."""
    for key in value:
        if key not in known:
            raise DatasetError(
                f"{key} is not a key of {_where(path)}", hint=suggestion(key, known), path=(*path, key)
            )
    for key in needed:
        if key not in value:
            raise DatasetError(f"{_where(path)} needs {key}", hint=f"add {key}", path=path)


def text(value: Any, path: Path) -> str:
    """Return a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise DatasetError(f"{_where(path)} has to be a text", hint="write one", path=path)
    return value


def expression(value: Any, path: Path) -> Expression:
    """Return a checked expression. A number or a truth value is one, too."""
    if isinstance(value, (bool, int, float)):
        value = str(value).lower()
    written = text(value, path)
    try:
        return parse_expression(written)
    except DatasetError as error:
        raise at(error, path) from None


def columns(value: Any, path: Path, empty: bool = False) -> tuple[str, ...]:
    """Return a list of columns, each once."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise DatasetError(
            f"{_where(path)} has to be a list of columns", hint="such as [id, name]", path=path
        )
    if not value and not empty:
        raise DatasetError(f"{_where(path)} names no column", hint="name one", path=path)
    check_distinct(value, path)
    return tuple(value)


def pairs(value: Any, path: Path, example: str) -> tuple[tuple[str, str], ...]:
    """Return a mapping of text to text as pairs, in its order."""
    given = mapping(value, path, example)
    if not given:
        raise DatasetError(f"{_where(path)} is empty", hint=f"such as {example}", path=path)
    return tuple((key, text(one, (*path, key))) for key, one in given.items())


def _where(path: Path) -> str:
    """The last key of a path, with the place before it where that is a number's."""
    if not path:
        return "the transform"
    return f"{path[-2]} {path[-1]}" if path[-1].isdigit() and len(path) > 1 else path[-1]
