"""What holds for every sink. A subclass has the fixture `opened`, and is collected by pytest."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from connectors.errors import DatasetError
from connectors.sinks import Delivered, Delivery, Sink

KILLS = 20 if os.environ.get("HEADWATER_LONG") else 3
SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])
AWKWARD = ["Orders", "two words", 'quo"te', "quo'te", "größe", "订单", "a.b", "select", "50%", "a/b", "a[0]"]
OLD_ROWS, NEW_ROWS = 10_000, 40_000


@dataclass
class Opened:
    """`make` gives the sink of a mode and key; `read` the rows of a dataset, each value as text."""

    sink: type[Sink]
    config: dict[str, Any]
    folder: Path
    read: Callable[[str, str], list[dict[str, str | None]]]
    awkward: Sequence[str] = field(default_factory=lambda: list(AWKWARD))
    strict_types: bool = True

    def make(self, mode: str, key: Sequence[str] = ()) -> Sink:
        config = self.sink.Config.model_validate({**self.config, "mode": mode, "key": list(key)})
        return self.sink(config, self.folder)

    def rows(self, mode: str, dataset: str = "orders") -> list[tuple[str | None, ...]]:
        return sorted((tuple(row.values()) for row in self.read(dataset, mode)), key=str)


def records(rows: Sequence[dict[str, Any]], schema: pa.Schema = SCHEMA) -> Callable[[], pa.RecordBatchReader]:
    table = pa.Table.from_pylist(list(rows), schema=schema)
    return lambda: table.to_reader(1000)


def delivery(rows, number=1, schema=SCHEMA, *, partition="2026-11-20", stale=None, dataset="orders", **more):
    if stale is not None:
        key_schema = pa.schema([schema.field("id")])
        stale = records([{"id": one} for one in stale], key_schema)
    return Delivery(dataset, partition, number, schema, records(rows, schema), stale, **more)


def row(number: int, name: str | None = "x") -> dict[str, Any]:
    return {"id": number, "name": name}


def failing() -> pa.RecordBatchReader:
    def batches():
        yield pa.RecordBatch.from_pylist([row(7), row(8)], schema=SCHEMA)
        raise ValueError("the source went away")

    return pa.RecordBatchReader.from_batches(SCHEMA, batches())


def many(rows: int, name: str) -> Callable[[], pa.RecordBatchReader]:
    def batches():
        for start in range(0, rows, 5000):
            ids = list(range(start, min(start + 5000, rows)))
            yield pa.RecordBatch.from_arrays(
                [pa.array(ids, pa.int64()), pa.array([name] * len(ids))], schema=SCHEMA
            )

    return lambda: pa.RecordBatchReader.from_batches(SCHEMA, batches())


def many_delivery(mode: str, number: int) -> Delivery:
    old = number == 1
    given = many(OLD_ROWS if old else NEW_ROWS, "old" if old else "new")
    stale = many(OLD_ROWS if old else 0, "old")
    keys = pa.schema([("id", pa.int64())])
    return Delivery(
        "orders", "2026-11-20", number, SCHEMA, given,
        (lambda: pa.RecordBatchReader.from_batches(keys, (b.select(["id"]) for b in stale()))),
    )  # fmt: skip


MODES = [("replace", ()), ("append", ()), ("upsert", ("id",)), ("delete_stale", ("id",))]
modes = pytest.mark.parametrize(("mode", "key"), MODES, ids=[mode for mode, _ in MODES])


class SinkLaws:
    def test_replace_leaves_what_the_last_delivery_gave(self, opened):
        sink = opened.make("replace")
        assert sink.deliver(delivery([row(1), row(2)])).rows == 2
        assert sink.deliver(delivery([row(3, None), row(4, "")], 2)).rows == 2
        assert opened.rows("replace") == [("3", None), ("4", "")]

    def test_append_adds(self, opened):
        sink = opened.make("append")
        sink.deliver(delivery([row(1)], 1))
        sink.deliver(delivery([row(1), row(2)], 2))
        sink.deliver(delivery([row(3)], 1, partition="2026-11-21"))
        assert [one[0] for one in opened.rows("append")] == ["1", "1", "2", "3"]
        assert sink.delivered("orders") == {"2026-11-20": 2, "2026-11-21": 1}

    def test_upsert_replaces_by_key_and_keeps_the_rest(self, opened):
        sink = opened.make("upsert", ["id"])
        sink.deliver(delivery([row(1, "a"), row(2, "b")], 1))
        done = sink.deliver(delivery([row(2, 'new "b", \n'), row(3, "c")], 2))
        assert (done.rows, done.deleted) == (2, None)
        assert opened.rows("upsert") == [("1", "a"), ("2", 'new "b", \n'), ("3", "c")]

    def test_delete_stale_deletes_what_is_not_given_any_more(self, opened):
        sink = opened.make("delete_stale", ["id"])
        sink.deliver(delivery([row(1), row(2), row(5)], 1, stale=[]))
        assert sink.delivered("orders") == {"2026-11-20": 1}
        done = sink.deliver(delivery([row(2, "y")], 2, stale=[1, 2, 99]))
        assert (done.rows, done.deleted) == (1, 1)
        assert opened.rows("delete_stale") == [("2", "y"), ("5", "x")]

    @modes
    def test_a_delivery_given_twice_is_done_once(self, opened, mode, key):
        sink = opened.make(mode, key)
        assert not sink.deliver(delivery([row(1)], 5, stale=[])).already
        assert opened.make(mode, key).deliver(delivery([row(1)], 5, stale=[])) == Delivered(
            0, sink.target("orders").uri, already=True
        )
        assert sink.deliver(delivery([row(9)], 4, stale=[])).already
        assert opened.rows(mode) == [("1", "x")]
        assert sink.delivered("orders") == {"2026-11-20": 5}

    @modes
    def test_records_that_fail_midway_leave_what_was_there(self, opened, mode, key):
        sink = opened.make(mode, key)
        sink.deliver(delivery([row(1)], 1, stale=[]))
        with pytest.raises(DatasetError, match="its records cannot be read: ValueError"):
            sink.deliver(Delivery("orders", "2026-11-20", 2, SCHEMA, failing, records([], SCHEMA)))
        assert opened.rows(mode) == [("1", "x")]
        assert sink.delivered("orders") == {"2026-11-20": 1}
        sink.deliver(delivery([row(2)], 2, stale=[]))
        assert ("2", "x") in opened.rows(mode)

    @modes
    def test_a_first_delivery_that_fails_leaves_nothing_delivered(self, opened, mode, key):
        sink = opened.make(mode, key)
        assert sink.delivered("orders") == {}
        with pytest.raises(DatasetError, match="its records cannot be read: ValueError"):
            sink.deliver(Delivery("orders", "2026-11-20", 2, SCHEMA, failing, records([], SCHEMA)))
        assert sink.delivered("orders") == {}
        assert sink.deliver(delivery([row(2)], 2, stale=[])).rows == 1
        assert opened.rows(mode) == [("2", "x")]

    @modes
    def test_a_dataset_without_records_is_delivered(self, opened, mode, key):
        sink = opened.make(mode, key)
        assert sink.deliver(delivery([], 1, stale=[])).rows == 0
        assert opened.rows(mode) == []
        assert sink.delivered("orders") == {"2026-11-20": 1}
        sink.deliver(delivery([row(1)], 2, stale=[]))
        assert opened.rows(mode) == [("1", "x")]

    @modes
    def test_awkward_names_of_datasets_columns_and_partitions(self, opened, mode, key):
        columns = [name for name in opened.awkward if name != "id"]
        schema = pa.schema([("id", pa.int64()), *((name, pa.string()) for name in columns)])
        given = [{"id": 1, **dict.fromkeys(columns, "v")}]
        sink = opened.make(mode, key)
        for at, dataset in enumerate(opened.awkward):
            partition = f"eu/{dataset}|2026-11-20"
            for number in (1, 2):
                sink.deliver(delivery(given, number, schema, dataset=dataset, partition=partition, stale=[]))
            assert sink.delivered(dataset) == {partition: 2}, at
            found = opened.read(dataset, mode)
            assert len(found) == (2 if mode == "append" else 1), dataset
            assert found[0] == {name: "1" if name == "id" else "v" for name in schema.names}

    @pytest.mark.parametrize(("mode", "key"), MODES[2:], ids=[mode for mode, _ in MODES[2:]])
    def test_a_new_column_is_null_in_what_was_there_and_a_missing_one_in_what_is_new(self, opened, mode, key):
        sink = opened.make(mode, key)
        sink.deliver(delivery([row(1, "a")], 1, stale=[]))
        schema = pa.schema([("id", pa.int64()), ("city", pa.string())])
        sink.deliver(delivery([{"id": 2, "city": "Berne"}], 2, schema, stale=[]))
        found = {one["id"]: (one.get("name"), one.get("city")) for one in opened.read("orders", mode)}
        assert found == {"1": ("a", None), "2": (None, "Berne")}

    @pytest.mark.parametrize(("mode", "key"), MODES[1:], ids=[mode for mode, _ in MODES[1:]])
    def test_a_type_that_does_not_fit_is_refused(self, opened, mode, key):
        if not opened.strict_types:
            pytest.skip("its values are text")
        sink = opened.make(mode, key)
        schema = pa.schema([("id", pa.int64()), ("name", pa.int64())])
        sink.deliver(delivery([row(1, 5)], 1, schema, stale=[]))
        for kind, value in ((pa.float64(), 1.5), (pa.string(), "7")):
            wrong = pa.schema([("id", pa.int64()), ("name", kind)])
            with pytest.raises(DatasetError, match="name is"):
                sink.deliver(delivery([row(2, value)], 2, wrong, stale=[]))
        assert opened.rows(mode) == [("1", "5")]

    @pytest.mark.parametrize(("mode", "key"), MODES[2:], ids=[mode for mode, _ in MODES[2:]])
    def test_a_key_that_is_null_or_shared_is_refused(self, opened, mode, key):
        sink = opened.make(mode, key)
        with pytest.raises(DatasetError, match="no value in id"):
            sink.deliver(delivery([row(1), {"id": None, "name": "x"}], 1, stale=[]))
        with pytest.raises(DatasetError, match="of several records"):
            sink.deliver(delivery([row(1), row(1, "y")], 1, stale=[]))
        wrong = pa.schema([("name", pa.string())])
        with pytest.raises(DatasetError, match="no column id"):
            sink.deliver(Delivery("orders", "p", 1, wrong, records([], wrong), records([], wrong)))
        assert sink.delivered("orders") == {}

    def test_a_check_says_that_it_can_write_and_leaves_nothing(self, opened):
        sink = opened.make("replace")
        before = sorted(str(one) for one in opened.folder.rglob("*"))
        assert [one for one in sink.check() if not one.ok] == []
        assert sorted(str(one) for one in opened.folder.rglob("*")) == before

    @modes
    def test_of_two_deliveries_at_once_each_is_done_whole_or_fails_to_be_tried_again(self, opened, mode, key):
        opened.make(mode, key).deliver(many_delivery(mode, 1))
        failures: list[BaseException] = []
        begin = threading.Barrier(2)

        def deliver(number: int) -> None:
            begin.wait()
            try:
                given = many_delivery(mode, 2)
                opened.make(mode, key).deliver(
                    Delivery("orders", f"p{number}", number, SCHEMA, given.records, given.stale)
                )
            except DatasetError as error:
                failures.append(error)

        threads = [threading.Thread(target=deliver, args=(number,)) for number in (2, 3)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert all(error.retryable for error in failures), failures
        assert len(failures) < 2
        wins = 2 - len(failures)
        expected = OLD_ROWS + wins * NEW_ROWS if mode == "append" else NEW_ROWS
        assert len(opened.read("orders", mode)) == expected
        assert len(opened.make(mode, key).delivered("orders")) == 1 + wins

    @modes
    @pytest.mark.timeout(900)
    def test_a_delivery_killed_at_any_moment_leaves_the_old_or_the_new_state(self, opened, mode, key):
        chance = random.Random()
        sink = opened.make(mode, key)
        sink.deliver(many_delivery(mode, 1))
        whole_s = 0.0
        for turn in range(KILLS + 1):
            dataset = opened.read("orders", mode)
            number = turn + 2
            running = start_delivery(opened, mode, key, number)
            assert running.stdout is not None
            assert running.stdout.readline() == b"begins\n"
            begun = time.monotonic()
            if turn == 0:  # how long one takes
                running.wait()
                whole_s = time.monotonic() - begun
            else:
                time.sleep(chance.uniform(0, 1) * whole_s)
                os.kill(running.pid, signal.SIGKILL)
                running.wait()
            running.stdout.close()
            before, after = len(dataset), len(opened.read("orders", mode))
            grown = before + NEW_ROWS if mode == "append" else NEW_ROWS
            assert after in (before, grown)
            held = sink.delivered("orders")["2026-11-20"]
            if mode == "append":
                assert held == (number if after == grown else number - 1)
            wait_until_free(sink, many_delivery(mode, number))
            found = opened.read("orders", mode)
            assert len(found) == grown
            assert sink.deliver(many_delivery(mode, number)).already
            if mode != "append":
                assert {one["name"] for one in found} == {"new"}


def wait_until_free(sink: Sink, given: Delivery) -> None:
    """A server may take a moment to see that a client is gone."""
    deadline = time.monotonic() + 20
    while True:
        try:
            sink.deliver(given)
            return
        except DatasetError as error:
            if not error.retryable or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def start_delivery(opened: Opened, mode: str, key: Sequence[str], number: int) -> subprocess.Popen[bytes]:
    given = {
        "module": opened.sink.__module__, "sink": opened.sink.__name__, "mode": mode, "number": number,
        "config": {**opened.config, "mode": mode, "key": list(key)}, "folder": str(opened.folder),
    }  # fmt: skip
    program = "from tests.connectors.sinks.laws import deliver_one; deliver_one()"
    root = Path(__file__).resolve().parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(root), "HEADWATER_GIVEN": json.dumps(given)},
        stdout=subprocess.PIPE,
    )


def deliver_one() -> None:
    import importlib

    given = json.loads(os.environ["HEADWATER_GIVEN"])
    cls = getattr(importlib.import_module(given["module"]), given["sink"])
    sink = cls(cls.Config.model_validate(given["config"]), Path(given["folder"]))
    print("begins", flush=True)
    sink.deliver(many_delivery(given["mode"], given["number"]))
