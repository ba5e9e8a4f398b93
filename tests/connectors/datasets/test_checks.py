from __future__ import annotations

import json
import math
import re
from collections import Counter
from pathlib import Path

import duckdb
import jsonschema_rs
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.datasets.checks import BATCH_RECORDS, Checks
from connectors.datasets.engine import is_of_a_value
from connectors.datasets.invalid import invalid_schema
from connectors.datasets.rules import Rules

COLUMNS = pa.schema(
    [("id", pa.int64()), ("kind", pa.string()), ("amount", pa.float64()), ("customer", pa.int32())]
)
CUSTOMERS = pa.table({"id": pa.array([1, 2, 2, None], pa.int64())})


def open_engine(**relations):
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'")
    for name, table in relations.items():
        engine.register(name, table)
    return engine


def split(rules, records, *, beside=None):
    """What passed and what is invalid, as tables."""
    relations = {"records": records, "reference_1": CUSTOMERS}
    with open_engine(**relations, **({} if beside is None else {"beside": beside})) as engine:
        checks = Checks(Rules.read(rules, Path()), records.schema)
        splits = list(checks.split(engine, "records", beside=None if beside is None else "beside"))
    passed = pa.Table.from_batches([one.passed for one in splits], records.schema)
    invalid = [one.invalid for one in splits if one.invalid is not None]
    return passed, pa.Table.from_batches(invalid, invalid_schema(records.schema))


def records_of(invalid, schema=COLUMNS):
    return pa.Table.from_pylist(invalid.column("record").to_pylist(), schema)


def counted(records):
    return Counter(repr(sorted(record.items())) for record in records)


RULES = {
    "schema": {"properties": {"amount": {"type": "number", "maximum": 50}}, "required": ["kind"]},
    "constraints": [
        {"not_null": ["id"]},
        {"unique": ["id", "kind"]},
        {"range": {"column": "amount", "min": 0}},
        {"reference": {"dataset": "shop/customers", "on": {"customer": "id"}}},
    ],
}


def test_without_rules_batches_are_handed_on_as_they_are():
    records = pa.table({"a": range(250_000)})
    with open_engine(records=records) as engine:
        splits = list(Checks(Rules(), records.schema).split(engine, "records"))
    assert [one.invalid for one in splits] == [None] * len(splits)
    assert all(one.passed.num_rows <= BATCH_RECORDS for one in splits)
    assert pa.Table.from_batches([one.passed for one in splits]).sort_by("a") == records


def test_a_relation_without_records_gives_no_batches():
    passed, invalid = split(RULES, COLUMNS.empty_table())
    assert passed.num_rows == invalid.num_rows == 0


def test_a_record_that_breaks_several_rules_tells_all_of_them():
    records = pa.Table.from_pylist([{"id": None, "kind": None, "amount": -1.0, "customer": 7}], COLUMNS)
    _, invalid = split(RULES, records)
    (one,) = invalid.to_pylist()
    assert (one["keyword"], one["pointer"]) == ("not_null", "/id")
    assert one["message"] == "id: the value is null"
    keywords = [fault["keyword"] for fault in json.loads(one["errors"])]
    assert keywords == ["not_null", "minimum", "reference", "required"]
    assert json.loads(one["errors"])[0] == {key: one[key] for key in ("message", "pointer", "keyword")}
    assert json.loads(one["raw"]) == {"id": None, "kind": None, "amount": -1.0, "customer": 7}


def test_invalid_records_keep_their_types_and_are_readable_json():
    kind = pa.struct([("a", pa.decimal128(20, 2)), ("b", pa.list_(pa.timestamp("us", "UTC")))])
    schema = pa.schema([("o", kind), ("bytes", pa.binary()), ("f", pa.float64()), ("big", pa.uint64())])
    records = pa.Table.from_pylist(
        [{"o": {"a": 1, "b": None}, "bytes": b"\xff", "f": math.nan, "big": 2**64 - 1}], schema
    )
    _, invalid = split({"constraints": [{"range": {"column": "f", "max": 1}}]}, records)
    assert invalid.schema.field("record").type == pa.struct(list(schema))
    (raw,) = invalid.column("raw").to_pylist()
    assert raw == '{"o":{"a":1.00,"b":null},"bytes":"/w==","f":"NaN","big":18446744073709551615}'


def test_working_columns_and_tables_do_not_come_out():
    records = pa.table({"a": [1, 1, 2], "_headwater_run": [1, 2, 3]})
    with open_engine(records=records) as engine:
        checks = Checks(Rules.read({"constraints": [{"unique": ["a"]}]}, Path()), records.schema)
        (one,) = checks.split(engine, "records")
        assert one.passed.schema.names == ["a"]
        assert one.invalid.schema.field("record").type == pa.struct([("a", pa.int64())])
        assert engine.execute("select count(*) from duckdb_tables()").fetchall() == [(0,)]


def test_a_consumer_that_stops_early_leaves_nothing_behind():
    records = pa.table({"a": range(300_000)})
    with open_engine(records=records) as engine:
        splits = Checks(Rules.read({"constraints": [{"unique": ["a"]}]}, Path()), records.schema).split(
            engine, "records"
        )
        next(splits)
        splits.close()
        assert engine.execute("select count(*) from duckdb_tables()").fetchall() == [(0,)]


def test_a_value_that_the_engine_cannot_convert_can_be_told_from_other_errors():
    records = pa.table({"a": [*map(str, range(200_000)), "secret"]})
    with open_engine(records=records) as engine:
        engine.execute("CREATE VIEW input AS SELECT a::INTEGER AS a FROM records")
        for rules in ({}, {"constraints": [{"unique": ["a"]}]}):
            checks = Checks(Rules.read(rules, Path()), pa.schema([("a", pa.int32())]))
            with pytest.raises((duckdb.Error, OSError)) as raised:
                list(checks.split(engine, "input"))
            assert is_of_a_value(raised.value)


def test_types_that_the_engine_changes_come_out_as_they_were():
    kinds = pa.schema([("a", pa.large_string()), ("b", pa.timestamp("us", "Europe/Amsterdam"))])
    records = pa.table({"a": ["x"], "b": pa.array([0], pa.int64())}).cast(kinds)
    passed, _ = split({}, records)
    assert passed == records


def test_a_key_across_batches_is_found():
    numbers = [*range(150_000), 0]
    passed, invalid = split({"constraints": [{"unique": ["a"]}]}, pa.table({"a": numbers}))
    assert passed.num_rows == 149_999
    assert invalid.column("record").to_pylist() == [{"a": 0}] * 2


RECORD = st.fixed_dictionaries(
    {
        "id": st.none() | st.integers(0, 4),
        "kind": st.none() | st.sampled_from(["a", "b", "ab"]),
        "amount": st.none() | st.sampled_from([-1.0, -0.0, 0.0, 1.5, 99.0, math.nan]),
        "customer": st.none() | st.integers(0, 3),
    }
)
TABLES = st.lists(RECORD, max_size=12).map(lambda records: pa.Table.from_pylist(records, COLUMNS))
CONSTRAINT = st.sampled_from(
    [
        {"not_null": ["id", "kind"]},
        {"unique": ["id"]},
        {"unique": ["amount"]},
        {"unique": ["id", "kind"]},
        {"range": {"column": "amount", "min": 0, "max": 50}},
        {"range": {"column": "id", "max": 2.5}},
        {"pattern": {"column": "kind", "regex": "^a"}},
    ]
)
REFERENCE = {"reference": {"dataset": "shop/customers", "on": {"customer": "id"}}}
CONSTRAINTS = st.builds(
    lambda constraints, more: constraints + more,
    st.lists(CONSTRAINT, max_size=4),
    st.sampled_from([[], [REFERENCE]]),
)
SCHEMA = st.sampled_from(
    [
        None,
        {"required": ["id"]},
        {
            "properties": {"amount": {"type": "number", "minimum": 0}, "kind": {"type": "string"}},
            "minProperties": 2,
        },
    ]
)


def rules_of(constraints, schema):
    return {"constraints": constraints, **({} if schema is None else {"schema": schema})}


def key_of(record, columns):
    # NaN is one key, and so are both zeros.
    key = tuple("NaN" if record[name] != record[name] else record[name] for name in columns)
    return None if None in key else key


def breaks(record, rules, counts):
    """Whether a record breaks a rule, by a naive model; `counts` holds the keys of all records by their columns."""
    for rule in rules["constraints"]:
        match rule:
            case {"not_null": names}:
                broken = any(record[name] is None for name in names)
            case {"unique": names}:
                key = key_of(record, names)
                broken = key is not None and counts[tuple(names)][key] > 1
            case {"range": ends}:
                value = record[ends["column"]]
                inside = value is None or ends.get("min", -math.inf) <= value <= ends.get("max", math.inf)
                broken = not inside
            case {"pattern": {"column": name, "regex": regex}}:
                broken = record[name] is not None and not re.search(regex, record[name])
            case {"reference": _}:
                broken = record["customer"] not in (None, 1, 2)
        if broken:
            return True
    told = {name: value for name, value in record.items() if value is not None}
    schema = rules.get("schema")
    if schema and "properties" in schema and told.get("amount", 0) != told.get("amount", 0):
        return True
    return schema is not None and not jsonschema_rs.is_valid(schema, told)


@settings(max_examples=150, deadline=None)
@given(TABLES, CONSTRAINTS, SCHEMA, st.none() | TABLES)
def test_each_record_comes_out_once_on_the_side_where_the_rules_put_it(records, constraints, schema, beside):
    rules = rules_of(constraints, schema)
    passed, invalid = split(rules, records, beside=beside)
    assert counted(passed.to_pylist() + invalid.column("record").to_pylist()) == counted(records.to_pylist())
    standing = records.to_pylist() + ([] if beside is None else beside.to_pylist())
    uniques = [tuple(rule["unique"]) for rule in constraints if "unique" in rule]
    counts = {names: Counter(key_of(record, names) for record in standing) for names in uniques}
    assert not any(breaks(record, rules, counts) for record in passed.to_pylist())
    assert all(breaks(record, rules, counts) for record in invalid.column("record").to_pylist())
    for one in invalid.to_pylist():
        assert json.loads(one["errors"])[0]["keyword"] == one["keyword"]


@settings(max_examples=60, deadline=None)
@given(TABLES, CONSTRAINTS, SCHEMA, TABLES)
def test_splitting_each_side_again_moves_no_record(records, constraints, schema, beside):
    """All records of a key stand on one side, since a key that stands twice makes each of them invalid.

    So what is beside stays beside, and what passed or did not comes beside too, and nothing moves. Only without the
    records that were beside can an invalid one pass: its sole fault was a key that stands there.
    """
    rules = rules_of(constraints, schema)
    passed, invalid = split(rules, records, beside=beside)
    refused = records_of(invalid)
    again, still = split(rules, refused, beside=pa.concat_tables([beside, passed]))
    assert again.num_rows == 0
    columns = ["raw", "errors"]
    assert counted(still.select(columns).to_pylist()) == counted(invalid.select(columns).to_pylist())
    again, still = split(rules, passed, beside=pa.concat_tables([beside, refused]))
    assert counted(again.to_pylist()) == counted(passed.to_pylist())
    assert still.num_rows == 0
    alone, _ = split(rules, refused, beside=passed)
    moved = counted(alone.to_pylist())
    only_unique = [
        one["record"]
        for one in invalid.to_pylist()
        if {fault["keyword"] for fault in json.loads(one["errors"])} == {"unique"}
    ]
    assert moved <= counted(only_unique)


@pytest.mark.parametrize("bad", ["id", "kind"])
def test_rules_given_twice_do_not_change_the_verdict(bad):
    records = pa.Table.from_pylist([{"id": 1, "kind": "a"}, {"id": None, "kind": None}], COLUMNS)
    once, _ = split({"constraints": [{"not_null": [bad]}]}, records)
    twice, _ = split({"constraints": [{"not_null": [bad]}] * 2}, records)
    assert once == twice
