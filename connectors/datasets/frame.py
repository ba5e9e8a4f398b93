"""The columns between two operations of a transform: their types, how they are made, and how far they grew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.datasets.expression import Expression
from connectors.datasets.names import suggestion
from connectors.datasets.syntax import Tree, column_roots, column_tree, depth, nodes, substitute
from connectors.errors import DatasetError

Path = tuple[str, ...]

# An expression of a column is written in terms of the input's columns while it stays below.
MAX_NODES = 500
MAX_DEPTH = 200


@dataclass(frozen=True)
class Frame:
    """`types` holds DuckDB's types in the columns' order; `made` and `sizes` have the same keys."""

    types: Mapping[str, Any]
    made: Mapping[str, Tree]
    sizes: Mapping[str, float]

    @classmethod
    def of(cls, types: Mapping[str, Any]) -> Frame:
        """The columns of what comes in."""
        return cls(types, {name: column_tree(name) for name in types}, dict.fromkeys(types, 1.0))

    @property
    def names(self) -> list[str]:
        """The columns, in order."""
        return list(self.types)

    def check(self, name: str, path: Path) -> str:
        """Return the column's name; raise DatasetError where there is no such column."""
        if name in self.types:
            return name
        raise DatasetError(f"there is no column {name}", hint=suggestion(name, self.names), path=path)

    def check_expression(self, expression: Expression, path: Path) -> None:
        """Raise DatasetError where the expression reads a column that is not there, case aside as in SQL."""
        known = {name.casefold() for name in self.types}
        for name in sorted(set(column_roots(expression.tree))):
            if name.casefold() not in known:
                self.check(name, path)

    def origin(self, tree: Tree) -> Tree:
        """The tree, which is in terms of these columns, in terms of the input's while that stays small."""
        whole = substitute(tree, self.made)
        written = sum(1 for node in nodes(whole) if "class" in node)
        return whole if written < MAX_NODES and depth(whole) < MAX_DEPTH else tree
