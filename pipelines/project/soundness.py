"""Whether a project's data is sound: its structure, and that every name in it leads somewhere."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ValidationError

from connectors.config.secrets import expand
from connectors.datasets.names import suggestion
from connectors.registry import connector_names, is_path
from connectors.sinks import sink_names
from pipelines.project.model import (
    RESERVED,
    ChecksModel,
    ConnectionModel,
    DatasetModel,
    OpenLineageModel,
    ProjectModel,
    SinkModel,
)

if TYPE_CHECKING:
    from pipelines.project.derived import DerivedDataset

DataPath = tuple[str, ...]
Wrong = tuple[DataPath, str]  # where in the data, and what is wrong


class Judged(NamedTuple):
    """Data as a model, None where its structure is wrong; its derived datasets; and everything that is wrong."""

    model: ProjectModel | None
    datasets: Mapping[str, DerivedDataset]
    faults: Sequence[Wrong]


def judge(data: Mapping[str, Any], folder: Path) -> Judged:
    """Checks what stands, or would stand, in the file of a project in a folder."""
    model, faults = _validate(data)
    faults += _dangling(data, folder)
    datasets: Mapping[str, DerivedDataset] = {}
    if model is not None and (model.datasets or model.transforms):
        # Reads expressions, for which SQL is loaded: most projects have none.
        from pipelines.project.derived import read_datasets

        datasets, wrong = read_datasets(model, folder)
        faults += wrong
    return Judged(model, datasets, faults)


def shown(path: DataPath) -> str:
    """A place as messages name it."""
    return ".".join(path) or "the file"


def _validate(data: Mapping[str, Any]) -> tuple[ProjectModel | None, list[Wrong]]:
    try:
        return ProjectModel.model_validate(data), []
    except ValidationError as error:
        faults = []
        for fault in error.errors(include_url=False, include_input=False):
            path = tuple(str(part) for part in fault["loc"] if part != "[key]")
            faults.append((path, _message(fault, path)))
        return None, faults


def _message(fault: Any, path: DataPath) -> str:
    where = shown(path)
    kind = fault["type"]
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], _known_keys(path), 1)
        return f"{where} is not a known key; " + (f"did you mean {near[0]}?" if near else "remove it")
    if kind == "missing":
        return f"{where} is missing; add it"
    if "[key]" in fault["loc"] or (len(path) == 2 and kind == "string_pattern_mismatch"):
        return (
            f"{where} is not a name: it begins with a small letter and has small letters, digits and _ only"
        )
    if kind in ("dict_type", "model_type"):
        return f"{where} is empty or no mapping; write keys and values below it"
    said = str(fault["msg"]).removeprefix("Value error, ")
    return f"{where}: {said[0].lower()}{said[1:]}"


def _known_keys(path: DataPath) -> list[str]:
    models: dict[tuple[int, str], type[BaseModel]] = {
        (1, ""): ProjectModel,
        (3, "connections"): ConnectionModel,
        (3, "datasets"): DatasetModel,
        (3, "sinks"): SinkModel,
        (2, "openlineage"): OpenLineageModel,
        (2, "checks"): ChecksModel,
    }
    if len(path) == 3 and path[0] == "checks":
        return ["max", "min", "severity"]
    model = models.get((len(path), path[0] if len(path) > 1 else ""))
    if model is None:
        return ["every", "start", "timezone", "instance", "database", "schema", "dialect"]
    return [field.alias or name for name, field in model.model_fields.items()]


def _dangling(data: Mapping[str, Any], folder: Path) -> Iterator[Wrong]:
    """Names that lead nowhere. Reads the data as it stands: what is wrong elsewhere in it hides none of them."""
    connections, credentials = (_mapping(data.get(name)) for name in ("connections", "credentials"))
    for name, given in connections.items():
        connection, path = _mapping(given), ("connections", str(name))
        if name in RESERVED:
            yield path, f"connections.{name}: the name is reserved; choose another"
        connector = connection.get("connector")
        if isinstance(connector, str) and (fault := _unknown_connector(connector, folder)):
            yield (*path, "connector"), fault
        yield from _dangling_credential(connection, path, credentials)
        renamed = connection.get("renamed_from")
        if isinstance(renamed, str) and renamed in connections:
            yield (
                (*path, "renamed_from"),
                f"connections.{name}.renamed_from names {renamed}, which is still a connection",
            )
    for name, given in _mapping(data.get("sinks")).items():
        sink, path = _mapping(given), ("sinks", str(name))
        yield from _dangling_credential(sink, path, credentials)
        connector = sink.get("connector")
        if isinstance(connector, str) and connector not in sink_names():
            yield (*path, "connector"), _unknown(connector, "sink", sink_names())
    options = _mapping(data.get("storage_options")).values()
    for part, text in (("storage", data.get("storage")), *(("storage_options", text) for text in options)):
        for missing in expand(text, os.environ)[1] if isinstance(text, str) else ():
            yield (part,), f"{part} needs {missing}; set it in the environment"
    yield from _dangling_pairs(data.get("same_as"), connections)


def _dangling_credential(
    given: Mapping[str, Any],
    path: DataPath,
    credentials: Mapping[str, Any],
) -> Iterator[Wrong]:
    credential = given.get("credential")
    if isinstance(credential, str) and credential not in credentials:
        near = difflib.get_close_matches(credential, map(str, credentials), 1)
        hint = f"did you mean {near[0]}?" if near else "add it under credentials"
        yield (*path, "credential"), f"no credential is named {credential}; {hint}"


def _dangling_pairs(pairs: Any, connections: Mapping[str, Any]) -> Iterator[Wrong]:
    described: set[str] = set()
    for at, pair in enumerate(pairs if isinstance(pairs, list) else ()):
        if isinstance(pair, list) and pair and isinstance(pair[0], str):
            if pair[0] in described:
                yield ("same_as", str(at)), f"same_as: {pair[0]} is described twice; keep one"
            described.add(pair[0])
        for end in pair if isinstance(pair, list) else ():
            if isinstance(end, str) and end.partition("/")[0] not in connections:
                yield (
                    ("same_as", str(at)),
                    f"same_as: {end} does not begin with a connection's name and a slash; write connection/id",
                )


def _mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is a mapping; that it is none is a fault found elsewhere."""
    return value if isinstance(value, dict) else {}


def _unknown_connector(connector: str, folder: Path) -> str | None:
    if is_path(connector):
        file = folder / Path(connector).expanduser()
        return (
            None if file.is_file() else f"there is no file {connector}; a path starts at the project's folder"
        )
    known = connector_names()
    if connector in known:
        return None
    return _unknown(connector, "connector", known)


def _unknown(name: str, kind: str, known: Sequence[str]) -> str:
    return f"no {kind} is named {name}; {suggestion(name, known)}"
