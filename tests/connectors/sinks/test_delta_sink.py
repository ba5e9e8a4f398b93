from __future__ import annotations

import os
import time

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from connectors.errors import DatasetError
from connectors.sinks.delta import Delta
from tests.connectors.sinks.deliveries import Opened, delivery, row
from tests.connectors.sinks.laws import SinkLaws

WEEK_S = 7 * 24 * 3600


class TestDelta(SinkLaws):
    @pytest.fixture
    def opened(self, tmp_path):
        def table(dataset, mode):
            return DeltaTable(opened.make("replace").target(dataset).uri).to_pyarrow_table()

        opened = Opened(Delta, {"uri": "./lake"}, tmp_path, table)
        return opened

    def test_deliveries_are_known_after_a_checkpoint_and_a_cleaned_log(self, opened):
        sink = opened.make("append")
        for number in range(1, 8):
            sink.deliver(delivery([row(number)], number, partition=f"p{number}"))
        table = DeltaTable(sink.target("orders").uri)
        table.create_checkpoint()
        sink.deliver(delivery([row(9)], 9, partition="p1"))
        held = sink.delivered("orders")
        assert held == {"p1": 9, **{f"p{n}": n for n in range(2, 8)}}

    def test_a_type_that_delta_lacks_is_refused_by_name(self, opened):
        schema = pa.schema([("id", pa.int64()), ("at", pa.time64("us"))])
        with pytest.raises(DatasetError, match="at is time64"):
            opened.make("replace").deliver(delivery([], 1, schema))

    def test_replace_takes_the_columns_of_the_delivery(self, opened):
        sink = opened.make("replace")
        sink.deliver(delivery([row(1)], 1))
        schema = pa.schema([("id", pa.string())])
        sink.deliver(delivery([{"id": "a"}], 2, schema))
        assert opened.read("orders", "replace") == [{"id": "a"}]

    def test_files_of_killed_deliveries_are_removed_when_they_are_old(self, opened):
        every = 4
        sink = Delta(opened.make("replace").config, opened.folder, vacuum_every=every)
        sink.deliver(delivery([row(0)], 1))
        table = opened.folder / "lake/orders"
        number = 1
        for turn in range(2):
            # What deliveries were seen to leave: a file that was not whole, and one that no commit names.
            names = [f"part-{turn}-{age}-c000.zstd.parquet" for age in ("old", "new")]
            old, new = ({name, f"{name}#1"} for name in names)
            for name in old | new:
                (table / name).write_bytes(b"PAR1")
            for name in old:
                os.utime(table / name, (time.time() - WEEK_S - 60,) * 2)
            removed_at = []
            for _ in range(2 * every):
                number += 1
                sink.deliver(delivery([row(number)], number))
                assert opened.rows("replace") == [(str(number), "x")]
                there = {one.name for one in table.iterdir()}
                assert there >= new
                if there.isdisjoint(old):
                    removed_at.append(number)
                else:
                    assert there >= old
            assert removed_at
            assert len(removed_at) < 2 * every
        assert sink.delivered("orders") == {"2026-11-20": number}
