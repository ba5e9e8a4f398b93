"""Creates, changes and deletes objects of the overlay; nothing is stored that could not be part of the project."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from connectors.errors import ConfigError
from lineage.store.objects import Body, Name, Objects
from pipelines.overlay.names import unused_key
from pipelines.overlay.secrecy import (
    clear_values,
    masked_values,
    refuse_secrets_outside,
    refuse_secrets_within,
)
from pipelines.project.admission import refusal_of_values
from pipelines.project.loader import FILE, Project, ProjectFile, read_file
from pipelines.project.model import RESERVED, SECTIONS
from pipelines.project.overlay import lay_under, objects_of, of_overlay
from pipelines.project.sealing import reseal, seal, unseal
from pipelines.surrogates import surrogate_id

Known = Mapping[Name, Body]
_OF_SECRETS = frozenset({"fields", "non_secure"})  # what `more` of a credential tells of its values


class OverlayEditor:
    """The objects that the API may change: a credential, connection, transform, dataset or sink each.

    Whether a dataset's columns are there is found when it is made: it is its own failure then.

    A change is validated against the file and all other objects as they stand when it is stored, in one commit. Each
    method raises ConfigError for one that is refused; `context["refused"]` says why: `unknown` (there is no such
    object), `read_only` (the file has it), `in_use`, `invalid`, or `no_key` (secrets cannot be encrypted, or cannot be
    read to look for them elsewhere).
    """

    def __init__(self, folder: Path, objects: Objects | None = None) -> None:
        self.folder = folder
        self.objects = objects or objects_of(read_file(folder).project)

    def create(
        self,
        kind: str,
        name: str,
        settings: Mapping[str, Any],
        *,
        secret: Mapping[str, Any] | None = None,
        more: Mapping[str, Any] | None = None,
        copied_from: int | None = None,
    ) -> tuple[str, Body]:
        """Its key, which is made of the name, and what is stored.

        `settings` stand as in headwater.yaml, but that a dollar is a dollar: nothing is filled in. A sink's may say
        `of`, the derived dataset that it delivers. A credential has its values in `secret` instead. `more` is kept as
        it is.
        """
        now = _now()
        body: dict[str, Any] = {
            "name": name,
            "settings": dict(settings),
            "sealed": None,
            "created_at": now,
            "updated_at": now,
            "copied_from": copied_from,
            "active": None,
            "more": dict(more or {}),
        }

        def plan(known: Known) -> Mapping[Name, Body | None]:
            file = read_file(self.folder)
            taken = {*(file.data.get(_section(kind)) or {}), *(key for of, key in known if of == kind)}
            key = unused_key(kind, name, taken | RESERVED)
            complete = self._sealed(kind, {"id": surrogate_id(kind, key), **body}, secret or {}, file)
            return self._sound(file, known, (kind, key), complete)

        _section(kind)
        ((_, key), stored), *_ = self.objects.edit(plan).items()
        return key, stored or {}

    def update(
        self,
        kind: str,
        key: str,
        *,
        name: str | None = None,
        settings: Mapping[str, Any] | None = None,
        secret: Mapping[str, Any] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> Body:
        """Puts what is given in the place of what was there; the key stays. Gives what is stored."""

        def change(body: Body, file: ProjectFile) -> Body:
            given = {"name": name, "settings": settings, "more": more}
            changed = {**body, **{part: value for part, value in given.items() if value is not None}}
            if secret is not None:
                return self._sealed(kind, changed, secret, file)
            kept = _OF_SECRETS & body["more"].keys() if kind == "credential" else ()
            return {**changed, "more": {**changed["more"], **{part: body["more"][part] for part in kept}}}

        return self._change(kind, key, change)

    def set_active(self, kind: str, key: str, active: bool) -> Body:
        """Switches an object on or off; a sink that is off gets no deliveries. Of others it is only kept."""
        return self._change(kind, key, lambda body, _: {**body, "active": active})

    def delete(self, kind: str, key: str) -> None:
        """Raises ConfigError, which names them, while other objects need it."""

        def plan(known: Known) -> Mapping[Name, Body | None]:
            file = read_file(self.folder)
            if (kind, key) not in known:
                self._own(file, known, (kind, key))
            after = {name: body for name, body in known.items() if name != (kind, key)}
            if users := _pushed_out(_laid(file, known), _laid(file, after)):
                raise _refused(
                    "in_use", f"the {kind} {key} is needed by {users}", "delete what needs it first"
                )
            return {(kind, key): None}

        _section(kind)
        self.objects.edit(plan)

    def reseal(self) -> int:
        """Encrypts every secret with the first key that is set, so that others can be taken away; how many."""

        def plan(known: Known) -> Mapping[Name, Body | None]:
            return {
                name: {**body, "sealed": reseal(body["sealed"])}
                for name, body in of_overlay(known).items()
                if body.get("sealed")
            }

        return len(self.objects.edit(plan))

    def _change(self, kind: str, key: str, change: Callable[[Body, ProjectFile], Body]) -> Body:
        def plan(known: Known) -> Mapping[Name, Body | None]:
            file = read_file(self.folder)
            body = self._own(file, known, (kind, key))
            return self._sound(file, known, (kind, key), {**change(body, file), "updated_at": _now()})

        _section(kind)
        return self.objects.edit(plan)[kind, key] or {}

    def _own(self, file: ProjectFile, known: Known, name: Name) -> Body:
        kind, key = name
        if key in (file.data.get(SECTIONS[kind]) or {}):
            raise _refused("read_only", f"the {kind} {key} stands in {FILE}", "change it there")
        if name not in known:
            raise _refused("unknown", f"the API has created no {kind} {key}")
        return known[name]

    def _sealed(self, kind: str, body: Body, secret: Mapping[str, Any], file: ProjectFile) -> Body:
        if kind != "credential":
            if secret:
                raise _refused("invalid", f"a {kind} has no secrets", "put them in a credential")
            return body
        _as_json(kind, body["name"], secret)
        if reason := refusal_of_values(secret, file):
            raise _refused("invalid", f"the credential {body['name']}: {reason}")
        try:
            sealed = seal(secret)
        except ConfigError as error:
            raise _refused("no_key", error.message, error.hint) from None
        more = {**body["more"], "fields": masked_values(secret), "non_secure": clear_values(secret)}
        return {**body, "sealed": sealed, "more": more}

    def _sound(self, file: ProjectFile, known: Known, name: Name, given: Body) -> Mapping[Name, Body]:
        """The object as it is stored, if the project is sound with it."""
        kind, key = name
        body = _as_json(kind, key, given)
        before, after = _laid(file, known), _laid(file, {**known, name: body})
        if kind == "credential":
            if body["settings"]:
                raise _refused(
                    "invalid", "a credential has values, and no settings", "give them as its secret"
                )
            refuse_secrets_outside(body, _opened(body))
        if name in after.left_out:
            raise _refused("invalid", f"the {kind} {key} cannot be: {after.left_out[name]}")
        refuse_secrets_within(kind, body, file.project.folder)
        if users := _pushed_out(before, after):
            raise _refused(
                "in_use", f"with that {kind} {key} there could be no {users}", "change these first"
            )
        return {name: body}


def _as_json(kind: str, named: str, given: Mapping[str, Any]) -> Body:
    """What is given as it will be read again."""
    try:
        read: Body = orjson.loads(orjson.dumps(given))
    except (orjson.JSONEncodeError, RecursionError):
        said = f"the {kind} {named} holds what JSON cannot hold, or is nested too deep"
        raise _refused("invalid", said) from None
    return read


def _opened(body: Body) -> dict[str, Any]:
    """The secret values of a credential."""
    try:
        return unseal(body["sealed"])
    except ConfigError as error:
        raise _refused("no_key", error.message, error.hint) from None


def _laid(file: ProjectFile, known: Known) -> Project:
    return lay_under(file, of_overlay(known), tell=False)


def _pushed_out(before: Project, after: Project) -> str:
    """The objects that a change would leave without something they need, as text."""
    return ", ".join(f"{kind} {key}" for kind, key in before.overlay if (kind, key) in after.left_out)


def _section(kind: str) -> str:
    if kind not in SECTIONS:
        raise _refused(
            "invalid", f"there are no objects of the kind {kind}", f"they are: {', '.join(SECTIONS)}"
        )
    return SECTIONS[kind]


def _refused(why: str, message: str, hint: str | None = None) -> ConfigError:
    return ConfigError(message, hint=hint, refused=why)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
