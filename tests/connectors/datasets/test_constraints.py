from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from connectors.datasets.checks import Checks
from connectors.datasets.rules import Rules
from connectors.errors import DatasetError


def checked(constraints, records, **relations):
    """What passed, and what did not as (record, its faults' keywords)."""
    with duckdb.connect() as engine:
        engine.execute("SET TimeZone = 'UTC'")
        for name, table in {"records": records, **relations}.items():
            engine.register(name, table)
        beside = "beside" if "beside" in relations else None
        checks = Checks(Rules.read({"constraints": constraints}, Path()), records.schema)
        passed, invalid = [], []
        for split in checks.split(engine, "records", beside=beside):
            passed += split.passed.to_pylist()
            for one in split.invalid.to_pylist() if split.invalid else ():
                invalid.append((one["record"], [fault["keyword"] for fault in json.loads(one["errors"])]))
        return passed, invalid


def column(name, values, kind=None):
    return pa.table({name: pa.array(values, kind)})


def refused(constraints, schema):
    with pytest.raises(DatasetError) as raised:
        Checks(Rules.read({"constraints": constraints}, Path()), schema)
    return raised.value


def test_a_null_where_none_may_be_is_invalid_by_column():
    records = pa.table({"a": pa.array([1, None, 3]), "b": pa.array(["x", None, None])})
    passed, invalid = checked([{"not_null": ["a", "b"]}], records)
    assert passed == [{"a": 1, "b": "x"}]
    assert sorted(keywords for _, keywords in invalid) == [["not_null"], ["not_null", "not_null"]]


def test_all_records_of_a_key_that_stands_twice_are_invalid_and_null_keys_are_not_compared():
    passed, invalid = checked([{"unique": ["a"]}], column("a", [1, 2, 2, None, None, 3, 2]))
    assert sorted(one["a"] for one in passed if one["a"]) == [1, 3]
    assert len(passed) == 4
    assert invalid == [({"a": 2}, ["unique"])] * 3


def test_columns_are_unique_together():
    records = pa.table({"a": [1, 1, 1], "b": ["x", "y", "x"]})
    passed, invalid = checked([{"unique": ["a", "b"]}], records)
    assert passed == [{"a": 1, "b": "y"}]
    assert len(invalid) == 2


def test_keys_of_records_that_are_there_already_count_and_are_not_given():
    records, beside = column("a", [1, 2]), column("a", [2, 2, 9], pa.int32())
    passed, invalid = checked([{"unique": ["a"]}], records, beside=beside)
    assert passed == [{"a": 1}]
    assert invalid == [({"a": 2}, ["unique"])]


@pytest.mark.parametrize(
    ("values", "kind", "ends", "right"),
    [
        ([1, 2, 3, 4, None], pa.int8(), {"min": 2, "max": 3}, [2, 3, None]),
        ([1, 2, 3], pa.int64(), {"min": 1.5}, [2, 3]),
        ([1, 2, 3], pa.int64(), {"max": 2.5}, [1, 2]),
        ([2**64 - 1, 0], pa.uint64(), {"max": 2**64 - 2}, [0]),
        ([2**63 - 1, 2**63 - 2], pa.int64(), {"max": 2**63 - 2}, [2**63 - 2]),
        ([1, 2], pa.int64(), {"max": 10**50}, [1, 2]),
        ([1, 2], pa.int64(), {"min": 10**50}, []),
        ([1, None], pa.int64(), {"max": -(10**50)}, [None]),
        (
            [0.1, 0.5, float("nan"), float("inf"), None],
            pa.float64(),
            {"min": 0.1},
            [0.1, 0.5, float("inf"), None],
        ),
        ([0.1, float("nan"), float("-inf")], pa.float64(), {"max": 1}, [0.1, float("-inf")]),
        ([Decimal("1.00"), Decimal("1.01")], pa.decimal128(10, 2), {"max": 1.005}, [Decimal("1.00")]),
        ([Decimal("1.00"), Decimal("1.01")], pa.decimal128(38, 2), {"min": 1.005}, [Decimal("1.01")]),
        (
            [Decimal(10**35) + Decimal("0.00"), Decimal("-0.01"), Decimal("0.00")],
            pa.decimal128(38, 2),
            {"min": -0.005, "max": 10**35 - 1},
            [Decimal("0.00")],
        ),
        ([-(2**63), 5], pa.int64(), {"min": -0.5}, [5]),
        ([date(2026, 1, 1), date(2026, 1, 2)], pa.date32(), {"min": "2026-01-02"}, [date(2026, 1, 2)]),
        ([date(2026, 1, 1), date(2026, 1, 2)], pa.date32(), {"max": date(2026, 1, 1)}, [date(2026, 1, 1)]),
        (
            [datetime(2026, 1, 1), datetime(2026, 1, 2)],
            pa.timestamp("us"),
            {"min": "2026-01-01T00:00:00.000001"},
            [datetime(2026, 1, 2)],
        ),
        (
            [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)],
            pa.timestamp("us", "UTC"),
            {"max": "2026-01-01T02:00:00+02:00"},
            [datetime(2026, 1, 1, tzinfo=UTC)],
        ),
        (
            [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)],
            pa.timestamp("us", "UTC"),
            {"min": date(2026, 1, 2)},
            [datetime(2026, 1, 2, tzinfo=UTC)],
        ),
    ],
)
def test_both_ends_belong_to_a_range(values, kind, ends, right):
    passed, invalid = checked([{"range": {"column": "a", **ends}}], column("a", values, kind))
    assert [one["a"] for one in passed] == right
    assert len(passed) + len(invalid) == len(values)


def test_a_pattern_is_found_anywhere_unless_anchored():
    records = column("a", ["xay", "a", "b", None])
    assert [one["a"] for one in checked([{"pattern": {"column": "a", "regex": "a"}}], records)[0]] == [
        "xay",
        "a",
        None,
    ]
    assert [one["a"] for one in checked([{"pattern": {"column": "a", "regex": "^a$"}}], records)[0]] == [
        "a",
        None,
    ]


def test_a_quote_in_a_pattern_or_a_name_is_only_a_quote():
    records = pa.table({"a'\"b": ["it's", "no"]})
    passed, _ = checked([{"pattern": {"column": "a'\"b", "regex": "t's"}}, {"unique": ["a'\"b"]}], records)
    assert passed == [{"a'\"b": "it's"}]


def test_a_reference_is_to_a_key_that_is_there():
    records = pa.table({"a": pa.array([1, 2, None, 3]), "b": pa.array(["x", "x", "x", None])})
    theirs = pa.table({"id": pa.array([1, 1, 2], pa.int32()), "kind": ["x", "x", "y"]})
    rule = {"reference": {"dataset": "shop/kinds", "on": {"a": "id", "b": "kind"}}}
    passed, invalid = checked([rule], records, reference_1=theirs)
    assert len(passed) == 3
    assert invalid == [({"a": 2, "b": "x"}, ["reference"])]


def test_references_are_told_as_relations_with_their_datasets():
    rules = [
        {"reference": {"dataset": "shop/a", "on": {"a": "id"}}},
        {"reference": {"dataset": "shop/b", "on": ["a"]}},
    ]
    checks = Checks(Rules.read({"constraints": rules}, Path()), pa.schema([("a", pa.int64())]))
    assert checks.sources == {"reference_1": "shop/a", "reference_2": "shop/b"}


@pytest.mark.parametrize(("theirs", "said"), [({"id": ["1"]}, "VARCHAR"), ({"key": [1]}, "no column id")])
def test_a_reference_to_another_type_or_column_is_refused_before_any_record(theirs, said):
    rule = {"reference": {"dataset": "shop/a", "on": {"a": "id"}}}
    with pytest.raises(DatasetError, match=said) as raised:
        checked([rule], column("a", [1]), reference_1=pa.table(theirs))
    assert raised.value.context["path"] == ("constraints", "0", "reference", "on", "a")


def test_more_rules_than_a_word_has_bits_are_each_told_apart():
    rules = [{"range": {"column": "a", "max": at}} for at in range(150)]
    passed, invalid = checked(rules, column("a", [0, 145, 149, 150]))
    assert passed == [{"a": 0}]
    assert [len(keywords) for _, keywords in invalid] == [10, 10, 10]
    assert invalid[0][1] == ["maximum"] * 10


SCHEMA = pa.schema(
    [("amount", pa.int64()), ("email", pa.string()), ("day", pa.date32()), ("tags", pa.list_(pa.int8()))]
)


@pytest.mark.parametrize(
    ("rule", "path", "hint"),
    [
        ({"not_null": ["email", "amuont"]}, ("not_null", "1"), "did you mean amount"),
        ({"unique": ["emial"]}, ("unique", "0"), "did you mean email"),
        ({"range": {"column": "amout", "min": 1}}, ("range", "column"), "did you mean amount"),
        ({"range": {"column": "email", "min": 1}}, ("range", "column"), "numbers, dates and timestamps"),
        ({"range": {"column": "tags", "min": 1}}, ("range", "column"), "numbers, dates and timestamps"),
        ({"range": {"column": "amount", "min": "1"}}, ("range", "min"), "write a number"),
        ({"range": {"column": "amount", "max": date(2026, 1, 1)}}, ("range", "max"), "write a number"),
        ({"range": {"column": "day", "max": 3}}, ("range", "max"), "write a date"),
        ({"range": {"column": "day", "min": "soon"}}, ("range", "min"), "write a date"),
        ({"range": {"column": "amount", "min": 3, "max": 2}}, ("range", "max"), "exchange"),
        ({"pattern": {"column": "amount", "regex": "a"}}, ("pattern", "column"), "cast"),
        ({"reference": {"dataset": "d", "on": {"amont": "id"}}}, ("reference", "on", "amont"), "amount"),
    ],
)
def test_a_rule_that_does_not_fit_the_columns_says_where_and_what_to_do(rule, path, hint):
    error = refused([rule], SCHEMA)
    assert error.context["path"] == ("constraints", "0", *path)
    assert hint in error.hint


@pytest.mark.parametrize(
    ("given", "path", "said"),
    [
        ({"constraint": []}, ("constraint",), "did you mean constraints"),
        ({"constraints": [{"uniqe": ["a"]}]}, ("constraints", "0", "uniqe"), "did you mean unique"),
        ({"constraints": [{"range": {"column": "a"}}]}, ("constraints", "0", "range"), "min, max or both"),
        (
            {"constraints": [{"range": {"column": "a", "min": True}}]},
            ("constraints", "0", "range", "min"),
            "number",
        ),
        (
            {"constraints": [{"range": {"column": "a", "min": float("inf")}}]},
            ("constraints", "0", "range", "min"),
            "out",
        ),
        (
            {"constraints": [{"pattern": {"column": "a", "regex": "("}}]},
            ("constraints", "0", "pattern", "regex"),
            "RE2",
        ),
        (
            {"constraints": [{"pattern": {"column": "a", "regex": "(?=a)"}}]},
            ("constraints", "0", "pattern", "regex"),
            "RE2",
        ),
        ({"constraints": [{"unique": ["a"], "not_null": ["a"]}]}, ("constraints", "0"), "entry of its own"),
        ({"constraints": [{}]}, ("constraints", "0"), "write one of"),
        ({"constraints": [{"unique": ["a", "a"]}]}, ("constraints", "0", "unique"), "twice"),
        ({"constraints": [{"unique": []}]}, ("constraints", "0", "unique"), "fill it"),
        ({"constraints": {"unique": []}}, ("constraints",), "no list"),
        ({"on_invalid": "drop"}, ("on_invalid",), "quarantine"),
    ],
)
def test_rules_that_are_written_wrong_say_where_and_what_to_do(given, path, said):
    with pytest.raises(DatasetError) as raised:
        Rules.read(given, Path())
    assert raised.value.context["path"] == path
    assert said in str(raised.value)
