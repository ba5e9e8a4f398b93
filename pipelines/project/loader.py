"""Reads headwater.yaml; every fault of structure at once, each with its line and what to do."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ValidationError

from connectors import Connector
from connectors.config.secrets import expand
from connectors.datasets.names import suggestion
from connectors.errors import ConfigError
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

FILE = "headwater.yaml"


class ProjectYaml(yaml.SafeLoader):
    """YAML 1.2's booleans, true and false: `on` and `no` are names."""


ProjectYaml.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
ProjectYaml.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


@dataclass(frozen=True)
class Project:
    """A project's file, read and found sound. `folder` is where it lies; relative paths start there.

    `classes` are the connectors that were loaded, by what the file calls them; `datasets` the derived datasets, each
    after those that it reads.
    """

    folder: Path
    model: ProjectModel
    lines: Mapping[tuple[str, ...], int] = field(default_factory=dict, repr=False)
    classes: dict[str, type[Connector]] = field(default_factory=dict, repr=False, compare=False)
    datasets: Mapping[str, DerivedDataset] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def storage(self) -> str:
        """The store's folder or URL."""
        text, _ = expand(self.model.storage, os.environ)
        return text if "://" in text else str(self.folder / Path(text).expanduser())

    @property
    def storage_options(self) -> dict[str, str]:
        return {key: expand(value, os.environ)[0] for key, value in self.model.storage_options.items()}

    @property
    def connections(self) -> dict[str, ConnectionModel]:
        return self.model.connections

    def connection(self, name: str) -> ConnectionModel:
        """The connection with the variables of its instance and defaults filled; where one is not set, that
        part is as if it was not given.
        """
        return self.connections[name].expanded(os.environ)[0]

    def where(self, *path: str) -> str:
        """`file:line` of a part of the file."""
        return f"{FILE}:{_line(self.lines, path)}"


def find_project(folder: str | os.PathLike[str] | None = None) -> Path:
    """The folder of the project: the one given, else HEADWATER_PROJECT's, else the current one.

    Raises ConfigError when there is no headwater.yaml in it.
    """
    given = folder or os.environ.get("HEADWATER_PROJECT")
    path = Path(given or ".").expanduser().absolute()
    path = path.parent if path.name == FILE else path
    if not (path / FILE).is_file():
        raise ConfigError(
            f"there is no {FILE} in {path}",
            hint="name the project with --project DIR or HEADWATER_PROJECT, or make one with `headwater init DIR`",
        )
    return path


def read_project(folder: Path) -> Project:
    """Reads and checks the file. Raises ConfigError whose `faults` are lines `file:line: what, and what to
    do`.
    """
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=ProjectYaml)
        data = yaml.load(text, Loader=ProjectYaml)  # noqa: S506 - a safe loader
    except UnicodeDecodeError as error:
        raise _faults([f"{FILE}:1: not UTF-8 text (byte {error.start}); save the file as UTF-8"]) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _faults(
            [f"{FILE}:{line}: not YAML: {error.problem}; check the indentation and the quotes"]
        ) from None
    except RecursionError:
        raise _faults([f"{FILE}:1: nested too deep to be read"]) from None
    except (yaml.YAMLError, ValueError) as error:
        raise _faults([f"{FILE}:1: not YAML: {str(error).splitlines()[0]}"]) from None
    if not isinstance(data, dict):
        raise _faults([f"{FILE}:1: a project is a mapping; it has at least `partitions:` and `connections:`"])
    lines: dict[tuple[str, ...], int] = {}
    faults = [(line, text) for line, text in _walk(node, (), lines)]
    if any("refers to itself" in text for _, text in faults):
        raise _faults([f"{FILE}:{line}: {text}" for line, text in sorted(faults)])
    model = _validate(data, lines, faults)
    faults += _dangling(data, lines, folder)
    datasets: Mapping[str, DerivedDataset] = {}
    if model is not None and (model.datasets or model.transforms):
        # Reads expressions, for which SQL is loaded: most projects have none.
        from pipelines.project.derived import read_datasets

        datasets, wrong = read_datasets(model, folder)
        faults += [(_line(lines, fault.path), fault.text) for fault in wrong]
    if faults:
        raise _faults([f"{FILE}:{line}: {text}" for line, text in sorted(set(faults))])
    if model is None:
        raise _faults([f"{FILE}:1: not a project"])
    return Project(folder, model, lines, datasets=datasets)


def _walk(
    node: yaml.Node | None,
    path: tuple[str, ...],
    lines: dict[tuple[str, ...], int],
    above: tuple[yaml.Node, ...] = (),
) -> Iterator[tuple[int, str]]:
    """Notes the line of every part, and gives the keys that stand twice."""
    if node is None:
        return
    lines.setdefault(path, node.start_mark.line + 1)
    if node in above:
        yield node.start_mark.line + 1, f"{_shown(path)} refers to itself; write it out"
        return
    above = (*above, node)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            if inner in lines:
                yield key.start_mark.line + 1, f"{_shown(inner)} is written twice; keep one"
            lines[inner] = key.start_mark.line + 1
            yield from _walk(value, inner, lines, above)
    elif isinstance(node, yaml.SequenceNode):
        for at, value in enumerate(node.value):
            yield from _walk(value, (*path, str(at)), lines, above)


def _validate(
    data: dict[str, Any], lines: Mapping[tuple[str, ...], int], faults: list[tuple[int, str]]
) -> ProjectModel | None:
    try:
        return ProjectModel.model_validate(data)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            path = tuple(str(part) for part in fault["loc"] if part != "[key]")
            faults.append((_line(lines, path), _message(fault, path)))
    return None


def _message(fault: Any, path: tuple[str, ...]) -> str:
    where = _shown(path)
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


def _known_keys(path: tuple[str, ...]) -> list[str]:
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


def _dangling(
    data: Mapping[str, Any], lines: Mapping[tuple[str, ...], int], folder: Path
) -> Iterator[tuple[int, str]]:
    """Names that lead nowhere. Reads the file as it stands: what is wrong elsewhere in it hides none of them."""
    connections, credentials = (_mapping(data.get(name)) for name in ("connections", "credentials"))
    for name, given in connections.items():
        connection, path = _mapping(given), ("connections", str(name))
        if name in RESERVED:
            yield _line(lines, path), f"connections.{name}: the name is reserved; choose another"
        connector = connection.get("connector")
        if isinstance(connector, str) and (fault := _unknown_connector(connector, folder)):
            yield _line(lines, (*path, "connector")), fault
        yield from _dangling_credential(connection, path, credentials, lines)
        renamed = connection.get("renamed_from")
        if isinstance(renamed, str) and renamed in connections:
            line = _line(lines, (*path, "renamed_from"))
            yield line, f"connections.{name}.renamed_from names {renamed}, which is still a connection"
    for name, given in _mapping(data.get("sinks")).items():
        sink, path = _mapping(given), ("sinks", str(name))
        yield from _dangling_credential(sink, path, credentials, lines)
        connector = sink.get("connector")
        if isinstance(connector, str) and connector not in sink_names():
            yield _line(lines, (*path, "connector")), _unknown(connector, "sink", sink_names())
    options = _mapping(data.get("storage_options")).values()
    for part, text in (("storage", data.get("storage")), *(("storage_options", text) for text in options)):
        for missing in expand(text, os.environ)[1] if isinstance(text, str) else ():
            yield _line(lines, (part,)), f"{part} needs {missing}; set it in the environment"
    yield from _dangling_pairs(data.get("same_as"), connections, lines)


def _dangling_credential(
    given: Mapping[str, Any],
    path: tuple[str, ...],
    credentials: Mapping[str, Any],
    lines: Mapping[tuple[str, ...], int],
) -> Iterator[tuple[int, str]]:
    credential = given.get("credential")
    if isinstance(credential, str) and credential not in credentials:
        near = difflib.get_close_matches(credential, map(str, credentials), 1)
        hint = f"did you mean {near[0]}?" if near else "add it under credentials"
        yield _line(lines, (*path, "credential")), f"no credential is named {credential}; {hint}"


def _dangling_pairs(
    pairs: Any, connections: Mapping[str, Any], lines: Mapping[tuple[str, ...], int]
) -> Iterator[tuple[int, str]]:
    described: set[str] = set()
    for at, pair in enumerate(pairs if isinstance(pairs, list) else ()):
        if isinstance(pair, list) and pair and isinstance(pair[0], str):
            if pair[0] in described:
                yield _line(lines, ("same_as", str(at))), f"same_as: {pair[0]} is described twice; keep one"
            described.add(pair[0])
        for end in pair if isinstance(pair, list) else ():
            if isinstance(end, str) and end.partition("/")[0] not in connections:
                yield (
                    _line(lines, ("same_as", str(at))),
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


def _line(lines: Mapping[tuple[str, ...], int], path: tuple[str, ...]) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _shown(path: tuple[str, ...]) -> str:
    return ".".join(path) or "the file"


def _faults(faults: list[str]) -> ConfigError:
    return ConfigError("\n".join(faults), faults=tuple(faults))
