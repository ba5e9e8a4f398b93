"""The overlay as a part of headwater.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.project import Project
from pipelines.project.model import SECTIONS
from pipelines.project.overlay import as_written


@dataclass(frozen=True)
class Export:
    """`data` is to be merged into the file's; `sinks` are, by dataset of the file, all that it then delivers to.

    `variables` are the names of the environment in which the secrets are expected.
    """

    data: Mapping[str, Mapping[str, Any]]
    sinks: Mapping[str, list[str]]
    variables: list[str]


def exported(project: Project) -> Export:
    """The objects of the overlay that are part of a project. No secret is in it: a credential has `${NAME}` instead."""
    data: dict[str, dict[str, Any]] = {}
    variables: list[str] = []
    for (kind, key), body in sorted(project.overlay.items()):
        written = as_written(kind, body)
        if kind == "credential":
            written = _placeholders(body["more"].get("fields", {}), key, variables)
        if kind == "dataset":
            written = {**written, "sinks": project.model.datasets[key].sinks}
            written = {part: value for part, value in written.items() if part != "sinks" or value}
        data.setdefault(SECTIONS[kind], {})[key] = written
    return Export(data, _additions(project), variables)


def _additions(project: Project) -> dict[str, list[str]]:
    own = {key for kind, key in project.overlay if kind == "sink"}
    return {
        name: one.sinks
        for name, one in project.model.datasets.items()
        if ("dataset", name) not in project.overlay and own.intersection(one.sinks)
    }


def _placeholders(value: Any, name: str, variables: list[str]) -> Any:
    """The values of a credential as variables, whose names are added to `variables`.

    An empty text stays: a variable that is set to one counts as missing.
    """
    if isinstance(value, Mapping):
        return {key: _placeholders(one, f"{name}_{key}", variables) for key, one in value.items()}
    if isinstance(value, list):
        return [_placeholders(one, f"{name}_{at}", variables) for at, one in enumerate(value)]
    if value in (None, "") or isinstance(value, bool):
        return value
    plain = "".join(c if c.isalnum() and c.isascii() else "_" for c in name).upper()
    while plain in variables:
        plain += "_"
    variables.append(plain)
    return f"${{{plain}}}"
