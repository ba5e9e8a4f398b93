"""Which records of a batch a JSON Schema refuses, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from connectors.datasets.invalid import MAX_FAULTS, Fault, pointer
from connectors.datasets.json_schema import ROOT, JsonSchema, Places
from connectors.datasets.json_values import is_number, json_objects, json_values, not_finite

# One call checks so many values; only where one of them is wrong is each checked alone.
_AT_ONCE = 256
_MAX_MESSAGE = 300
_SAID: dict[str, str] = {
    # What jsonschema-rs says of these holds names of properties, which are values where a column is a map.
    "additionalProperties": "a property is there that the schema does not name",
    "unevaluatedProperties": "a property is there that the schema does not name",
    "propertyNames": "a property's name is not as the schema wants it",
    "falseSchema": "the schema allows no value here",
}
Mask = np.ndarray[Any, np.dtype[np.bool_]]


class OwnNulls:
    """Nulls that the subschema of their own property accepts are told as null; others are absent properties.

    A table has a null where JSON may have none or no property. `required` refuses an absent property, and an
    optional one is right. A subschema that does not speak of types ({} or {minLength: 3}) accepts null, as JSON
    Schema has it; a column for which the schema has no subschema is absent when null.
    """

    def __init__(self, schema: JsonSchema, places: Places = ROOT) -> None:
        self._schema, self._places = schema, places
        self._of: dict[str, Places] = {}
        self._told: dict[str, bool] = {}

    def told(self, name: str) -> bool:
        known = self._told.get(name)
        if known is None:
            known = self._told[name] = self._schema.takes_null(self._property(name))
        return known

    def within(self, name: str) -> OwnNulls:
        return OwnNulls(self._schema, self._property(name))

    def elements(self) -> OwnNulls:
        return OwnNulls(self._schema, self._schema.of_items(self._places))

    def _property(self, name: str) -> Places:
        if name not in self._of:
            self._of[name] = self._schema.of_property(self._places, name)
        return self._of[name]


class JsonVerdicts:
    """A JSON Schema over records of columns, of which the names are the properties.

    Values are told as `json_values` has it, nulls as `OwnNulls`; NaN and infinities, of which JSON has none, are a
    fault (keyword type) in each column that the schema looks at. Where the schema speaks of one column each, each
    column is checked as one list: jsonschema-rs gives both verdicts, so they are the same.
    """

    def __init__(self, schema: JsonSchema, columns: pa.Schema) -> None:
        self._schema, self._columns = schema, columns
        self._nulls = OwnNulls(schema)
        nodes = schema.by_column
        self._by_column = nodes is not None
        # In the order of the records, so that faults come in it.
        looked_at = schema.looked_at(columns.names) if nodes is None else columns.names
        self._wanted = [name for name in columns.names if name in looked_at]
        self._required = {name for _, node in nodes or () for name in node.get("required", ())}
        self._own = {name: own for name in self._wanted if (own := schema.own(name))} if nodes else {}
        self._checks = {name: schema.column(own) for name, own in self._own.items()}
        self._singles = {name: schema.value(own) for name, own in self._own.items()}

    def wrong(self, batch: pa.RecordBatch) -> Mask:
        """Which records are refused."""
        return self._by_columns(batch) if self._by_column else self._by_records(batch)

    def faults(self, batch: pa.RecordBatch) -> Iterator[list[Fault]]:
        """What is wrong with each record, up to ten faults of each."""
        for record in self._records(batch, batch.schema.names):
            yield list(islice(self._faults(record), MAX_FAULTS))

    def _by_columns(self, batch: pa.RecordBatch) -> Mask:
        wrong = np.zeros(batch.num_rows, bool)
        if any(name not in batch.schema.names for name in self._required):
            wrong[:] = True
            return wrong
        for name in self._required:
            column = batch.column(name)
            if column.null_count and not self._nulls.told(name):
                wrong |= _null(column)
        for name, check in self._checks.items():
            column, at = batch.column(name), None
            if (endless := not_finite(column)) is not None:
                wrong |= endless
            if column.null_count and not self._nulls.told(name):
                at = np.flatnonzero(~_null(column))
                column = column.drop_null()
            values = json_values(column, self._nulls.within(name))
            found = _refused(values, check.is_valid, self._singles[name].is_valid)
            wrong[found if at is None else at[found]] = True
        return wrong

    def _by_records(self, batch: pa.RecordBatch) -> Mask:
        wrong = np.zeros(batch.num_rows, bool)
        for name in self._wanted:
            if (endless := not_finite(batch.column(name))) is not None:
                wrong |= endless
        records = self._records(batch, self._wanted)
        wrong[_refused(records, self._schema.records.is_valid, self._schema.root.is_valid)] = True
        return wrong

    def _records(self, batch: pa.RecordBatch, names: Sequence[str]) -> list[dict[str, Any]]:
        columns = [json_values(batch.column(name), self._nulls.within(name)) for name in names]
        return json_objects(names, columns, self._nulls, batch.num_rows)

    def _faults(self, record: dict[str, Any]) -> Iterator[Fault]:
        looked_at = self._own if self._by_column else self._wanted
        endless = [path for name in looked_at if name in record for path in _endless((name,), record[name])]
        for path in endless:
            yield self._fault("type", path, "NaN and infinities are no numbers of JSON")
        for error in self._schema.root.iter_errors(record):
            path = tuple(error.instance_path)
            if path not in endless:
                keyword = error.kind.name
                yield self._fault(keyword, path, _SAID.get(keyword) or error.message)

    def _fault(self, keyword: str, path: Sequence[str | int], said: str) -> Fault:
        shown = self._shown(path)
        where = ".".join(map(str, shown)) or "the record"
        message = f"{where}: {said}".splitlines()[0]
        if len(message) > _MAX_MESSAGE:
            message = f"{message[:_MAX_MESSAGE]}..."
        return Fault(message, pointer(*shown), keyword)

    def _shown(self, path: Sequence[str | int]) -> Sequence[str | int]:
        """As far as names of columns and fields lead: the keys of a map are values."""
        kind: pa.DataType = pa.struct(list(self._columns))
        for depth, part in enumerate(path):
            while isinstance(kind, pa.BaseExtensionType):
                kind = kind.storage_type
            if pt.is_map(kind):
                return path[:depth]
            if isinstance(part, str):
                kind = kind.field(part).type
            else:
                kind = kind.value_type
        return path


def _null(column: pa.Array) -> Mask:
    found: Mask = column.is_null().to_numpy(zero_copy_only=False)
    return found


def _refused(values: list[Any], all_valid: Callable[[Any], bool], valid: Callable[[Any], bool]) -> list[int]:
    """The places of the values that are not valid."""
    if all_valid(values):
        return []
    found: list[int] = []
    for begin in range(0, len(values), _AT_ONCE):
        several = values[begin : begin + _AT_ONCE]
        if not all_valid(several):
            found += [begin + at for at, value in enumerate(several) if not valid(value)]
    return found


def _endless(path: tuple[str | int, ...], value: Any) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _endless((*path, name), one)
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from _endless((*path, at), one)
    elif not is_number(value):
        yield path
