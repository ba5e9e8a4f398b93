from __future__ import annotations

import os
import time

import pyarrow.fs as pafs
import pytest

from connectors.errors import DatasetError
from connectors.sinks.file_places import FilePlace


@pytest.fixture
def unlocked(tmp_path):
    """A folder as one of another machine's would be, on which no lock can be had."""
    return FilePlace("store://x", pafs.LocalFileSystem(), str(tmp_path), local=False, longest_bytes=10)


def test_what_another_machine_began_is_removed_after_a_day_and_not_before(unlocked, tmp_path):
    beside = tmp_path / ".headwater"
    beside.mkdir()
    token = "0123456789abcdef" * 2
    old = {f"orders.{token}.begun", f"orders.note.{token}.begun"}
    other = {f"orders.{token[::-1]}.begun", f"orders2.{token}.begun", "orders.csv.json"}
    for name in old | other:
        (beside / name).write_text("half")
        if not name.startswith(f"orders.{token[::-1]}"):
            os.utime(beside / name, (time.time() - 25 * 3600,) * 2)
    with unlocked.work("orders"):
        pass
    assert {one.name for one in beside.iterdir()} == other


def test_a_delivery_that_fails_takes_away_what_it_began(unlocked, tmp_path):
    def deliver() -> None:
        with unlocked.work("orders"), unlocked.open_begun("orders") as stream:
            stream.write(b"half")
            raise ValueError("away")

    with pytest.raises(ValueError, match="away"):
        deliver()
    assert [*(tmp_path / ".headwater").iterdir()] == []


def test_a_file_that_the_store_cannot_put_into_its_place_is_refused_while_it_is_written(unlocked):
    with unlocked.open_begun("orders") as stream:
        stream.write(b"0123456789")
        with pytest.raises(DatasetError, match="more than 10 bytes"):
            stream.write(b"x")


def test_the_digest_of_what_was_written_is_that_of_what_is_there(unlocked):
    with unlocked.open_begun("orders") as stream:
        stream.write(b"01234")
        stream.write(memoryview(b"56"))
        written = stream.digest()
    unlocked.settle("orders", "orders.csv")
    assert unlocked.digest("orders.csv") == written
