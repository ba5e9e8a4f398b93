"""Fills the variables of a part of the file, and notes what of it may be secret."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from connectors.config.secrets import expand, is_address, values_within
from connectors.errors import ConfigError
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


def named_credential(project: Project, given: str | dict[str, Any] | None, user: str) -> dict[str, Any]:
    """A credential by name, or as it is written where it is used, for Filling to fill.

    Raises ConfigError, which begins with `user`, for one that was sealed and cannot be opened.
    """
    if not isinstance(given, str):
        return given or {}
    body = project.overlay.get(("credential", given))
    if body is None:
        return project.model.credentials[given]
    from pipelines.project.overlay import escaped
    from pipelines.project.sealing import unseal

    try:
        opened: dict[str, Any] = escaped(unseal(body["sealed"])) if body.get("sealed") else {}
    except ConfigError as error:
        told = f"{user}: its credential {given} is sealed, and cannot be opened: {error.message}"
        raise ConfigError(told, hint=error.hint) from None
    return opened


def refuse_servers_login(
    project: Project, kind: str, name: str, config: BaseModel, credentials: Mapping[str, Any]
) -> None:
    """Raises ConfigError for an object of the overlay that would log in as the server itself."""
    if (kind, name) not in project.overlay:
        return
    from pipelines.project.admission import login_refusal

    if reason := login_refusal(config, credentials):
        raise ConfigError(f"overlay {kind} {name}: {reason}", hint="give it a credential")
