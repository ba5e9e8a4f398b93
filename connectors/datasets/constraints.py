"""Constraints, bound to columns: what DuckDB evaluates beside the records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from connectors.datasets.bounds import is_before, out_of_range
from connectors.datasets.invalid import Fault, pointer
from connectors.datasets.names import RESERVED, literal, suggestion
from connectors.datasets.rules import Constraint, Pattern, Range
from connectors.errors import DatasetError
from connectors.model.naming import quoted

RECORDS = f"{RESERVED}records"  # the alias of the records in the queries
_HIT = f"{RESERVED}hit"


@dataclass(frozen=True)
class Test:
    """One test of a record. `broken` is SQL, true where the record breaks it; null counts as false."""

    broken: str
    fault: Fault


@dataclass(frozen=True)
class Key:
    """Columns that are unique together. `hit` is the column that says, joined, that a key stands more than once."""

    columns: Sequence[str]
    alias: str
    path: Sequence[str]

    @property
    def hit(self) -> str:
        return f'{quoted(self.alias)}."{_HIT}"'

    def doubles(self, relation: str, beside: str | None) -> str:
        """A query for the keys of the records that stand more than once, among them or beside them."""
        keys = ", ".join(f"{quoted(column)} AS k{at}" for at, column in enumerate(self.columns))
        names = ", ".join(f"k{at}" for at in range(len(self.columns)))
        known = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in self.columns)
        both = f"SELECT {keys}, true AS mine FROM {quoted(relation)} WHERE {known}"
        if beside is not None:
            both += f" UNION ALL SELECT {keys}, false FROM {quoted(beside)} WHERE {known}"
        twice = "HAVING count(*) > 1 AND bool_or(mine)"
        return f"SELECT {names} FROM ({both}) GROUP BY {names} {twice}"

    def join(self, doubles: str) -> str:
        """Joins those keys, held in a table, to the records."""
        keys = ", ".join(f"k{at}" for at in range(len(self.columns)))
        on = _on({column: f"k{at}" for at, column in enumerate(self.columns)}, self.alias)
        found = f'SELECT {keys}, true AS "{_HIT}" FROM {quoted(doubles)}'
        return f"LEFT JOIN ({found}) AS {quoted(self.alias)} ON {on}"


@dataclass(frozen=True)
class Lookup:
    """Columns whose key has to be in a relation."""

    on: Mapping[str, str]
    relation: str
    path: Sequence[str]

    @property
    def alias(self) -> str:
        return f"{RESERVED}{self.relation}"

    @property
    def broken(self) -> str:
        known = " AND ".join(f"{_column(name)} IS NOT NULL" for name in self.on)
        return f'{quoted(self.alias)}."{_HIT}" IS NULL AND {known}'

    def join(self) -> str:
        """Joins the keys that are there to the records."""
        theirs = ", ".join(f"{quoted(name)} AS k{at}" for at, name in enumerate(self.on.values()))
        on = _on({name: f"k{at}" for at, name in enumerate(self.on)}, self.alias)
        found = f'SELECT DISTINCT {theirs}, true AS "{_HIT}" FROM {quoted(self.relation)}'
        return f"LEFT JOIN ({found}) AS {quoted(self.alias)} ON {on}"


@dataclass
class Bound:
    """Constraints of known columns."""

    tests: list[Test] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    lookups: list[Lookup] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)


def bind(constraints: Sequence[Constraint], schema: pa.Schema) -> Bound:
    """The constraints over records of a schema.

    Raises DatasetError for a column that is not there, and for one whose type a rule is not for.
    """
    bound = Bound()
    for at, constraint in enumerate(constraints):
        path = ("constraints", str(at))
        if constraint.not_null is not None:
            for column in _known(constraint.not_null, schema, (*path, "not_null")):
                said = f"{column}: the value is null"
                bound.tests.append(
                    Test(f"{_column(column)} IS NULL", Fault(said, pointer(column), "not_null"))
                )
        elif constraint.unique is not None:
            _bind_unique(bound, _known(constraint.unique, schema, (*path, "unique")), (*path, "unique"))
        elif constraint.range is not None:
            bound.tests += _range(constraint.range, schema, (*path, "range"))
        elif constraint.pattern is not None:
            bound.tests.append(_pattern(constraint.pattern, schema, (*path, "pattern")))
        elif constraint.reference is not None:
            reference = constraint.reference
            columns = _known(list(reference.on), schema, (*path, "reference", "on"), keyed=True)
            relation = f"reference_{len(bound.sources) + 1}"
            lookup = Lookup(reference.on, relation, (*path, "reference", "on"))
            bound.sources[relation] = reference.dataset
            bound.lookups.append(lookup)
            theirs = ", ".join(reference.on.values())
            said = f"{', '.join(columns)}: the key is not in {reference.dataset} ({theirs})"
            bound.tests.append(Test(lookup.broken, Fault(said, _at(columns), "reference")))
    return bound


def _bind_unique(bound: Bound, columns: Sequence[str], path: Sequence[str]) -> None:
    key = Key(columns, f"{RESERVED}key_{len(bound.keys)}", path)
    bound.keys.append(key)
    said = f"{', '.join(columns)}: the key stands more than once"
    bound.tests.append(Test(f"{key.hit} IS NOT NULL", Fault(said, _at(columns), "unique")))


def _range(rule: Range, schema: pa.Schema, path: tuple[str, ...]) -> Iterator[Test]:
    (name,) = _known([rule.column], schema, (*path, "column"), one=True)
    kind, column = schema.field(name).type, _column(name)
    ends = (("min", rule.min, "minimum", "below"), ("max", rule.max, "maximum", "above"))
    for end, given, keyword, side in ends:
        if given is not None:
            broken = out_of_range(column, kind, given, (*path, end), low=end == "min")
            yield Test(broken, Fault(f"{name}: the value is {side} {given}", pointer(name), keyword))
    if rule.min is not None and rule.max is not None and is_before(kind, rule.min, rule.max, (*path, "max")):
        where = ".".join(path)
        raise DatasetError(f"{where}: max is below min", hint="exchange them", path=(*path, "max"))


def _pattern(rule: Pattern, schema: pa.Schema, path: tuple[str, ...]) -> Test:
    (name,) = _known([rule.column], schema, (*path, "column"), one=True)
    kind = schema.field(name).type
    text = kind.value_type if pt.is_dictionary(kind) else kind
    if not (pt.is_string(text) or pt.is_large_string(text) or pt.is_string_view(text)):
        raise DatasetError(
            f"{'.'.join(path)}: {name} is {kind}, and a pattern is for texts",
            hint="cast the column to text first",
            path=(*path, "column"),
        )
    broken = f"NOT regexp_matches({_column(name)}, {literal(rule.regex)})"
    return Test(broken, Fault(f"{name}: the value does not match {rule.regex}", pointer(name), "pattern"))


def _known(
    columns: Sequence[str],
    schema: pa.Schema,
    path: tuple[str, ...],
    *,
    one: bool = False,
    keyed: bool = False,
) -> Sequence[str]:
    for at, column in enumerate(columns):
        if column not in schema.names:
            where = path if one else (*path, column if keyed else str(at))
            raise unknown_column(column, schema.names, where)
    return columns


def unknown_column(column: str, names: Sequence[str], path: tuple[str, ...]) -> DatasetError:
    """The error for a column that is not there."""
    where = ".".join(path)
    return DatasetError(f"{where}: there is no column {column}", hint=suggestion(column, names), path=path)


def _column(name: str) -> str:
    return f"{quoted(RECORDS)}.{quoted(name)}"


def _on(keys: Mapping[str, Any], alias: str) -> str:
    return " AND ".join(f"{_column(mine)} = {quoted(alias)}.{theirs}" for mine, theirs in keys.items())


def _at(columns: Sequence[str]) -> str:
    """A key of several columns is a fault of the record."""
    return pointer(columns[0]) if len(columns) == 1 else ""
