"""The overlay: what the API created, laid under headwater.yaml. The file wins, and loads whatever the overlay holds."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connectors.errors import StoreError
from lineage.store import open_store
from lineage.store.objects import Body, Name, Objects
from pipelines.project.admission import refusal
from pipelines.project.loader import FILE, Project, ProjectFile
from pipelines.project.model import DATASETS, SECTIONS
from pipelines.project.soundness import DataPath, Judged, judge

log = logging.getLogger("headwater.project")

# Of these parts the file's variables are filled in; what the API was given is text, a dollar in it too.
FILLED = ("config", "endpoints", "http", "instance", "defaults")
# Patience of a project that loads, where the storage is far away and nothing else is said.
_SHORT = {"connect_timeout": "3s", "timeout": "10s", "max_retries": "1", "retry_timeout": "10s"}
_KINDS = {section: kind for kind, section in SECTIONS.items()}
_told: set[tuple[str, str]] = set()


def objects_of(project: Project, *, patient: bool = True) -> Objects:
    """Where a project's overlay lies. Raises StoreError for a path that Delta cannot hold."""
    options = project.storage_options
    uri = open_store(project.storage, options).uri
    return Objects(uri, options if patient or "://" not in uri else {**_SHORT, **options})


def read_overlay(project: Project) -> dict[Name, Body]:
    """All that the API created; nothing, and a warning, where that cannot be read."""
    try:
        return of_overlay(objects_of(project, patient=False).all())
    except StoreError as error:
        _tell(project, f"what the API created is left out: {error}")
        return {}


def of_overlay(objects: Mapping[Name, Body]) -> dict[Name, Body]:
    """Those of a store's objects that are part of a project."""
    return {name: body for name, body in objects.items() if name[0] in SECTIONS}


def lay_under(file: ProjectFile, bodies: Mapping[Name, Body], *, tell: bool = True) -> Project:
    """The file's project with the objects under it; those that cannot be part of it are left out, with all that hangs
    from them.
    """
    kept, left = dict(bodies), {}
    for name, body in bodies.items():
        if reason := _refusal(name, body, file):
            left[name] = reason
    while True:
        kept = {name: body for name, body in kept.items() if name not in left}
        if not kept:
            judged = None
            break
        judged = judge(merged(file.data, kept), file.project.folder)
        wrong = {**_homeless(file, kept), **_blamed(judged, kept)}
        if not wrong and not judged.faults:
            break
        # What nobody can be blamed for must not keep the file from loading.
        left |= wrong or dict.fromkeys(kept, judged.faults[0][1])
    if tell:
        for (kind, key), reason in left.items():
            _tell(file.project, f"the {kind} {key}, which the API created, is left out: {reason}")
    if judged is None or judged.model is None:
        return replace(file.project, left_out=left)
    return replace(
        file.project, model=judged.model, datasets=judged.datasets, overlay=kept, left_out=left, classes={}
    )


def merged(data: Mapping[str, Any], bodies: Mapping[Name, Body]) -> dict[str, Any]:
    """The file's data as it would be with the objects written into it; a sink stands with its dataset."""
    sections = {SECTIONS[kind] for kind, _ in bodies} | {DATASETS}
    whole = {**data, **{section: dict(data.get(section) or {}) for section in sections}}
    for (kind, key), body in bodies.items():
        whole[SECTIONS[kind]][key] = as_written(kind, body)
    added = deliveries(bodies)
    off = {key for (kind, key), body in bodies.items() if kind == "sink" and body.get("active") is False}
    for name, one in whole[DATASETS].items():
        given = one.get("sinks", []) if isinstance(one, Mapping) else None
        if isinstance(given, list) and (added.get(name) or off.intersection(map(str, given))):
            listed = dict.fromkeys([*map(str, given), *added.get(name, ())])
            whole[DATASETS][name] = {**one, "sinks": [sink for sink in listed if sink not in off]}
    return whole


def as_written(kind: str, body: Body) -> dict[str, Any]:
    """An object as headwater.yaml would have it; of a credential no values."""
    settings = body["settings"]
    if kind == "credential":
        return {}
    if kind == "sink":
        settings = {key: value for key, value in settings.items() if key != "of"}
    if kind in ("connection", "sink"):
        settings = {key: escaped(value) if key in FILLED else value for key, value in settings.items()}
    return dict(settings)


def deliveries(bodies: Mapping[Name, Body]) -> dict[str, list[str]]:
    """By dataset the sinks that say they are of it; not those that are switched off."""
    found: dict[str, list[str]] = {}
    for (kind, key), body in bodies.items():
        if kind == "sink" and (of := body["settings"].get("of")) and body.get("active") is not False:
            found.setdefault(of, []).append(key)
    return found


def escaped(value: Any) -> Any:
    """Texts, mappings and lists in which no variable is filled in: what comes out is what stands there."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: escaped(one) for key, one in value.items()}
    return [escaped(one) for one in value] if isinstance(value, list) else value


def _refusal(name: Name, body: Body, file: ProjectFile) -> str | None:
    (kind, key), settings = name, body.get("settings")
    if not isinstance(settings, Mapping):
        return "it has no settings"
    if key in (file.data.get(SECTIONS[kind]) or {}):
        return f"{FILE} has a {kind} of that name, and wins"
    if kind == "connection" and key in {one.renamed_from for one in file.project.connections.values()}:
        return f"{FILE} says that this connection was renamed"
    if kind == "sink" and not isinstance(settings.get("of"), str | None):
        return "of is no dataset's name"
    return refusal(kind, settings, file)


def _homeless(file: ProjectFile, kept: Mapping[Name, Body]) -> dict[Name, str]:
    """The sinks whose dataset is not there."""
    datasets = {*(file.data.get("datasets") or {}), *(key for kind, key in kept if kind == "dataset")}
    return {
        name: f"no dataset is named {of}"
        for name, body in kept.items()
        if name[0] == "sink" and (of := body["settings"].get("of")) is not None and of not in datasets
    }


def _blamed(judged: Judged, kept: Mapping[Name, Body]) -> dict[Name, str]:
    """The objects in which something is wrong, each with the first thing."""
    found: dict[Name, str] = {}
    for path, said in judged.faults:
        name = _object_at(path)
        if name in kept:
            found.setdefault(name, said)
    return found


def _object_at(path: DataPath) -> Name:
    return (_KINDS.get(path[0], ""), path[1]) if len(path) > 1 else ("", "")


def _tell(project: Project, said: str) -> None:
    """Once in a process: a project is read again and again."""
    if (told := (str(project.folder), said)) not in _told:
        _told.add(told)
        log.warning("%s", said)
