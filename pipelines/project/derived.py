"""The derived datasets of a project's file: each with its transform and its rules, read and found sound."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from connectors.datasets.names import suggestion
from connectors.datasets.rules import Rules
from connectors.datasets.transform import Transform
from connectors.errors import DatasetError
from pipelines.project.model import DATASETS, DatasetModel, DatasetRef, ProjectModel


@dataclass(frozen=True)
class DerivedDataset:
    """A derived dataset as the file has it. `written` is its transform as it stands there, at `transform_path`. `reads`
    are all datasets that it is made of or held to, each once, its source first.
    """

    name: str
    model: DatasetModel
    source: DatasetRef
    written: Mapping[str, Any]
    transform: Transform
    transform_path: tuple[str, ...]
    rules: Rules | None
    reads: Sequence[DatasetRef]

    @property
    def version(self) -> str:
        """Changes when what it is made of, its transform or its rules do."""
        model = self.model.model_dump(
            mode="json", exclude={"description", "sinks", "transform"}, by_alias=True
        )
        schema = self.rules.json_schema.document if self.rules and self.rules.json_schema else None
        told = orjson.dumps([self.transform.fingerprint, model, schema], option=orjson.OPT_SORT_KEYS)
        return hashlib.blake2b(told, digest_size=8).hexdigest()


class Fault(NamedTuple):
    """What is wrong, and where in the file."""

    path: tuple[str, ...]
    text: str


def read_datasets(model: ProjectModel, folder: Path) -> tuple[dict[str, DerivedDataset], list[Fault]]:
    """The derived datasets, each after those that it reads, and what is wrong with the others."""
    faults: list[Fault] = []
    found: dict[str, DerivedDataset] = {}
    for name, given in model.transforms.items():
        _transform(given, ("transforms", name), faults)
    for name, one in model.datasets.items():
        if made := _read(name, one, model, folder, faults):
            found[name] = made
    try:
        order = TopologicalSorter(
            {name: [ref.table for ref in one.reads if ref.is_derived] for name, one in found.items()}
        ).static_order()
        found = {name: found[name] for name in order if name in found}
    except CycleError as error:
        ring: Sequence[str] = error.args[1]
        faults.append(
            Fault(("datasets", ring[0]), f"datasets.{ring[0]} is made of itself: {' -> '.join(ring)}")
        )
    return found, faults


def _read(
    name: str, model: DatasetModel, project: ProjectModel, folder: Path, faults: list[Fault]
) -> DerivedDataset | None:
    path: tuple[str, ...] = ("datasets", name)
    before = len(faults)
    faults += _unknown_reference(model.from_, (*path, "from"), project)
    for at, sink in enumerate(model.sinks):
        if sink not in project.sinks:
            faults.append(
                Fault(
                    (*path, "sinks", str(at)), f"no sink is named {sink}; {suggestion(sink, project.sinks)}"
                )
            )
    given: Any = model.transform
    transform_path: tuple[str, ...] = (*path, "transform")
    transform = None
    if isinstance(given, str):
        transform_path = ("transforms", given)
        if given not in project.transforms:
            text = f"no transform is named {given}; {suggestion(given, project.transforms)}"
            faults.append(Fault((*path, "transform"), text))
        else:
            transform = _transform(project.transforms[given], transform_path, [])
    else:
        transform = _transform(given or {"operations": []}, transform_path, faults)
    rules = _rules(model, folder, (*path, "validation"), faults)
    read = [*(transform.sources.values() if transform else ())]
    read += [one.reference.dataset for one in (rules.constraints if rules else ()) if one.reference]
    for text in read:
        faults += _unknown_reference(text, path, project)
    if transform is None or len(faults) > before:
        return None
    refs = list(dict.fromkeys(map(DatasetRef.read, [model.from_, *read])))
    written = project.transforms[given] if isinstance(given, str) else given or {}
    return DerivedDataset(name, model, refs[0], written, transform, transform_path, rules, refs)


def _transform(given: Mapping[str, object], path: tuple[str, ...], faults: list[Fault]) -> Transform | None:
    try:
        return Transform.parse(given)
    except DatasetError as error:
        faults.append(fault_of(error, path))
        return None


def _rules(model: DatasetModel, folder: Path, path: tuple[str, ...], faults: list[Fault]) -> Rules | None:
    if model.validation is None:
        return None
    try:
        return Rules.read(model.validation, folder)
    except DatasetError as error:
        faults.append(fault_of(error, path))
        return None


def fault_of(error: DatasetError, path: tuple[str, ...]) -> Fault:
    """An error within a part of the file, as the file's fault."""
    inner = tuple(map(str, error.context.get("path", ())))
    told = f": {error.message}"
    for length in range(len(inner), 0, -1):  # some messages begin with the place, or a part of it
        place = ".".join(inner[:length])
        if error.message.startswith((f"{place}: ", f"{place} ")):
            told = error.message.removeprefix(place)
            break
    return Fault((*path, *inner), ".".join((*path, *inner)) + told + _hint(error))


def _hint(error: DatasetError) -> str:
    return f"; {error.hint}" if error.hint else ""


def _unknown_reference(text: str, path: tuple[str, ...], project: ProjectModel) -> Iterator[Fault]:
    ref = DatasetRef.read(text)
    if not ref.table:
        shown = f"{text} is no dataset; write connection/table, or {DATASETS}/<name> for a derived one"
        yield Fault(path, f"{'.'.join(path)}: {shown}")
    elif ref.is_derived and ref.table not in project.datasets:
        yield Fault(path, f"no dataset is named {ref.table}; {suggestion(ref.table, project.datasets)}")
    elif not ref.is_derived and ref.connection not in project.connections:
        yield Fault(
            path,
            f"no connection is named {ref.connection}; {suggestion(ref.connection, project.connections)}",
        )
