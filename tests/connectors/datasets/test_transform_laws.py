"""Laws of transforms: DuckDB gives what a naive model of the operations gives, and guarding changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.datasets.engine import open_engine
from connectors.datasets.transform import Transform

Record = dict[str, Any]
Operation = tuple[dict[str, Any], Callable[[list[Record]], list[Record]]]

ENGINE = open_engine(threads=1)
NAMES = ["a", "b", "c", "Total sum", 'odd"name', "d.e", "select", "user"]


def ran(sql: str, table: pa.Table) -> list[Record]:
    ENGINE.register("input", table)
    found: list[Record] = ENGINE.sql(sql).to_arrow_table().to_pylist()
    return found


def ordered(records: list[Record]) -> list[str]:
    return sorted(json.dumps(record) for record in records)


def sql_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def first_of_each(
    records: list[Record], by: list[str], names: list[str], falling: bool, last: bool
) -> list[Record]:
    """One record of each key: by the first other column, then by the others in the order of their names."""
    others = sorted(name for name in names if name not in by)
    order = others[:1]

    def rank(record: Record) -> list[tuple[bool, Any]]:
        # Nulls stand last, and keeping the last turns the whole order round.
        found = []
        for name in [*order, *others[1:]]:
            value, turned = record[name], falling and name in order
            found.append((value is None, 0 if value is None else -value if turned else value))
        return found

    chosen: dict[tuple[Any, ...], Record] = {}
    for record in records:
        key = tuple(record[name] for name in by)
        held = chosen.get(key)
        if held is None or (rank(record) > rank(held) if last else rank(record) < rank(held)):
            chosen[key] = record
    return list(chosen.values())


@st.composite
def operations(draw: st.DrawFn, names: list[str]) -> tuple[Operation, list[str]]:
    """An operation over columns of whole numbers, its model, and the names that come out."""
    kind = draw(
        st.sampled_from(
            ["rename", "map", "select", "drop", "filter", "plus", "coalesce", "distinct", "first"]
        )
    )
    some = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    if kind in ("rename", "map"):
        new = draw(st.lists(st.sampled_from(NAMES), min_size=len(some), max_size=len(some), unique=True))
        turned = dict(zip(some, new, strict=True))
        kept = some if kind == "map" else names
        after = [turned.get(name, name) for name in kept]
        if len({name.casefold() for name in after}) == len(after):
            return (
                {kind: turned},
                lambda records: [{turned.get(name, name): one[name] for name in kept} for one in records],
            ), after
    if kind in ("select", "drop"):
        kept = some if kind == "select" else [name for name in names if name not in some]
        if kept:
            return (
                {kind: some},
                lambda records: [{name: one[name] for name in kept} for one in records],
            ), kept
    if kind == "filter":
        least = draw(st.integers(-5, 5))
        return (
            {"filter": f"{sql_name(some[0])} > {least}"},
            lambda records: [one for one in records if one[some[0]] is not None and one[some[0]] > least],
        ), names
    if kind == "distinct":
        return (
            {"deduplicate": []},
            lambda records: [dict(one) for one in {tuple(sorted(one.items())): None for one in records}],
        ), names
    if kind == "first" and len(some) < len(names):
        falling, last = draw(st.booleans()), draw(st.booleans())
        first = sorted(name for name in names if name not in some)[0]
        order = f"{first} {'desc' if falling else 'asc'}"
        return (
            {"deduplicate": {"by": some, "order_by": [order], "keep": "last" if last else "first"}},
            lambda records: first_of_each(records, some, names, falling, last),
        ), names
    one, other = draw(st.sampled_from(names)), draw(st.sampled_from(names))
    target = draw(st.sampled_from(NAMES))

    def computed(record: Record) -> Any:
        mine, theirs = record[one], record[other]
        if kind == "coalesce":
            return mine if mine is not None else theirs
        return None if mine is None or theirs is None else mine + theirs

    sql = (
        f"coalesce({sql_name(one)}, {sql_name(other)})"
        if kind == "coalesce"
        else f"{sql_name(one)} + {sql_name(other)}"
    )
    after = names if target in names else [*names, target]
    return (
        {"compute": {"expression": sql, "as": target}},
        lambda records: [{**record, target: computed(record)} for record in records],
    ), after


@st.composite
def transforms(draw: st.DrawFn) -> list[Operation]:
    names, chosen = ["a", "b", "c"], []
    for _ in range(draw(st.integers(0, 5))):
        operation, names = draw(operations(names))
        chosen.append(operation)
    return chosen


whole = st.none() | st.integers(-6, 6)
RECORDS = st.lists(st.fixed_dictionaries({"a": whole, "b": whole, "c": whole}), max_size=12)
SCHEMA = pa.schema([(name, pa.int64()) for name in ("a", "b", "c")])


@settings(max_examples=120, deadline=None)
@given(records=RECORDS, chosen=transforms())
def test_a_transform_gives_what_the_model_of_its_operations_gives(
    records: list[Record], chosen: list[Operation]
) -> None:
    plan = Transform.parse({"operations": [written for written, _ in chosen]}).plan(SCHEMA)
    expected = records
    for _, model in chosen:
        expected = model(expected)
    table = pa.Table.from_pylist(records, SCHEMA)
    found = ran(plan.sql, table)
    assert ordered([{name: one[name] for name in plan.schema.names} for one in expected]) == ordered(found)
    assert ordered(ran(plan.guarded_sql or "", table)) == ordered(found)
    assert ran(plan.faults_sql or "", table) == []


@settings(max_examples=60, deadline=None)
@given(records=RECORDS, chosen=transforms())
def test_each_columns_expression_is_how_it_is_made(records: list[Record], chosen: list[Operation]) -> None:
    rowwise = [one for one in chosen if not {"deduplicate", "filter"} & set(one[0])]
    plan = Transform.parse({"operations": [written for written, _ in rowwise]}).plan(SCHEMA)
    columns = ", ".join(f"{made} AS {sql_name(name)}" for name, made in plan.expressions.items())
    table = pa.Table.from_pylist(records, SCHEMA)
    assert ordered(ran(f"SELECT {columns} FROM input", table)) == ordered(ran(plan.sql, table))


@settings(max_examples=60, deadline=None)
@given(records=RECORDS, chosen=transforms(), moved=st.randoms(use_true_random=False))
def test_the_order_of_the_records_means_nothing(
    records: list[Record], chosen: list[Operation], moved: Any
) -> None:
    plan = Transform.parse({"operations": [written for written, _ in chosen]}).plan(SCHEMA)
    shuffled = list(records)
    moved.shuffle(shuffled)
    one, other = (ran(plan.sql, pa.Table.from_pylist(some, SCHEMA)) for some in (records, shuffled))
    assert ordered(one) == ordered(other)


TEXTS = st.lists(st.sampled_from(["1", "20", "x", "", None, "0", "9999999999", "-3", " 4 "]), max_size=15)


@settings(max_examples=60, deadline=None)
@given(texts=TEXTS)
def test_guarding_parts_the_records_into_those_that_pass_and_those_that_fail(texts: list[str | None]) -> None:
    table = pa.table({"n": pa.array(range(len(texts)), pa.int64()), "x": pa.array(texts, pa.string())})
    plan = Transform.parse(
        {
            "operations": [
                {"typecast": {"x": "integer"}},
                {"compute": {"expression": "60 // x", "as": "y"}},
                {"compute": {"expression": "cast(y as tinyint)", "as": "z"}},
            ]
        }
    ).plan(table.schema)
    passed, faults = ran(plan.guarded_sql or "", table), ran(plan.faults_sql or "", table)
    kept = [one["n"] for one in passed]
    failed = [json.loads(one["record"])["n"] for one in faults]
    assert sorted(kept + failed) == list(range(len(texts)))
    # Each record that passed does so alone, and each that failed does not.
    alone = [table.slice(place, 1) for place in range(len(texts))]
    assert sorted(kept) == [place for place, one in enumerate(alone) if ran(plan.guarded_sql or "", one)]
    only = table.take(pa.array(sorted(kept), pa.int64()))
    assert ordered(ran(plan.sql, only)) == ordered(passed)
