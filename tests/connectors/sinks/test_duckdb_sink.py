from __future__ import annotations

import subprocess
import sys

import duckdb
import pyarrow as pa
import pytest

from connectors.errors import DatasetError
from connectors.sinks.duckdb import DuckDB
from tests.connectors.sinks.deliveries import Opened, delivery, row
from tests.connectors.sinks.laws import SinkLaws

HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


class TestDuckDB(SinkLaws):
    @pytest.fixture
    def opened(self, tmp_path):
        def table(dataset, mode):
            name = dataset.replace('"', '""')
            with duckdb.connect(str(tmp_path / "shop.duckdb")) as engine:
                return engine.sql(f'from main."{name}"').to_arrow_table()

        return Opened(DuckDB, {"path": "shop.duckdb"}, tmp_path, table)

    def test_a_file_that_another_process_has_open_is_told_to_be_in_use(self, opened):
        sink = opened.make("append")
        sink.deliver(delivery([row(1)], 1))
        command = [sys.executable, "-c", HOLD, str(opened.folder / "shop.duckdb")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            assert other.stdout.readline() == b"held\n"
            with pytest.raises(DatasetError, match="is in use") as raised:
                sink.deliver(delivery([row(2)], 2))
            assert raised.value.retryable
            other.stdin.close()
        assert sink.deliver(delivery([row(2)], 2)).rows == 1

    def test_a_table_that_was_dropped_is_delivered_anew(self, opened):
        sink = opened.make("append")
        sink.deliver(delivery([row(1)], 1))
        with duckdb.connect(str(opened.folder / "shop.duckdb")) as engine:
            engine.execute("drop table orders")
        assert sink.delivered("orders") == {}
        assert sink.deliver(delivery([row(1)], 1)).rows == 1

    def test_datasets_whose_names_differ_in_case_only_are_refused(self, opened):
        sink = opened.make("replace")
        sink.deliver(delivery([row(1)], 1))
        with pytest.raises(DatasetError, match="knows no case"):
            sink.deliver(delivery([row(1)], 1, dataset="ORDERS"))
        schema = pa.schema([("id", pa.int64()), ("ID", pa.int64())])
        with pytest.raises(DatasetError, match="knows no case"):
            sink.deliver(delivery([], 2, schema))
