"""A transform bound to the columns that it reads: one SELECT, what comes out of it, and its guarded form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from connectors.datasets.engine import limited, one_line, open_engine
from connectors.datasets.expression import INPUT, Query
from connectors.datasets.frame import Frame, Path
from connectors.datasets.growth import check_record, query_growth
from connectors.datasets.names import RESERVED, check_distinct
from connectors.datasets.operations import Operation, Sources
from connectors.datasets.step import Step, selected
from connectors.datasets.syntax import write_expression
from connectors.errors import DatasetError
from connectors.model.naming import quoted

# A plan runs over no records; what takes longer is not the records' fault.
PLAN_S = 60.0
# Types whose values have a size of their own, however they were made.
FIXED_TYPES = {
    *("boolean", "tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger"),
    *("ubigint", "uhugeint", "float", "double", "decimal", "date", "time", "timestamp", "timestamp_s"),
    *("timestamp_ms", "timestamp_ns", "timestamp with time zone", "interval", "uuid"),
}


@dataclass(frozen=True)
class Plan:
    """What a transform does to records of one schema.

    `sql` is one DuckDB SELECT over `input` and the sources' relations. It fails as a whole when one record makes
    DuckDB fail; `guarded_sql` gives the same records without those that failed, and `faults_sql` tells of each of
    those: operation (its index), column, and record (the JSON of the record as it came into that operation, in
    which DuckDB writes NaN and Infinity as they are). DuckDB need not compute in `sql` what nothing uses later, so
    a record can be a fault there that `sql` alone would have given. Both are None for a transform of `sql`.

    `schema` is what comes out. `expressions` says by column how it is made, in terms of the input's columns
    ("lookup_1"."name" for what a lookup took); one of more than 500 nodes stays in terms of the columns before its
    last step. `unique` names what must be unique in the sources: pairs of relation and columns.
    """

    schema: pa.Schema
    sql: str
    expressions: Mapping[str, str] = field(default_factory=dict)
    unique: tuple[tuple[str, tuple[str, ...]], ...] = ()
    guarded_sql: str | None = None
    faults_sql: str | None = None


def plan_operations(
    operations: Sequence[tuple[Path, Operation]], given: pa.Schema, sources: Mapping[str, pa.Schema]
) -> Plan:
    """Return the plan of operations, each with its path, over records of a schema.

    Raises:
        DatasetError: an operation does not fit the columns that come into it; its path says which.
    """
    engine = _filled_engine(given, sources)
    read: Sources = {name: _types(engine, name) for name in sources}
    check_distinct(given.names, ("input",))
    frame, steps = Frame.of(_types(engine, INPUT)), []
    frames = [frame]
    engine.execute(_created(0, _selected(frame.names, INPUT)))
    for index, (path, operation) in enumerate(operations):
        step = operation.step(frame, read, path)
        check_distinct((item.name for item in step.items), path)
        types = _bound(engine, step, index, path)
        sizes = {item.name: 1.0 if types[item.name].id in FIXED_TYPES else item.size for item in step.items}
        try:
            check_record(sizes)
        except DatasetError as error:
            raise DatasetError(error.message, hint=error.hint, path=path) from None
        frame = Frame(types, {item.name: item.made for item in step.items}, sizes)
        frames.append(frame)
        steps.append(step)
    schema = _schema(engine, _selected(frame.names, _name(len(steps))))
    guarded, faults = _guarded(steps, frames)
    return Plan(
        schema=schema,
        sql=_plain(steps, frames),
        expressions={name: write_expression(made) for name, made in frame.made.items()},
        unique=tuple(step.unique for step in steps if step.unique),
        guarded_sql=guarded,
        faults_sql=faults,
    )


def plan_query(query: Query, given: pa.Schema, sources: Mapping[str, pa.Schema], path: Path) -> Plan:
    """Return the plan of a query; raise DatasetError where it does not fit the columns."""
    engine = _filled_engine(given, sources)
    try:
        if any(_has_lists(schema) for schema in (given, *sources.values())):
            query_growth(query.tree, lists=True)
        with limited(engine, PLAN_S):
            names = [str(row[0]) for row in engine.execute(f"DESCRIBE {query.text}").fetchall()]
            check_distinct(names, path)
            shown = [(name, quoted(name)) for name in names]
            # Named by their places: DuckDB's names of expressions are its own.
            columns = ", ".join(map(quoted, names))
            sql = selected(shown, f"(\n{query.text}\n) AS {quoted(RESERVED + 'result')}({columns})")
            return Plan(_schema(engine, sql), sql)
    except duckdb.Error as error:
        raise DatasetError(one_line(error), hint="check the columns and their types", path=path) from None
    except DatasetError as error:
        raise DatasetError(error.message, hint=error.hint, path=path) from None


def find_doubles(engine: duckdb.DuckDBPyConnection, relation: str, columns: Sequence[str]) -> int:
    """Count the keys that stand more than once in a relation of `engine`. A key with a null counts for nothing."""
    keys = _columns(columns)
    known = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in columns)
    counted = engine.execute(
        f"SELECT count(*) FROM (SELECT {keys} FROM {quoted(relation)} WHERE {known} "
        f"GROUP BY {keys} HAVING count(*) > 1)"
    ).fetchall()
    return int(counted[0][0])


def _filled_engine(given: pa.Schema, sources: Mapping[str, pa.Schema]) -> duckdb.DuckDBPyConnection:
    engine = open_engine(threads=1)
    for name, schema in {INPUT: given, **sources}.items():
        engine.register(name, schema.empty_table())
    return engine


def _types(engine: duckdb.DuckDBPyConnection, relation: str) -> dict[str, Any]:
    found = engine.table(quoted(relation))
    return dict(zip(found.columns, found.types, strict=True))


def _bound(engine: duckdb.DuckDBPyConnection, step: Step, index: int, path: Path) -> dict[str, Any]:
    """Bind a step to the columns before it, and return the types after it."""
    source, place = _name(index), (*path, *step.place)
    try:
        with limited(engine, PLAN_S):
            if step.condition:
                kind = engine.sql(selected([("condition", step.condition.sql)], quoted(source))).types[0]
                if kind.id != "boolean":
                    raise DatasetError(
                        f"the condition is of type {kind}, not boolean", hint="compare it with a value"
                    )
            engine.execute(_created(index + 1, step.plain(source)))
    except duckdb.Error as error:
        raise DatasetError(one_line(error), hint="check the types of the columns", path=place) from None
    except DatasetError as error:
        raise DatasetError(error.message, hint=error.hint, path=place) from None
    return _types(engine, _name(index + 1))


def _created(index: int, select: str) -> str:
    return f"CREATE TABLE {quoted(_name(index))} AS {select}"


def _schema(engine: duckdb.DuckDBPyConnection, sql: str) -> pa.Schema:
    return engine.sql(sql).to_arrow_table().schema


def _plain(steps: Sequence[Step], frames: Sequence[Frame]) -> str:
    written = [_opening(frames[0])]
    written += [
        f"{quoted(_name(place + 1))} AS ({step.plain(_name(place))})" for place, step in enumerate(steps)
    ]
    return _statement(written, frames[-1], _name(len(steps)))


def _guarded(steps: Sequence[Step], frames: Sequence[Frame]) -> tuple[str, str]:
    """The guarded form, and what tells of the faults."""
    opening, faults = _opening(frames[0]), []
    records, telling = [opening], [opening]
    for place, step in enumerate(steps):
        source, target, tried = _name(place), _name(place + 1), f"{_name(place + 1)}_tried"
        if not step.guards:
            written = [f"{quoted(target)} AS ({step.plain(source)})"]
            told = written
        else:
            attempt, passed = (
                step.tried(source, frames[place].names),
                f"{quoted(target)} AS ({step.passed(tried)})",
            )
            written = [f"{quoted(tried)} AS ({attempt})", passed]
            # It is read twice, and DuckDB would plan all that is before it twice, and that again for each step.
            told = [f"{quoted(tried)} AS MATERIALIZED ({attempt})", passed]
            faults.append(step.faults(tried, frames[place].names, place))
        records += written
        telling += told
    if not faults:
        nothing = [("operation", "INTEGER"), ("column", "VARCHAR"), ("record", "VARCHAR")]
        shown = [(name, f"CAST(NULL AS {kind})") for name, kind in nothing]
        faults = [selected(shown, f"{quoted(_name(0))} WHERE false")]
    return (
        _statement(records, frames[-1], _name(len(steps))),
        f"WITH {_NEXT.join(telling)}\n{_UNION.join(faults)}",
    )


_NEXT = ",\n"
_UNION = "\nUNION ALL\n"


def _opening(frame: Frame) -> str:
    return f"{quoted(_name(0))} AS ({_selected(frame.names, INPUT)})"


def _statement(written: Sequence[str], frame: Frame, last: str) -> str:
    return f"WITH {_NEXT.join(written)}\n{_selected(frame.names, last)}"


def _name(index: int) -> str:
    return f"{RESERVED}{index}"


def _selected(names: Sequence[str], relation: str) -> str:
    return selected([(name, quoted(name)) for name in names], quoted(relation))


def _columns(names: Sequence[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def _has_lists(schema: pa.Schema) -> bool:
    waiting = [one.type for one in schema]
    while waiting:
        kind = waiting.pop()
        if pa.types.is_nested(kind):
            if not pa.types.is_struct(kind):
                return True
            waiting.extend(kind.field(place).type for place in range(kind.num_fields))
    return False
