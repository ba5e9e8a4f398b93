from __future__ import annotations

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from connectors.errors import DatasetError
from connectors.sinks.delta import Delta
from tests.connectors.sinks.laws import Opened, SinkLaws, delivery, row


class TestDelta(SinkLaws):
    @pytest.fixture
    def opened(self, tmp_path):
        def read(dataset, mode):
            uri = opened.make("replace").target(dataset).uri
            rows = DeltaTable(uri).to_pyarrow_table().to_pylist()
            return [{k: None if v is None else str(v) for k, v in one.items()} for one in rows]

        opened = Opened(Delta, {"uri": "./lake"}, tmp_path, read)
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
