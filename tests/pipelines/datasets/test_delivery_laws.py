"""What a target holds after any number of days and repetitions, in every mode, against a model of it."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pipelines.datasets.laws import tried
from tests.pipelines.datasets.warehouse import Warehouse

pytestmark = pytest.mark.timeout(1800)
MODES = ("replace", "append", "upsert", "delete_stale")
ROW = "id bigint, v varchar"

# By key, so that upsert and delete_stale have one record of each.
inputs = st.dictionaries(st.integers(1, 5), st.none() | st.sampled_from(["a", "b", "é 'x'"]), max_size=4)
steps = st.lists(st.tuples(st.integers(0, 1), inputs, st.booleans()), min_size=1, max_size=4)


def sinks(kind):
    """One sink for each mode."""
    place = {"duckdb": {"path": "./{}.duckdb"}, "files": {"path": "./{}", "format": "jsonl"}}[kind]
    return {
        mode: {
            "connector": kind,
            "config": {
                **{key: value.format(mode) for key, value in place.items()},
                "mode": mode,
                **({"key": ["id"]} if mode in ("upsert", "delete_stale") else {}),
            },
        }
        for mode in MODES
    }


def held(shop, kind, mode):
    """What the target of a mode has, as a multiset."""
    if kind == "duckdb":
        return Counter(shop.query("select id, v from d", f"{mode}.duckdb"))
    files = sorted(shop.folder.glob(f"{mode}/d.jsonl")) + sorted(shop.folder.glob(f"{mode}/d/*.jsonl"))
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return Counter((line["id"], line["v"]) for line in lines)


class Model:
    """What each target should hold."""

    def __init__(self):
        self.held = {mode: Counter() for mode in MODES}
        self.before = Counter()

    def deliver(self, rows):
        now = Counter(rows.items())
        stale = {key for key, _ in self.before} - set(rows)
        self.held = {
            "replace": now,
            "append": self.held["append"] + (now - self.before),
            "upsert": Counter({**dict(self.held["upsert"].keys()), **rows}.items()),
            "delete_stale": Counter(
                {
                    **{key: v for key, v in self.held["delete_stale"] if key not in stale},
                    **rows,
                }.items()
            ),
        }
        self.before = now


@pytest.mark.parametrize("kind", ["duckdb", "files"])
@tried(2, 60)
@given(found=steps)
def test_every_record_is_delivered_once_over_days_and_repetitions(tmp_path_factory, kind, found):
    shop = Warehouse(tmp_path_factory.mktemp("days") / "project", "select 1")
    shop.write({"d": {"from": "wh/wh.main.r", "sinks": list(MODES)}}, sinks=sinks(kind))
    model, day = Model(), 10
    for later, rows, twice in found:
        day -= later
        shop.fill("r", ROW, list(rows.items()))
        for _ in range(1 + twice):
            shop.extract(day=shop.day(day))
            shop.made("d", shop.day(day))
            for mode in MODES:
                shop.delivered(mode, "d", shop.day(day))
        model.deliver(rows)
        assert {mode: held(shop, kind, mode) for mode in MODES} == model.held


def test_a_record_that_stands_twice_is_appended_twice_and_no_more(shop):
    shop.write(
        {"d": {"from": "wh/wh.main.r", "sinks": ["append"]}}, sinks={"append": sinks("duckdb")["append"]}
    )
    for day, rows in ((3, [(1, "a")]), (2, [(1, "a"), (1, "a")]), (2, [(1, "a"), (1, "a")]), (1, [(1, "a")])):
        shop.fill("r", ROW, rows)
        shop.extract(day=shop.day(day))
        shop.made("d", shop.day(day))
        shop.delivered("append", "d", shop.day(day))
    assert held(shop, "duckdb", "append") == {(1, "a"): 2}


def test_a_replayed_record_reaches_the_sink_once(shop):
    def write(rules):
        shop.write(
            {"d": {"from": "wh/wh.main.r", "sinks": list(MODES), "validation": {"constraints": rules}}},
            sinks=sinks("duckdb"),
        )

    shop.fill("r", ROW, [(1, "a"), (2, None), (3, "c")])
    write([{"not_null": ["v"]}])
    shop.extract()
    shop.made("d")
    for mode in MODES:
        shop.delivered(mode, "d")
    write([])
    for _ in range(2):
        shop.replay("d")
        for mode in MODES:
            shop.delivered(mode, "d")
    whole = Counter([(1, "a"), (2, None), (3, "c")])
    assert {mode: held(shop, "duckdb", mode) for mode in MODES} == dict.fromkeys(MODES, whole)


def test_an_earlier_partition_is_not_put_over_a_later_one(shop):
    shop.write({"d": {"from": "wh/wh.main.r", "sinks": list(MODES)}}, sinks=sinks("duckdb"))
    for day, rows in ((1, [(1, "new")]), (5, [(1, "old"), (2, "old")])):
        shop.fill("r", ROW, rows)
        shop.extract(day=shop.day(day))
        shop.made("d", shop.day(day))
        outcomes = [shop.deliver(mode, "d", shop.day(day)) for mode in MODES]
    assert {one.status for one in outcomes} == {"SKIPPED"}
    assert all("which is later" in one.error for one in outcomes)
    assert all(held(shop, "duckdb", mode) == Counter([(1, "new")]) for mode in MODES)


def test_a_target_that_was_taken_away_is_filled_anew(shop):
    shop.write({"d": {"from": "wh/wh.main.r", "sinks": list(MODES)}}, sinks=sinks("duckdb"))
    shop.fill("r", ROW, [(1, "a")])
    shop.extract(day=shop.day(2))
    shop.made("d", shop.day(2))
    for mode in MODES:
        shop.delivered(mode, "d", shop.day(2))
        (shop.folder / f"{mode}.duckdb").unlink()
    shop.fill("r", ROW, [(1, "a"), (2, "b")])
    shop.extract()
    shop.made("d")
    for mode in MODES:
        shop.delivered(mode, "d")
        assert held(shop, "duckdb", mode) == Counter([(1, "a"), (2, "b")])


def test_a_filled_target_of_another_project_is_not_appended_to_blindly(shop, tmp_path):
    """Nothing in this project's storage tells which records are new."""
    append = {"append": sinks("duckdb")["append"]}
    append["append"]["config"]["path"] = str(tmp_path / "shared.duckdb")
    for place in (shop, Warehouse(tmp_path / "other")):
        place.fill("r", ROW, [(1, "a")])
        place.write({"d": {"from": "wh/wh.main.r", "sinks": ["append"]}}, sinks=append)
        place.extract()
        place.made("d")
    shop.delivered("append", "d")
    other = Warehouse(tmp_path / "other", "select 1")
    other.write({"d": {"from": "wh/wh.main.r", "sinks": ["append"]}}, sinks=append)
    outcome = other.deliver("append", "d")
    assert outcome.status == "FAILED"
    assert "of which this project's storage knows nothing" in outcome.error
