"""The operations of a transform on the columns of one record, and what every operation is.

Each has `parse` (of what stands under its key), `canonical` (what it means, apart from layout) and `step` (its SQL).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from connectors.datasets import given
from connectors.datasets.expression import Expression, check_type
from connectors.datasets.frame import Frame, Path
from connectors.datasets.growth import WRITTEN, check_growth
from connectors.datasets.names import check_distinct
from connectors.datasets.step import Guard, Item, Step
from connectors.datasets.syntax import read_expression
from connectors.errors import DatasetError
from connectors.model.naming import quoted

# Types by relation and column, of what a transform reads beside its input.
Sources = Mapping[str, Mapping[str, Any]]


class Operation(Protocol):
    """What a transform needs of an operation."""

    def canonical(self) -> Any:
        """The operation as plain values: equal for two that mean the same."""

    def step(self, frame: Frame, sources: Sources, path: Path) -> Step:
        """Return the SQL over columns as they come in; raise DatasetError with a path where they do not fit."""


def passed_on(frame: Frame, name: str, new: str | None = None) -> Item:
    """A column that stays as it is, under its own name or a new one."""
    return Item(new or name, quoted(name), frame.made[name], frame.sizes[name])


@dataclass(frozen=True)
class Rename:
    """`rename: {old: new}`; and `map: {old: new}`, which keeps only what it names, in that order."""

    names: tuple[tuple[str, str], ...]
    only: bool = False

    @classmethod
    def parse(cls, value: Any, path: Path) -> Rename:
        """Read `rename`."""
        names = given.pairs(value, path, "{old: new}")
        check_distinct((new for _, new in names), path)
        return cls(names)

    @classmethod
    def parse_map(cls, value: Any, path: Path) -> Rename:
        """Read `map`."""
        return replace(cls.parse(value, path), only=True)

    def canonical(self) -> Any:
        return {"map": self.names} if self.only else {"rename": sorted(self.names)}

    def step(self, frame: Frame, sources: Sources, path: Path) -> Step:
        new = {frame.check(name, (*path, name)): to for name, to in self.names}
        kept = list(new) if self.only else frame.names
        return Step([passed_on(frame, name, new.get(name)) for name in kept])


@dataclass(frozen=True)
class Compute:
    """`compute: {expression: "...", as: name}`: in the place of the column of that name, or at the end."""

    expression: Expression
    name: str

    @classmethod
    def parse(cls, value: Any, path: Path) -> Compute:
        """Read `compute`."""
        found = given.mapping(value, path, "{expression: price * 2, as: double}")
        given.keys(found, ("expression", "as"), ("expression", "as"), path)
        name = given.text(found["as"], (*path, "as"))
        check_distinct([name], (*path, "as"))
        return cls(given.expression(found["expression"], (*path, "expression")), name)

    def canonical(self) -> Any:
        return {"compute": [self.expression.meaning, self.name]}

    def step(self, frame: Frame, sources: Sources, path: Path) -> Step:
        inside = (*path, "expression")
        frame.check_expression(self.expression, inside)
        try:
            size = check_growth(self.expression.tree, frame.sizes)
        except DatasetError as error:
            raise given.at(error, inside) from None
        guard = Guard(self.name, self.expression.sql)
        made = Item(self.name, guard, frame.origin(self.expression.tree), size)
        items = [made if name == self.name else passed_on(frame, name) for name in frame.names]
        items = items if self.name in frame.types else [*items, made]
        return Step(items, place=("expression",))


@dataclass(frozen=True)
class Filter:
    """`filter: "..."`: keeps the records for which the condition is true."""

    condition: Expression
    place: Path = ()

    @classmethod
    def parse(cls, value: Any, path: Path) -> Filter:
        """Read `filter`: the condition itself, or {condition: "..."}."""
        if isinstance(value, Mapping):
            given.keys(value, ("condition",), ("condition",), path)
            return cls(given.expression(value["condition"], (*path, "condition")), ("condition",))
        return cls(given.expression(value, path))

    def canonical(self) -> Any:
        return {"filter": self.condition.meaning}

    def step(self, frame: Frame, sources: Sources, path: Path) -> Step:
        path = (*path, *self.place)
        frame.check_expression(self.condition, path)
        try:
            check_growth(self.condition.tree, frame.sizes)
        except DatasetError as error:
            raise given.at(error, path) from None
        read = sorted(name for name in frame.names if name.casefold() in _folded(self.condition.columns))
        column = ", ".join(read) or "filter"
        items = [passed_on(frame, name) for name in frame.names]
        return Step(items, condition=Guard(column, self.condition.sql), place=self.place)


@dataclass(frozen=True)
class Typecast:
    """`typecast: {column: type}`."""

    types: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, value: Any, path: Path) -> Typecast:
        """Read `typecast`."""
        found = given.pairs(value, path, "{amount: decimal(10, 2)}")
        for name, kind in found:
            try:
                check_type(kind)
            except DatasetError as error:
                raise given.at(error, (*path, name)) from None
        return cls(found)

    def canonical(self) -> Any:
        return {"typecast": sorted((name, "".join(kind.casefold().split())) for name, kind in self.types)}

    def step(self, frame: Frame, sources: Sources, path: Path) -> Step:
        kinds = {frame.check(name, (*path, name)): kind for name, kind in self.types}
        items = []
        for name in frame.names:
            item = passed_on(frame, name)
            if name in kinds:
                sql = f"CAST({quoted(name)} AS {kinds[name]})"
                made = frame.origin(read_expression(sql))
                item = Item(name, Guard(name, sql), made, frame.sizes[name] * WRITTEN)
            items.append(item)
        return Step(items)


@dataclass(frozen=True)
class Select:
    """`select: [columns]`, in that order; and `drop: [columns]`."""

    columns: tuple[str, ...]
    drop: bool = False

    @classmethod
    def parse(cls, value: Any, path: Path) -> Select:
        """Read `select`."""
        return cls(given.columns(value, path))

    @classmethod
    def parse_drop(cls, value: Any, path: Path) -> Select:
        """Read `drop`."""
        return cls(given.columns(value, path), drop=True)

    def canonical(self) -> Any:
        return {"drop": sorted(self.columns)} if self.drop else {"select": self.columns}

    def step(self, frame: Frame, sources: Sources, path: Path) -> Step:
        for place, name in enumerate(self.columns):
            frame.check(name, (*path, str(place)))
        kept = [name for name in frame.names if name not in self.columns] if self.drop else self.columns
        if not kept:
            raise DatasetError("no column is left", hint="keep at least one", path=path)
        return Step([passed_on(frame, name) for name in kept])


def _folded(names: frozenset[str]) -> set[str]:
    return {name.casefold() for name in names}
