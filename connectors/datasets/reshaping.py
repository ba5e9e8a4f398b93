"""The operations of a transform that change how many records there are, or put records together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from connectors.datasets import given
from connectors.datasets.frame import Frame, Path
from connectors.datasets.names import check_distinct
from connectors.datasets.operations import Sources, passed_on
from connectors.datasets.step import Item, Step
from connectors.datasets.syntax import column_tree, read_expression
from connectors.errors import DatasetError
from connectors.model.naming import quoted


@dataclass(frozen=True)
class Flatten:
    """`flatten: {path: a.b, alias: c}`: a struct's fields as columns, or a list's elements as records."""

    names: tuple[str, ...]
    alias: str | None

    @classmethod
    def parse(cls, value: Any, path: Path) -> Flatten:
        """Read `flatten`: the path itself, or {path, alias}."""
        if isinstance(value, str):
            value = {"path": value}
        found = given.mapping(value, path, "{path: address, alias: home}")
        given.keys(found, ("path", "alias"), ("path",), path)
        names = tuple(given.text(found["path"], (*path, "path")).split("."))
        alias = found.get("alias")
        return cls(names, None if alias is None else given.text(alias, (*path, "alias")))

    def canonical(self) -> Any:
        return {"flatten": [self.names, self.alias]}

    def step(self, frame: Frame, sources: Sources, path: Path) -> Step:
        path = (*path, "path")
        names, kind = self._found(frame, path)
        sql = ".".join(quoted(name) for name in names)
        size = frame.sizes[names[0]]
        if kind.id == "struct":
            prefix = self.alias or "_".join(names)
            new = [
                Item(
                    f"{prefix}_{field}",
                    f"{sql}.{quoted(field)}",
                    frame.origin(column_tree(*names, field)),
                    size,
                )
                for field, _ in kind.children
            ]
        elif kind.id in ("list", "array"):
            # A list that is null or empty gives one record with null, and the record stays.
            cast = f"CAST({sql} AS {kind.children[0][1]}[])" if kind.id == "array" else sql
            shown = f"unnest(coalesce(nullif({cast}, []), [NULL]))"
            made = frame.origin(read_expression(f"unnest({sql})"))
            new = [Item(self.alias or names[-1], shown, made, size)]
        else:
            raise DatasetError(
                f"{'.'.join(names)} is of type {kind}, which has nothing to flatten",
                hint="name a struct or a list",
                path=path,
            )
        items: list[Item] = []
        for name in frame.names:
            items += new if name == names[0] and len(names) == 1 else [passed_on(frame, name)]
        return Step(items if len(names) == 1 else [*items, *new])

    def _found(self, frame: Frame, path: Path) -> tuple[tuple[str, ...], Any]:
        """The column and fields that the path names, and the type there. A column's own name may hold dots."""
        whole = ".".join(self.names)
        if whole in frame.types:
            return (whole,), frame.types[whole]
        kind = frame.types[frame.check(self.names[0], path)]
        for place, name in enumerate(self.names[1:], 1):
            fields = dict(kind.children) if kind.id == "struct" else {}
            if name not in fields:
                before = ".".join(self.names[:place])
                raise DatasetError(f"{before} has no field {name}", hint=f"it is of type {kind}", path=path)
            kind = fields[name]
        return self.names, kind


@dataclass(frozen=True)
class Deduplicate:
    """`deduplicate: [columns]`, or {by, order_by, keep}: one record of each key; without `by`, of equal records."""

    by: tuple[str, ...]
    order: tuple[tuple[str, bool], ...] = ()
    last: bool = False

    @classmethod
    def parse(cls, value: Any, path: Path) -> Deduplicate:
        """Read `deduplicate`."""
        if value is None or isinstance(value, (list, str)):
            return cls(given.columns(value or [], path, empty=True))
        found = given.mapping(value, path, "{by: [id], order_by: [updated desc]}")
        given.keys(found, ("by", "order_by", "keep"), (), path)
        by = given.columns(found.get("by", []), (*path, "by"), empty=True)
        written = found.get("order_by", [])
        keep = found.get("keep", "first")
        if keep not in ("first", "last"):
            raise DatasetError(
                "keep has to be first or last", hint="without it, the first is kept", path=(*path, "keep")
            )
        if not by and ("order_by" in found or "keep" in found):
            raise DatasetError(
                "the records of one key can be ordered only with `by`", hint="add by", path=path
            )
        if isinstance(written, str):
            written = [written]
        if not isinstance(written, list):
            raise DatasetError(
                "order_by has to be a list", hint="such as [updated desc, id]", path=(*path, "order_by")
            )
        order = tuple(_direction(one, (*path, "order_by", str(place))) for place, one in enumerate(written))
        check_distinct((name for name, _ in order), (*path, "order_by"))
        return cls(by, order, keep == "last")

    def canonical(self) -> Any:
        return {"deduplicate": [sorted(self.by), self.order, self.last]}

    def step(self, frame: Frame, sources: Sources, path: Path) -> Step:
        items = [passed_on(frame, name) for name in frame.names]
        for name in self.by:
            frame.check(name, (*path, "by"))
        for place, (name, _) in enumerate(self.order):
            frame.check(name, (*path, "order_by", str(place)))
        if not self.by:
            return Step(items, distinct=True)
        # Every other column breaks ties, so that the order of the records that come in means nothing.
        named = {*self.by, *(name for name, _ in self.order)}
        order = [*self.order, *((name, False) for name in sorted(frame.names) if name not in named)]
        first = "FIRST" if self.last else "LAST"
        written = [
            f"{quoted(name)} {'DESC' if falling != self.last else 'ASC'} NULLS {first}"
            for name, falling in order
        ]
        ordered = f" ORDER BY {', '.join(written)}" if written else ""
        keys = ", ".join(quoted(name) for name in self.by)
        return Step(items, qualify=f" QUALIFY row_number() OVER (PARTITION BY {keys}{ordered}) = 1")


@dataclass(frozen=True)
class Lookup:
    """`lookup: {dataset, on: {mine: theirs}, take: {theirs: mine}}`: a left join to a dataset with unique keys."""

    dataset: str
    on: tuple[tuple[str, str], ...]
    take: tuple[tuple[str, str], ...]
    relation: str = ""

    KEYS: ClassVar = ("dataset", "on", "take")

    @classmethod
    def parse(cls, value: Any, path: Path) -> Lookup:
        """Read `lookup`."""
        found = given.mapping(value, path, "{dataset: warehouse/customers, on: {customer: id}, take: [name]}")
        given.keys(found, cls.KEYS, cls.KEYS, path)
        on, take = (_both(found[key], (*path, key)) for key in ("on", "take"))
        check_distinct((new for _, new in take), (*path, "take"))
        return cls(given.text(found["dataset"], (*path, "dataset")), on, take)

    def canonical(self) -> Any:
        return {"lookup": [self.dataset, sorted(self.on), self.take]}

    def step(self, frame: Frame, sources: Sources, path: Path) -> Step:
        theirs = Frame.of(sources[self.relation])
        for mine, their in self.on:
            frame.check(mine, (*path, "on", mine))
            theirs.check(their, (*path, "on", mine))
            if not _comparable(frame.types[mine], theirs.types[their]):
                raise DatasetError(
                    f"{mine} is of type {frame.types[mine]}, and {their} of {self.dataset} "
                    f"of type {theirs.types[their]}",
                    hint="make them one type with a typecast",
                    path=(*path, "on", mine),
                )
        there = quoted(self.relation)
        items = [replace(passed_on(frame, name), sql=f"{RECORD}.{quoted(name)}") for name in frame.names]
        for their, mine in self.take:
            theirs.check(their, (*path, "take", their))
            items.append(Item(mine, f"{there}.{quoted(their)}", column_tree(self.relation, their), 1.0))
        keys = " AND ".join(f"{RECORD}.{quoted(mine)} = {there}.{quoted(their)}" for mine, their in self.on)
        return Step(
            items,
            join=f" AS {RECORD} LEFT JOIN {there} ON {keys}",
            unique=(self.relation, tuple(their for _, their in self.on)),
        )


RECORD = quoted("_headwater_record")

INTEGERS = {
    *("tinyint", "smallint", "integer", "bigint", "hugeint"),
    *("utinyint", "usmallint", "uinteger", "ubigint"),
}


def _comparable(mine: Any, theirs: Any) -> bool:
    """Whether an equality of the two types can never fail for a record."""
    return bool(mine == theirs or (mine.id in INTEGERS and theirs.id in INTEGERS))


def _both(value: Any, path: Path) -> tuple[tuple[str, str], ...]:
    """Pairs of names; a list means the same name on both sides."""
    if isinstance(value, Mapping):
        return given.pairs(value, path, "{mine: theirs}")
    return tuple((name, name) for name in given.columns(value, path))


def _direction(value: Any, path: Path) -> tuple[str, bool]:
    """A column and whether it falls: `updated desc`."""
    words = given.text(value, path).split()
    if len(words) > 1 and words[-1].casefold() in ("asc", "desc"):
        return " ".join(words[:-1]), words[-1].casefold() == "desc"
    return " ".join(words), False
