"""A transform of a dataset, as a person writes it: operations one after the other, or one query."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from connectors.datasets import given as read
from connectors.datasets.expression import INPUT, Query, parse_query
from connectors.datasets.frame import Path
from connectors.datasets.names import RESERVED, suggestion
from connectors.datasets.operations import Compute, Filter, Operation, Rename, Select, Typecast
from connectors.datasets.plan import Plan, plan_operations, plan_query
from connectors.datasets.reshaping import Deduplicate, Flatten, Lookup
from connectors.errors import DatasetError

# A change of what an operation means changes every fingerprint.
MEANING = 1
MAX_OPERATIONS = 200
RELATION = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

OPERATIONS: Mapping[str, Callable[[Any, Path], Operation]] = {
    "rename": Rename.parse,
    "map": Rename.parse_map,
    "compute": Compute.parse,
    "filter": Filter.parse,
    "typecast": Typecast.parse,
    "select": Select.parse,
    "drop": Select.parse_drop,
    "flatten": Flatten.parse,
    "deduplicate": Deduplicate.parse,
    "lookup": Lookup.parse,
}


class Transform:
    """Operations or a query over a dataset's records (`input`), and over those of other datasets (`sources`).

    `sources` says by relation name which dataset it stands for, as it was written. `fingerprint` changes when what
    the transform means does, and not with the layout of the text.
    """

    def __init__(
        self, operations: tuple[tuple[Path, Operation], ...], query: Query | None, sources: Mapping[str, str]
    ) -> None:
        self.operations = operations
        self.query = query
        self.sources = sources
        meaning = [
            MEANING,
            query.meaning if query else [operation.canonical() for _, operation in operations],
            sorted(sources.items()),
        ]
        self.fingerprint = hashlib.sha256(json.dumps(meaning).encode()).hexdigest()

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Transform:
        """Check `{operations: [...]}`, or `{sql: ..., inputs: {name: dataset}}`.

        Raises:
            DatasetError: with `path` in its context, from `given` down to what is wrong.
        """
        found = read.mapping(given, (), "{operations: [...]}")
        if "sql" in found:
            return cls._parse_query(found)
        read.keys(found, ("operations", "sql", "inputs"), ("operations",), ())
        if "inputs" in found:
            raise DatasetError("inputs belong to a transform of `sql`", hint="use a lookup", path=("inputs",))
        listed = found["operations"]
        if not isinstance(listed, list):
            raise DatasetError(
                "operations has to be a list", hint="such as [{rename: {old: new}}]", path=("operations",)
            )
        if len(listed) > MAX_OPERATIONS:
            raise DatasetError(
                f"{len(listed)} operations are more than {MAX_OPERATIONS}",
                hint="split them into two transforms",
                path=("operations",),
            )
        operations: list[tuple[Path, Operation]] = []
        sources: dict[str, str] = {}
        for place, one in enumerate(listed):
            path, operation = _parse_operation(one, ("operations", str(place)))
            if isinstance(operation, Lookup):
                relation = f"lookup_{len(sources) + 1}"
                sources[relation] = operation.dataset
                operation = replace(operation, relation=relation)
            operations.append((path, operation))
        return cls(tuple(operations), None, sources)

    @classmethod
    def _parse_query(cls, found: Mapping[str, Any]) -> Transform:
        read.keys(found, ("sql", "inputs"), ("sql",), ())
        inputs = read.mapping(found.get("inputs") or {}, ("inputs",), "{customers: warehouse/customers}")
        sources: dict[str, str] = {}
        for name, dataset in inputs.items():
            path = ("inputs", name)
            if not RELATION.fullmatch(name) or name.casefold().startswith(RESERVED):
                raise DatasetError(
                    f"{name} is no name for an input", hint="letters, digits and _, a letter first", path=path
                )
            if name.casefold() in {INPUT, *(other.casefold() for other in sources)}:
                raise DatasetError(f"the name {name} is taken", hint="take another name", path=path)
            sources[name] = read.text(dataset, path)
        text = read.text(found["sql"], ("sql",))
        try:
            query = parse_query(text, [INPUT, *sources])
        except DatasetError as error:
            raise read.at(error, ("sql",)) from None
        return cls((), query, sources)

    def plan(self, input: pa.Schema, sources: Mapping[str, pa.Schema] | None = None) -> Plan:
        """Bind the transform to the columns of what it reads: `sources` by relation name.

        Raises:
            DatasetError: with `path` in its context, where a column is unknown or of a type that does not fit.
        """
        schemas = dict(sources or {})
        for name, dataset in self.sources.items():
            if name not in schemas:
                raise DatasetError(
                    f"the columns of {dataset} are not known", hint=f"give the schema of {name}"
                )
        used = {name: schemas[name] for name in self.sources}
        if self.query:
            return plan_query(self.query, input, used, ("sql",))
        return plan_operations(self.operations, input, used)


def _parse_operation(one: Any, path: Path) -> tuple[Path, Operation]:
    found = read.mapping(one, path, "{rename: {old: new}}")
    if len(found) != 1:
        raise DatasetError(
            f"an operation has one key, and this has {len(found)}", hint=suggestion("", OPERATIONS), path=path
        )
    name, value = next(iter(found.items()))
    if name not in OPERATIONS:
        raise DatasetError(
            f"there is no operation {name}", hint=suggestion(name, OPERATIONS), path=(*path, name)
        )
    inside = (*path, name)
    return inside, OPERATIONS[name](value, inside)
