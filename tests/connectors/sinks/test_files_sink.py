from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pyarrow as pa
import pytest

from connectors.sinks.files import Files
from tests.connectors.sinks.deliveries import Opened, delivery, row
from tests.connectors.sinks.file_reading import read_files
from tests.connectors.sinks.laws import SinkLaws

MOMENT = datetime(2026, 11, 20, 8, 30, 0, 250000, tzinfo=UTC)
TYPES = pa.schema(
    [
        ("id", pa.int64()), ("at", pa.timestamp("us", "Europe/Zurich")), ("day", pa.date32()), ("t", pa.time64("us")),
        ("n", pa.decimal128(10, 2)), ("ok", pa.bool_()), ("x", pa.float64()), ("raw", pa.binary()),
        ("tags", pa.list_(pa.string())), ("s", pa.struct([("a", pa.int64())])), ("big", pa.uint64()),
    ]
)  # fmt: skip
VALUES = {
    "id": 1, "at": MOMENT, "day": date(2026, 11, 20), "t": time(8, 30), "n": Decimal("1.50"), "ok": True, "x": 1.5,
    "raw": b"\xff", "tags": ["a", None, 'b"'], "s": {"a": 1}, "big": 2**64 - 1,
}  # fmt: skip


class FileLaws(SinkLaws):
    extension = ""

    @pytest.fixture
    def opened(self, tmp_path):
        def table(dataset, mode):
            return read_files(opened.make(mode, ["id"]).target(dataset).uri, self.extension, mode)

        config = {"path": "./out", "format": self.extension}
        opened = Opened(Files, config, tmp_path, table, strict_types=self.extension == "parquet")
        return opened

    def test_nothing_begun_stays(self, opened):
        sink = opened.make("upsert", ["id"])
        sink.deliver(delivery([row(1)], 1))
        (opened.folder / "out/.headwater/orders.begun").write_text("half")
        (opened.folder / "out/.headwater/orders.work").mkdir()
        sink.deliver(delivery([row(2)], 2))
        left = sorted(one.name for one in (opened.folder / "out/.headwater").iterdir())
        assert set(left) == {f"orders.{self.extension}.json", "orders.lock"}

    def test_a_delivery_killed_between_the_file_and_its_note_is_known(self, opened):
        sink = opened.make("replace")
        sink.deliver(delivery([row(1)], 1))
        note = opened.folder / f"out/.headwater/orders.{self.extension}.json"
        sink.deliver(delivery([row(2)], 2))
        place = sink._place()
        told = {"partition": "2026-11-20", "number": 2, "digest": place.digest(f"orders.{self.extension}")}
        note.write_text(json.dumps({"held": {"2026-11-20": 1}, "about": told}))
        assert sink.delivered("orders") == {"2026-11-20": 2}
        told["digest"] = "another"
        note.write_text(json.dumps({"held": {"2026-11-20": 1}, "about": told}))
        assert sink.delivered("orders") == {"2026-11-20": 1}

    def test_a_file_that_was_taken_away_holds_no_delivery(self, opened):
        sink = opened.make("replace")
        sink.deliver(delivery([row(1)], 1))
        (opened.folder / f"out/orders.{self.extension}").unlink()
        assert sink.delivered("orders") == {}


class TestParquet(FileLaws):
    extension = "parquet"


class TestCsv(FileLaws):
    extension = "csv"

    def test_every_type_has_its_text(self, opened):
        opened.make("replace").deliver(delivery([VALUES, {"id": 2}], 1, TYPES))
        with (opened.folder / "out/orders.csv").open(newline="") as stream:
            _, first, second = csv.reader(stream)
        assert first == [
            "1", "2026-11-20T08:30:00.250000Z", "2026-11-20", "08:30:00.000000", "1.50", "true", "1.5", "/w==",
            '["a",null,"b\\""]', '{"a":1}', str(2**64 - 1),
        ]  # fmt: skip
        assert second == ["2", *[""] * 10]


class TestJsonLines(FileLaws):
    extension = "jsonl"

    def test_every_type_has_its_text(self, opened):
        opened.make("replace").deliver(delivery([VALUES, {"id": 2}], 1, TYPES))
        first, second = (opened.folder / "out/orders.jsonl").read_text().splitlines()
        assert json.loads(first) == {
            "id": 1, "at": "2026-11-20T08:30:00.250000Z", "day": "2026-11-20", "t": "08:30:00", "n": "1.50", "ok": True,
            "x": 1.5, "raw": "/w==", "tags": ["a", None, 'b"'], "s": {"a": 1}, "big": 2**64 - 1,
        }  # fmt: skip
        assert set(json.loads(second).values()) == {2, None}
