"""What becomes of a dataset when its input's columns change: who is told, and which records it has."""

from __future__ import annotations

import json

import pytest

from pipelines.dataset_metadata import dataset_metadata
from pipelines.keys import AssetKeys

BEFORE = "id bigint, v varchar, n varchar"
ROWS = [(1, "a", "10"), (2, "b", None)]


def dataset(policy, **more):
    return {"from": "wh/wh.main.r", "schema_changes": policy, **more}


@pytest.fixture
def begun(shop):
    """A function that makes a dataset by a policy, from two records of three columns."""

    def begin(policy, **more):
        shop.write({"d": dataset(policy, **more)})
        shop.fill("r", BEFORE, ROWS)
        shop.extract()
        assert shop.made("d").changes == ()
        return shop

    return begin


def change(shop, columns, rows):
    shop.fill("r", columns, rows)
    shop.extract()
    return shop.derive("d")


def test_evolve_takes_a_column_that_comes(begun):
    shop = begun("evolve")
    outcome = change(shop, f"{BEFORE}, new bigint", [(1, "a", "10", 7), (2, "b", None, None)])
    assert (outcome.status, outcome.changes) == ("WARNING", ("new (int64) came",))
    assert shop.records("d") == [
        {"id": 1, "v": "a", "n": "10", "new": 7},
        {"id": 2, "v": "b", "n": None, "new": None},
    ]
    shop.extract()
    again = shop.made("d")
    assert (again.status, again.changes) == ("SUCCESS", ())


def test_evolve_lets_a_column_go(begun):
    shop = begun("evolve")
    outcome = change(shop, "id bigint, v varchar", [(1, "a")])
    assert (outcome.status, outcome.changes) == ("WARNING", ("n (string) went",))
    assert shop.records("d") == [{"id": 1, "v": "a"}]
    assert "datasets/d.n" not in {one["id"] for one in shop.graph().resources()}


def test_evolve_takes_another_type(begun):
    shop = begun("evolve")
    outcome = change(shop, "id bigint, v varchar, n bigint", [(1, "a", 10)])
    assert (outcome.status, outcome.changes) == ("WARNING", ("n was string and is int64",))
    assert shop.records("d") == [{"id": 1, "v": "a", "n": 10}]


@pytest.mark.parametrize(
    ("columns", "row", "told"),
    [
        (f"{BEFORE}, new bigint", (1, "a", "10", 7), "new (int64) came"),
        ("id bigint, v varchar", (1, "a"), "n (string) went"),
        ("id bigint, v varchar, n bigint", (1, "a", 10), "n was string and is int64"),
    ],
)
def test_freeze_leaves_the_dataset_as_it_was_and_says_what_has_changed(begun, columns, row, told):
    shop = begun("freeze")
    for _ in range(2):
        outcome = change(shop, columns, [row])
        assert outcome.status == "FAILED"
        assert outcome.error == (
            f"the columns of its input have changed: {told} (let the source give what it gave, or set schema_changes "
            "to evolve, discard_value or discard_record)"
        )
        assert len(shop.records("d")) == 2
    shop.fill("r", BEFORE, ROWS[:1])
    shop.extract()
    assert shop.made("d").changes == ()
    assert [row["id"] for row in shop.records("d")] == [1]


def test_discard_value_leaves_a_new_column_out_each_time(begun):
    shop = begun("discard_value")
    for _ in range(2):
        outcome = change(shop, f"{BEFORE}, new bigint", [(1, "a", "10", 7), (2, "b", None, None)])
        assert (outcome.status, outcome.invalid) == ("WARNING", 0)
        assert outcome.changes == ("new (int64) came",)
        assert shop.records("d") == [{"id": 1, "v": "a", "n": "10"}, {"id": 2, "v": "b", "n": None}]


def test_discard_value_keeps_a_column_that_went_and_a_type_that_changed(begun):
    shop = begun("discard_value")
    change(shop, "id varchar, v varchar", [("1", "a"), ("x", "b")])
    assert shop.records("d") == [{"id": 1, "v": "a", "n": None}, {"id": None, "v": "b", "n": None}]
    outcome = change(shop, BEFORE, ROWS)
    assert outcome.changes == ()
    assert len(shop.records("d")) == 2


def test_discard_record_refuses_the_records_that_have_something_in_a_new_column(begun):
    shop = begun("discard_record")
    outcome = change(shop, f"{BEFORE}, new bigint", [(1, "a", "10", 7), (2, "b", None, None)])
    assert (outcome.status, outcome.rows, outcome.invalid) == ("WARNING", 1, 1)
    assert shop.records("d") == [{"id": 2, "v": "b", "n": None}]
    (row,) = shop.refused("d")
    assert json.loads(row["record"]) == {"id": 1, "v": "a", "n": "10", "new": 7}
    assert (row["stage"], row["keyword"]) == ("columns", "columns")
    assert row["message"] == "it has values in columns that its source did not have before"


def test_discard_record_refuses_the_records_whose_values_do_not_fit_the_type_before(begun):
    shop = begun("discard_record")
    outcome = change(shop, "id varchar, v varchar, n varchar", [("1", "a", "10"), ("x", "b", None)])
    assert (outcome.rows, outcome.invalid) == (1, 1)
    assert shop.records("d") == [{"id": 1, "v": "a", "n": "10"}]
    assert [json.loads(row["record"])["id"] for row in shop.refused("d")] == ["x"]


def test_discard_record_keeps_the_records_when_a_column_goes(begun):
    shop = begun("discard_record")
    outcome = change(shop, "id bigint, v varchar", [(1, "a"), (2, "b")])
    assert (outcome.rows, outcome.invalid) == (2, 0)
    assert shop.records("d") == [{"id": 1, "v": "a", "n": None}, {"id": 2, "v": "b", "n": None}]


def test_what_was_discarded_for_its_columns_stays_when_the_quarantine_is_tried_again(begun):
    shop = begun("discard_record")
    change(shop, f"{BEFORE}, new bigint", [(1, "a", "10", 7), (2, "b", None, None)])
    outcome = shop.replay("d")
    assert (outcome.rows, outcome.invalid) == (1, 1)
    assert [row["stage"] for row in shop.refused("d")] == ["columns"]


def test_changes_are_told_in_the_metadata_and_only_while_they_are_new(begun):
    shop = begun("evolve")
    outcome = change(shop, f"{BEFORE}, new bigint", [(1, "a", "10", 7)])
    shown = dataset_metadata(shop.store, outcome, AssetKeys())
    assert "new (int64) came" in shown["headwater/column_changes"].value
    again = shop.made("d")
    assert "headwater/column_changes" not in dataset_metadata(shop.store, again, AssetKeys())


def test_the_order_of_columns_is_no_change(begun):
    shop = begun("freeze")
    outcome = change(shop, "n varchar, id bigint, v varchar", [("10", 1, "a")])
    assert (outcome.status, outcome.changes) == ("SUCCESS", ())


def test_an_operation_that_needs_a_column_that_went_fails_and_names_it(begun):
    shop = begun("evolve", transform={"operations": [{"compute": {"expression": "upper(n)", "as": "m"}}]})
    outcome = change(shop, "id bigint, v varchar", [(1, "a")])
    assert outcome.status == "FAILED"
    assert "n" in outcome.error
    assert len(shop.records("d")) == 2


def test_the_columns_of_the_day_before_count_for_the_next_day(shop):
    shop.write({"d": dataset("freeze")})
    shop.fill("r", BEFORE, ROWS)
    shop.extract(day=shop.day(2))
    shop.made("d", shop.day(2))
    shop.fill("r", f"{BEFORE}, new bigint", [(1, "a", "10", 7)])
    shop.extract(day=shop.day(1))
    assert "new (int64) came" in shop.derive("d", shop.day(1)).error


def test_a_sink_takes_the_columns_that_came(begun):
    shop = begun("evolve", sinks=[])
    sinks = {"out": {"connector": "duckdb", "config": {"path": "./out.duckdb", "mode": "append"}}}
    shop.write({"d": dataset("evolve", sinks=["out"])}, sinks=sinks)
    shop.delivered("out", "d")
    change(shop, f"{BEFORE}, new bigint", [(1, "a", "10", 7), (3, "c", None, 8)])
    shop.delivered("out", "d")
    assert shop.query("select id, v, n, new from d order by id", "out.duckdb") == [
        (1, "a", "10", None),
        (2, "b", None, None),
        (3, "c", None, 8),
    ]
