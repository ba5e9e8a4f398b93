"""What can be told of datasets without their records: their columns, where those come from, and what cannot work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from connectors.datasets.checks import Checks
from connectors.datasets.names import suggestion
from connectors.datasets.plan import Plan
from connectors.errors import ConfigError, DatasetError
from lineage.store import DATASETS, SnapshotHeader, Store, dataset_scope
from pipelines.datasets.declared import dataset_rows, find_origins
from pipelines.datasets.stored import known_columns
from pipelines.project import DatasetRef, Project
from pipelines.project.derived import DerivedDataset, Fault, fault_of

Columns = Mapping[DatasetRef, pa.Schema | None]

log = logging.getLogger("headwater")


@dataclass
class Planned:
    """The datasets whose inputs' columns are known: each one's plan, and what is wrong with the others."""

    plans: dict[str, Plan] = field(default_factory=dict)
    columns: dict[DatasetRef, pa.Schema | None] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def plan_datasets(project: Project, known: Callable[[DatasetRef], pa.Schema | None]) -> Planned:
    """Plans the datasets over the columns that are `known` of connections' tables."""
    planned = Planned()
    for name, dataset in project.datasets.items():
        for ref in dataset.reads:
            if ref not in planned.columns:
                planned.columns[ref] = None if ref.is_derived else known(ref)
        plan = _planned(dataset, planned)
        if plan is not None:
            planned.plans[name] = plan
        planned.columns[DatasetRef(DATASETS, name)] = plan.schema if plan else None
    return planned


def refuse_unknown_columns(project: Project, store: Store) -> None:
    """Raises ConfigError with every dataset's fault, `file:line` first, wherever its input's columns are known: from
    the last sync. A store that is far away is not asked. What the API made fails when it is made, and alone: it keeps
    no project from loading.
    """
    if "://" in store.uri:
        return
    faults = plan_datasets(project, lambda ref: known_columns(store, ref)).faults
    told = {
        f"{project.where(*fault.path)}: {fault.text}": project.in_overlay(*fault.path) for fault in faults
    }
    for line in [line for line, is_made in told.items() if is_made]:
        log.warning("%s", line)
    if lines := [line for line, is_made in told.items() if not is_made]:
        raise ConfigError("\n".join(lines), faults=tuple(lines))


def store_plans(
    project: Project, scratch: Store, partition: str, known: Callable[[DatasetRef], pa.Schema | None]
) -> Iterator[str]:
    """Stores what datasets would be with the transforms that the project has now, without records; gives the names of
    those that can be told.
    """
    planned = plan_datasets(project, known)
    for name, plan in planned.plans.items():
        dataset = project.datasets[name]
        columns = {
            relation: _names(planned.columns, text) for relation, text in dataset.transform.sources.items()
        }
        columns["input"] = _names(planned.columns, dataset.source.id)
        rows = dataset_rows(project, dataset, plan.schema, find_origins(dataset, plan, columns))
        header = SnapshotHeader(
            dataset_scope(name), partition, "branch", True, instance=DATASETS, origin="transform"
        )
        scratch.snapshots.commit(header, rows)
        yield name


def _refuse_unknown_personal(dataset: DerivedDataset, names: list[str]) -> None:
    """What nobody finds is not masked: a misspelt name must not go unseen."""
    there = {name.casefold() for name in names}
    for place, name in enumerate(dataset.model.personal):
        if name.casefold() not in there:
            hint = suggestion(name, names)
            raise DatasetError(f"there is no column {name}", hint=hint, path=(str(place),))


def _names(columns: Columns, text: str) -> list[str]:
    schema = columns[DatasetRef.read(text)]
    return list(schema.names) if schema is not None else []


def _planned(dataset: DerivedDataset, planned: Planned) -> Plan | None:
    """A dataset's plan, None where it cannot be told."""
    given = planned.columns[dataset.source]
    sources = {
        name: schema
        for name, text in dataset.transform.sources.items()
        if (schema := planned.columns[DatasetRef.read(text)]) is not None
    }
    if given is None or len(sources) < len(dataset.transform.sources):
        return None
    path = dataset.transform_path
    try:
        plan = dataset.transform.plan(given, sources)
        path = ("datasets", dataset.name, "validation")
        if dataset.rules is not None:
            Checks(dataset.rules, plan.schema)
        path = ("datasets", dataset.name, "personal")
        _refuse_unknown_personal(dataset, [*plan.schema.names, *given.names])
    except DatasetError as error:
        fault = fault_of(error, path)
        source = dataset.source.connection
        again = "" if dataset.source.is_derived else f" (as of its last sync: headwater sync {source})"
        planned.faults.append(Fault(fault.path, fault.text + again))
        return None
    return plan
