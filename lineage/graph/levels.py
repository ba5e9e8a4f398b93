"""What each resource is at another level: its table, its schema, its database, its connection, or what contains it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.model.naming import dotted
from lineage.graph.topology import NONE, Mask, Numbers
from lineage.graph.traverse import LineageGraph
from lineage.store.engine import cursor

Level = Literal["column", "resource", "schema", "database", "connection"]
LEVELS: tuple[Level, ...] = get_args(Level)
_CONTAINERS = ("dashboard", "dashboard_group", "schema", "database")
_DEEPEST = 100  # resources within resources


class Words(NamedTuple):
    """A word for each node, as its place in `words`; NONE where there is none."""

    of: Numbers
    words: list[str]

    def among(self, words: Sequence[str]) -> Mask:
        """Of each node whether it has one of the words."""
        found: Mask = np.isin(self.of, [place for place, word in enumerate(self.words) if word in words])
        return found

    @property
    def given(self) -> Mask:
        given: Mask = self.of != NONE
        return given

    def at(self, nodes: Numbers) -> Words:
        """Each node's word is that of the one in `nodes`."""
        return Words(self.of[nodes], self.words)

    def word(self, node: int) -> str | None:
        place = int(self.of[node])
        return None if place == NONE else self.words[place]


class Targets(NamedTuple):
    """What each node is at a level: a place in `ids`, which are in order. `real` is the number of the resource that
    each of those is, NONE of what no connection declared; `kinds` are the kinds of the graph's resources.
    """

    of: Numbers
    ids: pa.Array
    real: Numbers
    kinds: Words


def targets_of(graph: LineageGraph, level: Level) -> Targets:
    """What each node of a graph is at a level, by the rules of `lineage.graph.lift.lifted`."""
    places = _Places(graph)
    if level == "column":
        places.target = np.arange(graph.topology.nodes, dtype=np.int32)
    elif level == "connection":
        places.name(np.ones(graph.topology.nodes, np.bool_), [places.connection])
    elif level == "schema":
        places.lift_to_schemas()
    elif level == "database":
        places.lift_to_databases()
    return places.ordered()


class _Places:
    """Where the resources of a graph lie, a column where its table does; `target` is what each node is so far: a
    resource, or, from their count on, a name.
    """

    def __init__(self, graph: LineageGraph) -> None:
        self._graph = graph
        with cursor() as engine:
            graph.scan(engine, "graph_row")
            rows = engine.sql("""
                SELECT key, connection, entity_type, nullif(database, '') AS database, nullif(schema, '') AS schema
                FROM graph_row WHERE kind = 'node'
            """).to_arrow_table()
        numbers = graph.numbers_of(rows["key"])
        everyone = np.arange(len(numbers), dtype=np.int32)
        table_of = graph.topology.table_of
        self.table: Numbers = np.where(table_of == NONE, everyone, table_of)
        self.target = self.table
        self.kinds = _words(rows["entity_type"], numbers)
        self.connection, self.database, self.schema = (
            _words(rows[name], numbers).at(self.table) for name in ("connection", "database", "schema")
        )
        self._names: dict[str, int] = {}

    def lift_to_schemas(self) -> None:
        own = self._is("schema", "database")
        held = self._parent()
        self.target = np.where(own | (held == NONE), self.table, held)
        by_schema = ~own & self.schema.given
        self.name(by_schema, [self.connection, self.database, self.schema], "schema")
        free = ~own & ~by_schema & (held == NONE) & ~self._is(*_CONTAINERS)
        self.name(free & self.database.given, [self.connection, self.database], "database")

    def lift_to_databases(self) -> None:
        own = self._is("database")
        outermost = self._outermost()
        self.target = np.where(own, self.table, outermost)
        by_database = ~own & self.database.given
        self.name(by_database, [self.connection, self.database], "database")
        free = ~own & ~by_database & (outermost == self.table)
        self.name(free & self.schema.given, [self.connection, self.schema], "schema")

    def name(self, nodes: Mask, parts: Sequence[Words], kind: str | None = None) -> None:
        """Lifts nodes to what their parts name: to the resource of the kind that contains one of them, else to the one
        with the id that the parts make, else to that id alone.
        """
        chosen = np.flatnonzero(nodes)
        keys = np.zeros(len(chosen), np.int64)
        for part in parts:
            keys = keys * (len(part.words) + 1) + part.of[chosen] + 1
        _, first, which = np.unique(keys, return_index=True, return_inverse=True)
        ids = [self._id([part.word(node) for part in parts]) for node in chosen[first].tolist()]
        found = self._graph.numbers_of(pa.array(ids, pa.string()))
        if kind is not None:
            holder = self._ancestor(kind)[chosen]
            held = holder != NONE
            nearest = np.full(len(ids), len(nodes), np.int32)
            np.minimum.at(nearest, which[held], holder[held])
            found = np.where(nearest < len(nodes), nearest, found)
        for place in np.flatnonzero(found == NONE).tolist():
            found[place] = self._names.setdefault(ids[place], len(nodes) + len(self._names))
        target = self.target.copy()
        target[chosen] = found[which]
        self.target = target

    @staticmethod
    def _id(words: Sequence[str | None]) -> str:
        return f"{words[0]}/{dotted(*words[1:])}" if len(words) > 1 else str(words[0])

    def ordered(self) -> Targets:
        """The targets by their ids; of what answers leave out there is none."""
        count, shown = len(self.target), self._graph.shown
        used = np.unique(self.target[shown])
        real = np.where(used < count, used, NONE).astype(np.int32)
        names = list(self._names)
        ids = self._graph.ids_of(real[real != NONE]) + [
            names[one - count] for one in used[real == NONE].tolist()
        ]
        text = pa.array(ids, pa.string())
        order = pc.sort_indices(text).to_numpy() if names else np.arange(len(used))
        place = np.full(count + len(names), NONE, np.int32)
        place[used[order]] = np.arange(len(used), dtype=np.int32)
        of = np.where(shown, place[self.target], NONE)
        return Targets(of, text.take(pa.array(order)), real[order], self.kinds)

    def _is(self, *kinds: str) -> Mask:
        return self.kinds.among(kinds)[self.table]

    def _parent(self) -> Numbers:
        """What contains each node's table, NONE for a table that holds others itself."""
        holds = self._graph.holds_others[self.table] | self._is(*_CONTAINERS)
        return np.where(holds, NONE, self._graph.parent_of[self.table])

    def _outermost(self) -> Numbers:
        at = self.table
        for _ in range(_DEEPEST):
            above = self._graph.parent_of[at]
            if (above == NONE).all():
                break
            at = np.where(above == NONE, at, above)
        return at

    def _ancestor(self, kind: str) -> Numbers:
        """The nearest resource of a kind that contains each node, however deep."""
        is_kind, parent = self.kinds.among([kind]), self._graph.parent_of
        at, found = self.table, np.full(len(self.table), NONE, np.int32)
        for _ in range(_DEEPEST):
            there = at != NONE
            if not there.any():
                break
            found = np.where(there & (found == NONE) & is_kind[at], at, found)
            at = np.where(there, parent[at], NONE)
        return found


def _words(column: pa.ChunkedArray, numbers: Numbers) -> Words:
    encoded = column.combine_chunks().dictionary_encode()
    of = np.full(len(numbers), NONE, np.int32)
    of[numbers] = encoded.indices.fill_null(NONE).to_numpy()
    return Words(of, encoded.dictionary.to_pylist())
