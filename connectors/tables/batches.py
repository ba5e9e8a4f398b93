"""Rows of one table gathered into record batches, column by column; rows that do not fit are told apart."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa

from connectors.errors import ConnectorError
from connectors.model import RefusedRow
from connectors.tables.coercion import filler_of
from connectors.tables.column import Column
from connectors.tables.filler import Filler
from connectors.tables.record import value_of
from connectors.tables.table import Table

BATCH_ROWS = 10_000
BATCH_BYTES = 8 * 1024 * 1024
_FIRST_ROWS = 200  # of a table of which nothing is known yet
_GROWTH = 8
_NO_ROW = (str, bytes, int, float, bool, list, tuple, set, type(None))


@dataclass
class Built:
    """Batches of rows that fit; the values that do not, and of how many rows they are."""

    batches: list[pa.RecordBatch]
    refused: list[RefusedRow]
    refused_rows: int

    def __add__(self, other: Built) -> Built:
        return Built(
            self.batches + other.batches, self.refused + other.refused, self.refused_rows + other.refused_rows
        )


class Batches:
    """Gathers a table's rows; safe to use from threads.

    A batch has at most `rows` rows, and about `size_bytes` bytes: how many rows that is, is learnt from the batches
    before.
    """

    def __init__(self, table: Table, rows: int = BATCH_ROWS, size_bytes: int = BATCH_BYTES) -> None:
        self.schema = table.to_arrow_schema()
        self._table = table
        self._names = [column.name for column in table.columns]
        self._fillers = [_filler_of(table, column) for column in table.columns]
        self._required = [column.not_null or column.primary_key for column in table.columns]
        self._most_rows, self._size_bytes = rows, size_bytes
        self._rows: list[Any] = []
        self._taken = 0
        self._lock = threading.Lock()
        self.limit = min(_FIRST_ROWS, rows)  # rows of the next batch

    def add(self, rows: list[Any]) -> bool:
        """Adds rows; whether there are enough for a batch."""
        with self._lock:
            self._rows += rows
            return len(self._rows) >= self.limit

    def cut(self, *, rest: bool = False) -> tuple[list[Any], int] | None:
        """Takes out the rows of a whole batch, with the number of the first; with `rest` also those of less."""
        with self._lock:
            if len(self._rows) < (1 if rest else self.limit):
                return None
            rows, first = self._rows, self._taken
            self._rows = []
            self._taken += len(rows)
            return rows, first

    def build(self, rows: list[Any], first: int) -> Built:
        """The rows as batches without those that do not fit; `first` is the number of the first of them."""
        faults: dict[int, list[tuple[int, str]]] = {}
        mappings = self._mappings(rows, faults)
        whole = frozenset(faults)
        arrays = []
        for at, (name, filler) in enumerate(zip(self._names, self._fillers, strict=True)):
            array, causes = filler.array([row.get(name) for row in mappings])
            if isinstance(array, pa.ChunkedArray):  # more bytes than one array may hold
                half = len(rows) // 2
                return self.build(rows[:half], first) + self.build(rows[half:], first + half)
            if self._required[at] and array.null_count > len(causes):
                nulls = enumerate(array.is_null().to_pylist())
                causes |= {p: "is null, and must not be" for p, null in nulls if null and p not in causes}
            for place, cause in causes.items():
                if place not in whole:
                    faults.setdefault(place, []).append((at, cause))
            arrays.append(array)
        batch = pa.RecordBatch.from_arrays(arrays, schema=self.schema)
        each = max(1, batch.nbytes // max(1, batch.num_rows))
        self.limit = max(1, min(self._most_rows, self._size_bytes // each, self.limit * _GROWTH))
        if faults:
            batch = batch.filter(pa.array([place not in faults for place in range(len(rows))], pa.bool_()))
        pieces = range(0, batch.num_rows, max(self.limit, self._size_bytes // each))
        return Built(
            [batch.slice(at, pieces.step) for at in pieces],
            [
                self._refused(rows[place], mappings[place], first + place, column, cause)
                for place in sorted(faults)
                for column, cause in faults[place]
            ],
            len(faults),
        )

    def _mappings(self, rows: list[Any], faults: dict[int, list[tuple[int, str]]]) -> Sequence[Any]:
        """The rows as mappings, objects by their attributes; what is neither is refused as a whole."""
        kinds = set(map(type, rows))
        if kinds == {dict} or all(issubclass(kind, Mapping) for kind in kinds):
            return rows
        mappings: list[Any] = []
        for place, row in enumerate(rows):
            if isinstance(row, Mapping):
                mappings.append(row)
            elif isinstance(row, _NO_ROW):
                faults[place] = [(-1, "is no row: a row is a mapping, or an object with attributes")]
                mappings.append({})
            else:
                try:
                    mappings.append({name: value_of(row, name) for name in self._names})
                except Exception as error:  # noqa: BLE001 - what an object's attributes do is its row's trouble
                    faults[place] = [(-1, f"cannot be read: {type(error).__name__}")]
                    mappings.append({})
        return mappings

    def _refused(self, row: Any, mapping: Any, number: int, column: int, cause: str) -> RefusedRow:
        value = row if column < 0 else mapping.get(self._names[column])
        return RefusedRow(
            table=self._table.name,
            key=row_key(self._table, mapping, number),
            column=self._names[column] if column >= 0 else "",
            value_type=type(value).__name__,
            cause=cause,
            row=as_json(row if isinstance(row, _NO_ROW) else mapping),
        )


def _filler_of(table: Table, column: Column) -> Filler:
    try:
        return filler_of(column.type)
    except ConnectorError as error:
        raise ConnectorError(f"{table.name}.{column.name}: {error.message}", hint=error.hint) from None


def row_key(table: Table, row: Mapping[str, Any], number: int) -> str:
    """A row's primary key as JSON; where that is not known, its number in the table's reading."""
    keys = {name: row.get(name) for name in table.primary_keys}
    return as_json(keys) if any(value is not None for value in keys.values()) else f"row {number + 1}"


def as_json(value: Any) -> str:
    """A row in JSON, as far as it can be told; text for what JSON does not have."""
    try:
        return orjson.dumps(value, default=_told, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError, RecursionError):
        return orjson.dumps(repr(value).encode("utf-8", "backslashreplace").decode()).decode()


def _told(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else repr(value)
