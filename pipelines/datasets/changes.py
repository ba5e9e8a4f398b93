"""What becomes of a dataset's input whose columns have changed since the run before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import duckdb
import pyarrow as pa

from connectors.errors import DatasetError
from connectors.model.naming import quoted

Policy = Literal["evolve", "freeze", "discard_value", "discard_record"]


@dataclass(frozen=True)
class ColumnChanges:
    """How columns differ from those before: who came, went, and has another type."""

    came: tuple[str, ...] = ()
    went: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.told)


def compare_columns(before: pa.Schema | None, now: pa.Schema) -> ColumnChanges:
    """How columns have changed; nothing where there was nothing before."""
    if before is None:
        return ColumnChanges()
    came = [name for name in now.names if name not in before.names]
    went = [name for name in before.names if name not in now.names]
    common = [name for name in now.names if name in before.names]
    retyped = [name for name in common if now.field(name).type != before.field(name).type]
    told = [f"{name} ({now.field(name).type}) came" for name in came]
    told += [f"{name} ({before.field(name).type}) went" for name in went]
    told += [f"{name} was {before.field(name).type} and is {now.field(name).type}" for name in retyped]
    return ColumnChanges(tuple(came), tuple(went), tuple(retyped), tuple(told))


def shape_input(
    engine: duckdb.DuckDBPyConnection,
    given: str,
    shaped: str,
    policy: Policy,
    before: pa.Schema | None,
    changes: ColumnChanges,
) -> str | None:
    """Makes the view `shaped` of the relation `given` as the policy has it; gives a query (raw) of the records that it
    discards, None where it discards none. Raises DatasetError where the columns are frozen.
    """
    if not changes or policy == "evolve" or before is None:
        engine.execute(f"CREATE TEMP VIEW {quoted(shaped)} AS FROM {quoted(given)}")
        return None
    if policy == "freeze":
        raise DatasetError(
            f"the columns of its input have changed: {'; '.join(changes.told)}",
            hint="let the source give what it gave, or set schema_changes to evolve, discard_value or discard_record",
        )
    empty = before.empty_table()
    engine.register("_headwater_before", empty)
    types, given_types = _types(engine, "_headwater_before"), _types(engine, given)
    fits = {}
    for name in changes.retyped:
        column = quoted(name)
        # A number that is rounded, a moment that is cut, does not fit.
        back = f"TRY_CAST(TRY_CAST({column} AS {types[name]}) AS {given_types[name]})"
        fits[name] = f"({back} IS NOT DISTINCT FROM {column})"
    columns = []
    for name in before.names:
        column = quoted(name)
        if name in changes.went:
            column = f"NULL::{types[name]} AS {column}"
        elif name in changes.retyped:
            column = f"CASE WHEN {fits[name]} THEN TRY_CAST({column} AS {types[name]}) END AS {column}"
        columns.append(column)
    unfit = [f"{quoted(name)} IS NOT NULL" for name in changes.came]
    unfit += [f"NOT {fits[name]}" for name in changes.retyped]
    discards = policy == "discard_record" and unfit
    where = f" WHERE NOT ({' OR '.join(unfit)})" if discards else ""
    engine.execute(
        f"CREATE TEMP VIEW {quoted(shaped)} AS SELECT {', '.join(columns)} FROM {quoted(given)}{where}"
    )
    if not discards:
        return None
    return f"SELECT to_json(g)::VARCHAR AS raw FROM {quoted(given)} g WHERE {' OR '.join(unfit)}"


def _types(engine: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    found = engine.sql(f"SELECT column_name, column_type FROM (DESCRIBE FROM {quoted(relation)})").fetchall()
    return {str(name): str(kind) for name, kind in found}
