"""Records held to rules: which pass, and which are invalid, and why."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from connectors.datasets.constraints import RECORDS, Key, bind, unknown_column
from connectors.datasets.invalid import Fault, invalid_batch
from connectors.datasets.json_verdicts import JsonVerdicts
from connectors.datasets.names import RESERVED
from connectors.datasets.rules import Rules
from connectors.errors import DatasetError
from connectors.model.naming import quoted

BATCH_RECORDS = 100_000
_NUMBERS = (
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
    "DECIMAL",
    "FLOAT",
    "DOUBLE",
)
_WORD = 62  # tests whose verdicts fit one BIGINT, its sign left alone


@dataclass(frozen=True)
class Split:
    """A batch of records that passed, and those beside them that did not, as `invalid_schema` has it, if any."""

    passed: pa.RecordBatch
    invalid: pa.RecordBatch | None


class Checks:
    """Rules bound to the columns of records.

    Raises DatasetError (its `path` leads to the place within the rules) for a column that is not there, and for a
    rule that does not fit its column's type.
    """

    def __init__(self, rules: Rules, schema: pa.Schema) -> None:
        self.schema = pa.schema([field for field in schema if not field.name.casefold().startswith(RESERVED)])
        self._bound = bind(rules.constraints, self.schema)
        self._verdicts = JsonVerdicts(rules.json_schema, self.schema) if rules.json_schema else None

    @property
    def sources(self) -> Mapping[str, str]:
        """The relations of the engine that references look into, with the dataset of each as it is written."""
        return dict(self._bound.sources)

    def split(
        self, engine: duckdb.DuckDBPyConnection, relation: str, *, beside: str | None = None
    ) -> Iterator[Split]:
        """Goes through a relation of the engine once, in batches; the engine does nothing else meanwhile.

        For each unique key a pass over its columns comes before. All records whose key stands more than once are
        invalid, since nothing tells which is right; keys of the relation `beside` count too, whose records are
        not given. Raises DatasetError for a reference's relation that has not the columns, or other types; what DuckDB
        fails with for a value comes out as it is.
        """
        bound = self._bound
        for lookup in bound.lookups:
            _compare(engine, relation, lookup.relation, lookup.on, lookup.path)
        if beside is not None:
            for key in bound.keys:
                _compare(engine, relation, beside, {name: name for name in key.columns}, key.path)
        doubles: dict[str, str] = {}
        try:
            for key in bound.keys:
                self._find_doubles(engine, key, relation, beside, doubles)
            reader = engine.sql(self._query(relation, doubles)).to_arrow_reader(BATCH_RECORDS)
            with contextlib.closing(reader):
                for batch in reader:
                    if batch.num_rows:
                        yield self._split(batch)
        finally:
            for table in doubles.values():
                with contextlib.suppress(duckdb.Error):
                    engine.execute(f"DROP TABLE IF EXISTS {quoted(table)}")

    def _find_doubles(
        self,
        engine: duckdb.DuckDBPyConnection,
        key: Key,
        relation: str,
        beside: str | None,
        doubles: dict[str, str],
    ) -> None:
        table = f"{RESERVED}doubles_{secrets.token_hex(8)}"
        doubles[key.alias] = table
        engine.execute(f"CREATE TEMP TABLE {quoted(table)} AS {key.doubles(relation, beside)}")

    def _query(self, relation: str, doubles: Mapping[str, str]) -> str:
        columns = [f"{quoted(RECORDS)}.{quoted(name)}" for name in self.schema.names]
        tests = self._bound.tests
        words = [tests[at : at + _WORD] for at in range(0, len(tests), _WORD)]
        for at, word in enumerate(words):
            bits = [f"CASE WHEN {test.broken} THEN {1 << bit} ELSE 0 END" for bit, test in enumerate(word)]
            columns.append(f"CAST({' + '.join(bits)} AS BIGINT) AS {quoted(f'{RESERVED}{at}')}")
        joins = [key.join(doubles[key.alias]) for key in self._bound.keys]
        joins += [lookup.join() for lookup in self._bound.lookups]
        records = f"{quoted(relation)} AS {quoted(RECORDS)}"
        return f"SELECT {', '.join(columns)} FROM {' '.join((records, *joins))}"

    def _split(self, batch: pa.RecordBatch) -> Split:
        width = len(self.schema)
        records = batch.select(list(range(width)))
        if records.schema != self.schema:
            records = records.cast(self.schema)
        words = [column.to_numpy() for column in batch.columns[width:]]
        wrong = np.zeros(batch.num_rows, bool)
        for word in words:
            wrong |= word != 0
        refused = self._verdicts.wrong(records) if self._verdicts else None
        if refused is not None:
            wrong |= refused
        if not wrong.any():
            return Split(records, None)
        at = np.flatnonzero(wrong)
        invalid = records.take(pa.array(at))
        faults = self._faults(invalid, [word[at] for word in words], None if refused is None else refused[at])
        return Split(records.filter(pa.array(~wrong)), invalid_batch(invalid, faults))

    def _faults(
        self, records: pa.RecordBatch, words: Sequence[Any], refused: Any | None
    ) -> list[list[Fault]]:
        """The faults of each record: of constraints in the order of the rules, then of the schema."""
        faults: list[list[Fault]] = [[] for _ in range(records.num_rows)]
        for at, test in enumerate(self._bound.tests):
            word, bit = divmod(at, _WORD)
            for row in np.flatnonzero(words[word] & (1 << bit)).tolist():
                faults[row].append(test.fault)
        if self._verdicts is not None and refused is not None and refused.any():
            rows = np.flatnonzero(refused)
            told = self._verdicts.faults(records.take(pa.array(rows)))
            for row, several in zip(rows.tolist(), told, strict=True):
                faults[row] += several
        return faults


def _compare(
    engine: duckdb.DuckDBPyConnection, relation: str, other: str, on: Mapping[str, str], path: Sequence[str]
) -> None:
    """Types that DuckDB would convert to compare are refused: a text that is no number would end the run."""
    mine, theirs = _types(engine, relation), _types(engine, other)
    for column, name in on.items():
        if name not in theirs:
            raise unknown_column(name, list(theirs), (*path, column))
        if _family(mine[column]) != _family(theirs[name]):
            raise DatasetError(
                f"{'.'.join(path)}: {column} is {mine[column]}, and {name} of the other dataset {theirs[name]}",
                hint="cast the column to the type of what it is compared with",
                path=(*path, column),
            )


def _types(engine: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    found = engine.sql(f"SELECT * FROM {quoted(relation)}")
    return {name: str(kind) for name, kind in zip(found.columns, found.types, strict=True)}


def _family(kind: str) -> str:
    """What compares without a conversion that can fail."""
    if kind.startswith(_NUMBERS):
        return "number"
    if kind.startswith(("VARCHAR", "ENUM")):
        return "text"
    return "moment" if kind.startswith(("DATE", "TIMESTAMP")) else kind
