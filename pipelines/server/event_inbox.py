"""OpenLineage events that the server receives, put where a connection of the project reads them."""

from __future__ import annotations

import glob
import os
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from connectors.builtin.openlineage import BadEvent, OpenLineage, read_event
from connectors.errors import ConfigError
from pipelines.project import Project, resolve_connection, usable_class
from pipelines.server.problems import ApiProblem

_HINT = (
    "add a connection to headwater.yaml: events: {connector: openlineage, config: {path: ./events}}; "
    "its next sync reads what was received"
)
_appending = threading.Lock()


def receive(project: Project, events: Sequence[Any], connection: str | None = None) -> str:
    """Appends events to the files of a connection of the connector `openlineage`, all or none; gives its name.

    Raises ApiProblem: 422 for what is no event, 409 where no connection can take them, or several can.
    """
    for number, event in enumerate(events):
        try:
            read_event(event)
        except BadEvent as error:
            raise ApiProblem(422, f"event {number} {error}") from None
    name = _reader(project, connection)
    try:
        lines = b"".join(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE) for event in events)
    except (orjson.JSONEncodeError, RecursionError):
        raise ApiProblem(422, "an event is nested too deep to be kept") from None
    if lines:
        _append(_file(project, name), lines)
    return name


def _reader(project: Project, connection: str | None) -> str:
    # Of the file's: where what comes in is written is nothing that the API decides.
    names = [
        name
        for name in project.connections
        if not project.in_overlay("connections", name)
        and issubclass(usable_class(project, name), OpenLineage)
    ]
    if connection is not None:
        if connection not in names:
            raise ApiProblem(409, f"{connection} is no connection that reads OpenLineage events", hint=_HINT)
        return connection
    if not names:
        raise ApiProblem(409, "no connection of the project reads OpenLineage events", hint=_HINT)
    if len(names) > 1:
        raise ApiProblem(
            409, f"{' and '.join(names)} read OpenLineage events", hint="say which, with ?connection=NAME"
        )
    return names[0]


def _file(project: Project, name: str) -> Path:
    """The file of today's events below a connection's path, or the one that this is."""
    try:
        config: Any = resolve_connection(project, name).config
    except ConfigError as error:
        raise ApiProblem(409, error.message, hint=error.hint) from None
    path = project.folder / Path(config.path).expanduser()
    if glob.has_magic(str(path)) and not path.exists():
        raise ApiProblem(409, f"{name} reads the files of a pattern", hint="have its `path` name a folder")
    if path.is_file() or (path.suffix in (".json", ".jsonl", ".ndjson") and not path.is_dir()):
        return path
    return path / f"received-{datetime.now(UTC):%Y-%m-%d}.jsonl"


def _append(file: Path, lines: bytes) -> None:
    """In one go: who reads meanwhile sees whole lines, but for the last."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _appending, open(file, "ab", buffering=0) as out:
            begun = out.seek(0, os.SEEK_END)
            if out.write(lines) != len(lines):
                out.truncate(begun)
                raise OSError("the disk is full")
    except OSError as error:
        cause = error.strerror or error
        raise ApiProblem(
            503, f"the events cannot be kept: {cause}", hint="look at the folder that they go to"
        ) from error
