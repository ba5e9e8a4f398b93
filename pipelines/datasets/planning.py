"""What can be told of datasets before they run: columns that their inputs do not have."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from connectors.datasets.checks import Checks
from connectors.errors import ConfigError, DatasetError
from lineage.store import DATASETS, Store
from pipelines.datasets.stored import known_columns
from pipelines.project import DatasetRef, Project
from pipelines.project.derived import DerivedDataset, Fault, fault_of


def refuse_unknown_columns(project: Project, store: Store) -> None:
    """Raises ConfigError with every dataset's fault, `file:line` first, wherever its input's columns are known: from
    the last sync. A store that is far away is not asked.
    """
    if not project.datasets or "://" in store.uri:
        return
    known: dict[DatasetRef, pa.Schema | None] = {}
    faults: list[Fault] = []
    for name, dataset in project.datasets.items():
        for ref in dataset.reads:
            if ref not in known:
                known[ref] = known_columns(store, ref)
        planned = _planned(dataset, known, faults)
        if planned is not None:
            known[DatasetRef(DATASETS, name)] = planned
    if faults:
        lines = [f"{project.where(*fault.path)}: {fault.text}" for fault in faults]
        raise ConfigError("\n".join(lines), faults=tuple(lines))


def _planned(
    dataset: DerivedDataset, known: Mapping[DatasetRef, pa.Schema | None], faults: list[Fault]
) -> pa.Schema | None:
    """The columns of a dataset, None where they cannot be told."""
    given = known[dataset.source]
    sources = {name: known[DatasetRef.read(text)] for name, text in dataset.transform.sources.items()}
    if given is None or not all(schema is not None for schema in sources.values()):
        return None
    path = dataset.transform_path
    try:
        schema = dataset.transform.plan(given, sources).schema
        path = ("datasets", dataset.name, "validation")
        if dataset.rules is not None:
            Checks(dataset.rules, schema)
    except DatasetError as error:
        fault = fault_of(error, path)
        again = (
            ""
            if dataset.source.is_derived
            else f" (as of its last sync: headwater sync {dataset.source.connection})"
        )
        faults.append(Fault(fault.path, fault.text + again))
        return None
    return schema
