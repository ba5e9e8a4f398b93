"""Fills the variables of a part of the file, and notes what of it may be secret."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from connectors.config.secrets import expand, is_address, values_within
from pipelines.project.loader import Project


class Filling:
    """Fills texts, mappings and lists; `missing` are the variables that are not set, `secrets` what was filled in."""

    def __init__(self, missing: list[str]) -> None:
        self.missing = missing
        self.secrets: list[str] = []

    def __call__(self, value: Any) -> Any:
        if isinstance(value, str):
            text, absent = expand(value, os.environ)
            self.missing.extend(absent)
            if values := values_within(value, os.environ):
                self.secrets.extend(one for one in (text, *values) if not is_address(one))
            return text
        if isinstance(value, Mapping):
            return {key: self(one) for key, one in value.items()}
        return [self(one) for one in value] if isinstance(value, list) else value


def named_credential(project: Project, given: str | dict[str, Any] | None) -> dict[str, Any]:
    """A credential by name, or as it is written where it is used."""
    return project.model.credentials[given] if isinstance(given, str) else given or {}
