"""A project in Nexla's nouns: sources, data sets, sinks, credentials, transforms, and how they hang together.

A connection is a source; a table whose records it copies is a data set that it detected, a derived dataset one with a
parent; each dataset that a sink is given is a destination of its own, as a destination has one data set there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from pipelines.project import Project
from pipelines.project.derived import DerivedDataset
from pipelines.surrogates import surrogate_id

SOURCES, SETS, SINKS = "data_sources", "data_sets", "data_sinks"
CREDENTIALS, TRANSFORMS = "data_credentials", "transforms"
# What each is in headwater.yaml.
KINDS = {
    SOURCES: "connection",
    SETS: "dataset",
    SINKS: "sink",
    CREDENTIALS: "credential",
    TRANSFORMS: "transform",
}


@dataclass(frozen=True)
class DataSet:
    """`key` is `<connection>/<table>` of a detected one, whose `connection` is given; `datasets/<name>` of a derived
    one. `parents` and `sinks` are keys.
    """

    key: str
    connection: str | None
    derived: DerivedDataset | None
    parents: Sequence[str]
    sinks: Sequence[str]
    columns: pa.Schema | None

    @property
    def id(self) -> int:
        return set_id(self.key)

    @property
    def name(self) -> str:
        return self.key.partition("/")[2]


@dataclass(frozen=True)
class Destination:
    """What a sink is given of one dataset; `key` is `<sink>/<dataset>`, or the sink alone where it is given none. One
    that the API made is given one dataset, now this and then that: its id is the sink's own.
    """

    key: str
    sink: str
    data_set: str | None
    id: int


def set_id(key: str) -> int:
    """The id of a data set; of a derived one it is that of its name."""
    return surrogate_id("dataset", key.removeprefix("datasets/"))


class Estate:
    """Of a project, and of the tables that are stored (`columns`, by dataset)."""

    def __init__(self, project: Project, columns: Mapping[str, pa.Schema | None]) -> None:
        self.project = project
        self._columns = columns

    @cached_property
    def sources(self) -> dict[int, str]:
        """Connections by id."""
        return {surrogate_id("connection", name): name for name in self.project.connections}

    @cached_property
    def credentials(self) -> dict[int, str]:
        """Named credentials by id."""
        return {surrogate_id("credential", name): name for name in self.project.model.credentials}

    @cached_property
    def transforms(self) -> dict[int, str]:
        """Named transforms by id."""
        return {surrogate_id("transform", name): name for name in self.project.model.transforms}

    @cached_property
    def sets(self) -> dict[int, DataSet]:
        """Data sets by id: what connections gave, then what is made of it."""
        return {one.id: one for one in (*self._detected(), *self._derived())}

    @cached_property
    def sinks(self) -> dict[int, Destination]:
        """Destinations by id."""
        found: list[Destination] = []
        for sink in self.project.model.sinks:
            given = [name for name, one in self.project.datasets.items() if sink in one.model.sinks]
            of_api = self.project.in_overlay("sinks", sink)
            for name in given:
                key = f"{sink}/{name}"
                number = surrogate_id("sink", sink if of_api else key)
                found.append(Destination(key, sink, f"datasets/{name}", number))
            if not given:
                found.append(Destination(sink, sink, None, surrogate_id("sink", sink)))
        return {one.id: one for one in found}

    def things(self, kind: str) -> Mapping[int, Any]:
        """What there is of one of KINDS, by id: names, data sets or destinations."""
        of: dict[str, Mapping[int, Any]] = {
            SOURCES: self.sources,
            SETS: self.sets,
            SINKS: self.sinks,
            CREDENTIALS: self.credentials,
            TRANSFORMS: self.transforms,
        }
        return of[kind]

    @cached_property
    def set_by_key(self) -> dict[str, DataSet]:
        return {one.key: one for one in self.sets.values()}

    @cached_property
    def sink_by_key(self) -> dict[str, Destination]:
        return {one.key: one for one in self.sinks.values()}

    def detected_by(self, connection: str) -> list[DataSet]:
        """What a connection gave."""
        return [one for one in self.sets.values() if one.connection == connection]

    def children(self, key: str) -> list[DataSet]:
        """The data sets whose first parent one is: as a tree has them."""
        return [one for one in self.sets.values() if one.parents and one.parents[0] == key]

    def origins(self, key: str) -> list[str]:
        """The connections in whose flows a data set is, the one that its tree begins with first."""
        one = self.set_by_key[key]
        if one.connection:
            return [one.connection]
        return list(dict.fromkeys(name for parent in one.parents for name in self.origins(parent)))

    def _detected(self) -> Iterator[DataSet]:
        read = [ref.id for one in self.project.datasets.values() for ref in one.reads if not ref.is_derived]
        stored = [key for key in self._columns if not key.startswith("datasets/")]
        for connection in self.project.connections:
            # What a dataset reads is one of them, stored already or not.
            for key in sorted({key for key in (*stored, *read) if key.partition("/")[0] == connection}):
                yield DataSet(key, connection, None, (), (), self._columns.get(key))

    def _derived(self) -> Iterator[DataSet]:
        for name, one in self.project.datasets.items():
            key = f"datasets/{name}"
            sinks = tuple(f"{sink}/{name}" for sink in one.model.sinks)
            parents = tuple(ref.id for ref in one.reads)
            yield DataSet(key, None, one, parents, sinks, self._columns.get(key))
