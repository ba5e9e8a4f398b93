"""What holds for every sink. A subclass has the fixture `opened`, and is collected by pytest."""

from __future__ import annotations

import threading
from dataclasses import replace

import pyarrow as pa
import pytest

from connectors.errors import DatasetError
from connectors.sinks import Delivery
from tests.connectors.sinks.deliveries import (
    MODES,
    NEW_ROWS,
    OLD_ROWS,
    delivery,
    many_delivery,
    modes,
    records,
    row,
)
from tests.connectors.sinks.kills import KillLaws
from tests.connectors.sinks.mode_laws import ModeLaws


class SinkLaws(ModeLaws, KillLaws):
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
                opened.make(mode, key).deliver(replace(given, partition=f"p{number}", number=number))
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
        assert sum(opened.names(mode).values()) == expected
        assert len(opened.make(mode, key).delivered("orders")) == 1 + wins
