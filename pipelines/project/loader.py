"""Reads headwater.yaml; every fault of structure at once, each with its line and what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from connectors import Connector
from connectors.config.secrets import expand
from connectors.errors import ConfigError
from pipelines.project.model import SECTIONS, ConnectionModel, ProjectModel
from pipelines.project.soundness import judge, shown

if TYPE_CHECKING:
    from pipelines.project.derived import DerivedDataset

FILE = "headwater.yaml"
OBJECTS = "objects"  # the table below the storage in which the overlay lies
_KINDS = {section: kind for kind, section in SECTIONS.items()}


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
    """A project's file with the overlay laid under it, read and found sound. `folder` is where it lies; relative
    paths start there.

    `classes` are the connectors that were loaded, by what the file calls them; `datasets` the derived datasets, each
    after those that it reads. `overlay` are the objects of the API that are part of it, by kind and name, each as the
    store has it; `left_out` those that are not, each with the reason.
    """

    folder: Path
    model: ProjectModel
    lines: Mapping[tuple[str, ...], int] = field(default_factory=dict, repr=False)
    classes: dict[str, type[Connector]] = field(default_factory=dict, repr=False, compare=False)
    datasets: Mapping[str, DerivedDataset] = field(default_factory=dict, repr=False, compare=False)
    overlay: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict, repr=False)
    left_out: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)

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

    def in_overlay(self, *path: str) -> bool:
        """Whether a part of the project is of an object that the API created."""
        return len(path) > 1 and (_KINDS.get(path[0], ""), path[1]) in self.overlay

    def where(self, *path: str) -> str:
        """`file:line` of a part of the file; the kind and name of an object of the overlay."""
        if self.in_overlay(*path):
            return f"overlay {_KINDS[path[0]]} {path[1]}"
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


class ProjectFile(NamedTuple):
    """The file alone: what it holds, and the project that this is."""

    data: Mapping[str, Any]
    project: Project


def read_project(folder: Path) -> Project:
    """Reads and checks the file, and lays under it what the API created. Raises ConfigError whose `faults` are lines
    `file:line: what, and what to do`; nothing in the overlay is a reason to.
    """
    file = read_file(folder)
    if not may_have_objects(file.project.storage):
        return file.project
    # Reads the store: most projects have nothing of the API's in it.
    from pipelines.project.overlay import lay_under, read_overlay

    return lay_under(file, read_overlay(file.project))


def may_have_objects(storage: str) -> bool:
    """Whether the API may have stored anything in a storage; tells at once."""
    return "://" in storage or Path(storage, OBJECTS, "_delta_log").is_dir()


def read_file(folder: Path) -> ProjectFile:
    """Reads and checks the file alone. Raises ConfigError as `read_project` does."""
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=ProjectYaml)
        data = yaml.load(text, Loader=ProjectYaml)  # noqa: S506 - a safe loader
    except OSError as error:
        raise _faults([f"{FILE} cannot be read in {folder}: {error.strerror}"]) from None
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
    model, datasets, wrong = judge(data, folder)
    faults += [(_line(lines, path), said) for path, said in wrong]
    if faults:
        raise _faults([f"{FILE}:{line}: {text}" for line, text in sorted(set(faults))])
    if model is None:
        raise _faults([f"{FILE}:1: not a project"])
    return ProjectFile(data, Project(folder, model, lines, datasets=datasets))


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
        yield node.start_mark.line + 1, f"{shown(path)} refers to itself; write it out"
        return
    above = (*above, node)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*path, str(key.value))
            if inner in lines:
                yield key.start_mark.line + 1, f"{shown(inner)} is written twice; keep one"
            lines[inner] = key.start_mark.line + 1
            yield from _walk(value, inner, lines, above)
    elif isinstance(node, yaml.SequenceNode):
        for at, value in enumerate(node.value):
            yield from _walk(value, (*path, str(at)), lines, above)


def _line(lines: Mapping[tuple[str, ...], int], path: tuple[str, ...]) -> int:
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _faults(faults: list[str]) -> ConfigError:
    return ConfigError("\n".join(faults), faults=tuple(faults))
