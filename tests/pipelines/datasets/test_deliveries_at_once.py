"""Two deliveries of one dataset at once, deliveries that end between two commits, and modes that change."""

from __future__ import annotations

import threading

import pytest
from deltalake import DeltaTable

from connectors.sinks import load_sink
from tests.pipelines.datasets.warehouse import Warehouse

SOURCE = "wh/wh.main.t"
PLACES = {
    "delta": {"uri": "./lake"},
    "files": {"path": "./lake", "format": "csv"},
    "duckdb": {"path": "./lake.duckdb"},
}


@pytest.fixture
def shop(tmp_path):
    shop = Warehouse(tmp_path / "project", "create table t (id bigint, v varchar)")
    shop.fill("t", "id bigint, v varchar", [(1, "a")])
    return shop


def to(shop, kind, **config):
    sink = {"connector": kind, "config": PLACES[kind] | config}
    shop.write({"d": {"from": SOURCE, "sinks": ["lake"]}}, sinks={"lake": sink})


def make(shop):
    shop.extract()
    shop.made("d")


def rows(shop, kind):
    if kind == "delta":
        found = DeltaTable(str(shop.folder / "lake" / "d")).to_pyarrow_table().to_pylist()
        return sorted((row["id"], row["v"]) for row in found)
    if kind == "duckdb":
        return sorted(shop.query("select id, v from main.d", "lake.duckdb"))
    files = (shop.folder / "lake").glob("d/*.csv")
    lines = [line.split(",") for file in files for line in file.read_text().splitlines()[1:]]
    return sorted((int(number), text) for number, text in lines)


class Turns:
    """Holds the first delivery back, just before it writes, until a second is as far; that then waits for it."""

    def __init__(self, put):
        self._put = put
        self.both_there, self.first_done = threading.Event(), threading.Event()
        self._count = 0
        self._lock = threading.Lock()

    def put(self, sink, delivery):
        with self._lock:
            self._count += 1
            mine = self._count
        if mine == 1:
            self.both_there.wait(30)
            try:
                return self._put(sink, delivery)
            finally:
                self.first_done.set()
        self.both_there.set()
        self.first_done.wait(30)
        return self._put(sink, delivery)


@pytest.mark.parametrize("kind", PLACES)
def test_of_two_at_once_one_appends_and_the_other_does_not(shop, kind, monkeypatch):
    to(shop, kind, mode="append")
    make(shop)
    sink = load_sink(kind)
    turns = Turns(sink.put)
    monkeypatch.setattr(sink, "put", lambda self, delivery: turns.put(self, delivery))
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(shop.deliver("lake", "d"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    # The one that was too late is told so, or, where its number is the smaller, that the target has a later one.
    late = [one for one in outcomes if one.error or (one.delivered and one.delivered.already)]
    assert len(late) == 1
    assert all("another delivery was written meanwhile" in one.error for one in late if one.error)
    assert rows(shop, kind) == [(1, "a")]
    monkeypatch.undo()
    shop.delivered("lake", "d")
    assert rows(shop, kind) == [(1, "a")]


@pytest.mark.parametrize("mode", ["replace", "upsert"])
def test_a_sink_that_appends_from_now_on_knows_what_it_has(shop, mode):
    to(shop, "delta", mode=mode, key=["id"])
    make(shop)
    shop.delivered("lake", "d")
    to(shop, "delta", mode="append")
    shop.fill("t", "id bigint, v varchar", [(1, "a"), (2, "b")])
    make(shop)
    shop.delivered("lake", "d")
    assert rows(shop, "delta") == [(1, "a"), (2, "b")]


def test_an_earlier_partition_is_not_delivered_over_one_that_the_target_has_and_nobody_has_noted(
    shop, monkeypatch
):
    to(shop, "duckdb", mode="replace")
    make(shop)
    sink = load_sink("duckdb")
    put = sink.put

    def put_and_die(self, delivery):
        put(self, delivery)
        raise KeyboardInterrupt

    monkeypatch.setattr(sink, "put", put_and_die)
    with pytest.raises(KeyboardInterrupt):
        shop.deliver("lake", "d")
    monkeypatch.undo()
    yesterday = shop.day(1)
    shop.fill("t", "id bigint, v varchar", [(1, "old")])
    shop.extract(day=yesterday)
    shop.made("d", yesterday)
    earlier = shop.deliver("lake", "d", yesterday)
    assert (earlier.status, rows(shop, "duckdb")) == ("SKIPPED", [(1, "a")])
