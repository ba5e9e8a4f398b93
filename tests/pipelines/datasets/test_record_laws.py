"""No record is lost or made up: what a dataset has and what it refused are what its input has."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pipelines.datasets.laws import tried
from tests.pipelines.datasets.warehouse import Warehouse, bag

pytestmark = pytest.mark.timeout(1800)
LAW = tried(4, 100)
COLUMNS = "id bigint, n double, s varchar, t bigint[]"
NAMES = ("id", "n", "s", "t")
SOURCE = "wh/wh.main.r"

texts = st.none() | st.text("ab1 é'\"\\\n", max_size=4)
records = st.lists(
    st.tuples(
        st.none() | st.integers(0, 6) | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.integers(-10, 10).map(lambda n: n / 4),
        texts,
        st.none() | st.lists(st.none() | st.integers(0, 3), max_size=3),
    ),
    max_size=12,
)
not_null = st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True).map(
    lambda names: {"not_null": names}
)
ranges = st.tuples(st.sampled_from(["id", "n"]), st.integers(-3, 1), st.integers(1, 5)).map(
    lambda found: {"range": {"column": found[0], "min": found[1], "max": found[2]}}
)
patterns = st.sampled_from(["a", "^b", "1$", "^$"]).map(
    lambda regex: {"pattern": {"column": "s", "regex": regex}}
)
unique = st.lists(st.sampled_from(["id", "n", "s"]), min_size=1, max_size=2, unique=True).map(
    lambda names: {"unique": names}
)
schemas = st.sampled_from(
    [
        None,
        {"required": ["id"], "properties": {"id": {"type": "integer", "maximum": 4}}},
        {"properties": {"t": {"type": ["array", "null"], "items": {"type": "integer"}, "minItems": 1}}},
    ]
)
# Rules that look at one record alone: whether it passes does not depend on the others.
own_rules = st.lists(not_null | ranges | patterns, max_size=3)
all_rules = st.lists(not_null | ranges | patterns | unique, max_size=4)


def dataset(rules, schema=None, on_invalid="quarantine"):
    validation = {"constraints": rules, "on_invalid": on_invalid}
    return {"from": SOURCE, "validation": validation | ({"schema": schema} if schema else {})}


def passes(record, rules):
    """What the rules that look at one record say of it, in Python."""
    for rule in rules:
        if any(record[name] is None for name in rule.get("not_null", ())):
            return False
        if found := rule.get("range"):
            value = record[found["column"]]
            if value is not None and not found["min"] <= value <= found["max"]:
                return False
        if found := rule.get("pattern"):
            value = record[found["column"]]
            if value is not None and not re.search(found["regex"].replace("$", r"\Z"), value):
                return False
    return True


def refused(shop, name="d"):
    return bag(json.loads(row["record"]) for row in shop.refused(name))


def shown(rows):
    return bag(dict(zip(NAMES, row, strict=True)) for row in rows)


@pytest.fixture
def shop(tmp_path):
    return Warehouse(tmp_path / "project", "select 1")


@LAW
@given(records, all_rules, schemas)
def test_what_a_dataset_has_and_what_it_refused_is_what_its_input_has(shop, rows, rules, schema):
    shop.fill("r", COLUMNS, rows)
    shop.write({"d": dataset(rules, schema)})
    shop.extract()
    outcome = shop.made("d")
    there, away = bag(shop.records("d")), refused(shop)
    assert there + away == shown(rows)
    assert (outcome.rows, outcome.invalid) == (there.total(), away.total())
    if not schema and not any("unique" in rule for rule in rules):
        wanted = [row for row in rows if passes(dict(zip(NAMES, row, strict=True)), rules)]
        assert there == shown(wanted)


@LAW
@given(records, own_rules, own_rules)
def test_a_replay_moves_what_the_new_rules_let_pass_and_a_second_one_nothing(shop, rows, rules, later):
    shop.fill("r", COLUMNS, rows)
    shop.write({"d": dataset(rules)})
    shop.extract()
    shop.made("d")
    there, away = bag(shop.records("d")), refused(shop)
    shop.write({"d": dataset(later)})
    outcome = shop.replay("d")
    passing = Counter({text: n for text, n in away.items() if passes(json.loads(text), later)})
    assert bag(shop.records("d")) == there + passing
    assert refused(shop) == away - passing
    assert (outcome.rows, outcome.invalid) == ((there + passing).total(), (away - passing).total())
    again = shop.replay("d")
    assert bag(shop.records("d")) == there + passing
    assert refused(shop) == away - passing
    assert again.rows == outcome.rows


@LAW
@given(records, all_rules, all_rules, schemas)
def test_a_replay_loses_and_makes_up_nothing_whatever_the_rules(shop, rows, rules, later, schema):
    shop.fill("r", COLUMNS, rows)
    shop.write({"d": dataset(rules)})
    shop.extract()
    shop.made("d")
    there = bag(shop.records("d"))
    shop.write({"d": dataset(later, schema)})
    for _ in range(2):
        shop.replay("d")
        assert bag(shop.records("d")) + refused(shop) == shown(rows)
        assert not there - bag(shop.records("d"))


@LAW
@given(records, all_rules, schemas)
def test_made_twice_is_made_once(shop, rows, rules, schema):
    shop.fill("r", COLUMNS, rows)
    shop.write({"d": dataset(rules, schema)})
    shop.extract()
    shop.made("d")
    there, told = shop.records("d"), shop.refused("d")
    shop.made("d")
    assert bag(shop.records("d")) == bag(there)
    assert bag(shop.refused("d")) == bag(told)
    shop.extract()
    shop.made("d")
    assert bag(shop.records("d")) == bag(there)
    assert bag(shop.refused("d")) == bag(told)


def test_a_unique_key_is_held_to_what_the_dataset_has_when_it_is_tried_again(shop):
    shop.fill("r", COLUMNS, [(1, None, "a", None), (1, 0.0, "b", None), (2, 0.0, "c", None)])
    shop.write({"d": dataset([{"not_null": ["n"]}, {"unique": ["id"]}])})
    shop.extract()
    shop.made("d")
    assert [row["id"] for row in shop.records("d")] == [2]
    shop.execute("insert into r values (2, null, 'd', null)", "update r set id = 3 where s = 'b'")
    shop.extract()
    shop.made("d")
    assert sorted(row["id"] for row in shop.records("d")) == [3]
    shop.write({"d": dataset([{"unique": ["id"]}])})
    shop.replay("d")
    assert sorted(row["id"] for row in shop.records("d")) == [1, 3]
    assert {json.loads(row["record"])["s"] for row in shop.refused("d")} == {"c", "d"}


def test_warn_keeps_the_invalid_records_and_counts_them(shop):
    rows = [(1, 1.0, "a", None), (2, None, "b", None), (9, None, "c", [])]
    shop.fill("r", COLUMNS, rows)
    shop.write(
        {"d": dataset([{"not_null": ["n"]}, {"range": {"column": "id", "max": 5}}], on_invalid="warn")}
    )
    shop.extract()
    outcome = shop.made("d")
    assert (outcome.status, outcome.rows, outcome.invalid) == ("WARNING", 3, 2)
    assert bag(shop.records("d")) == shown(rows)
    assert not refused(shop)


def test_fail_leaves_the_dataset_as_it_was(shop):
    shop.fill("r", COLUMNS, [(1, 1.0, "a", None)])
    shop.write({"d": dataset([{"range": {"column": "id", "max": 5}}], on_invalid="fail")})
    shop.extract()
    assert shop.made("d").status == "SUCCESS"
    shop.fill("r", COLUMNS, [(1, 1.0, "a", None), (77, 2.0, "b", None), (88, 2.0, "b", None)])
    shop.extract()
    outcome = shop.derive("d")
    assert outcome.status == "FAILED"
    assert outcome.error is not None
    assert outcome.error.startswith("2 invalid, the first: /id ")
    assert "set on_invalid to quarantine or warn" in outcome.error
    assert "77" not in outcome.error
    assert "88" not in outcome.error
    assert [row["id"] for row in shop.records("d")] == [1]
    assert shop.refused("d") == []


def test_a_replay_of_what_was_warned_of_adds_nothing_that_is_there(shop):
    rows = [(1, 1.0, "a", None), (9, 1.0, "b", None)]
    shop.fill("r", COLUMNS, rows)
    shop.write({"d": dataset([{"range": {"column": "id", "max": 5}}], on_invalid="warn")})
    shop.extract()
    shop.made("d")
    shop.write({"d": dataset([], on_invalid="warn")})
    shop.replay("d")
    assert bag(shop.records("d")) == shown(rows)
    assert shop.refused("d") == []
