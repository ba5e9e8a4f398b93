"""The sinks of files and of Delta, on a server that speaks S3.

The server is moto's: what it does with two writers at once is what Amazon's documentation says, and no proof of it.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pyarrow.fs as pafs
import pytest
from deltalake import DeltaTable

from connectors.errors import DatasetError
from connectors.sinks import Delta, Files
from tests.connectors.sinks.deliveries import Opened, delivery, failing, modes, row
from tests.connectors.sinks.file_reading import read_files
from tests.connectors.sinks.mode_laws import ModeLaws
from tests.services.other_machine import deliver_elsewhere, interrupted
from tests.services.s3_server import s3_server

SECRET = "very-secret-key"
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket(s3):
    """A bucket of the test's own."""
    name = f"lake-{next(NUMBERS)}"
    s3.make_bucket(name)
    return name


class StoreLaws:
    """What is the same in every format."""

    def test_awkward_names_of_datasets_and_partitions(self, opened):
        sink = opened.make("append")
        for dataset in ("a b+c", "größe", "50%", 'a/"b"'):
            partition = f"eu/{dataset}|2026-11-20"
            sink.deliver(delivery([row(1)], 1, dataset=dataset, partition=partition))
            assert sink.delivered(dataset) == {partition: 1}
            assert opened.read(dataset, "append") == [{"id": "1", "name": "x"}]

    def test_a_check_says_that_the_store_can_be_reached(self, opened):
        assert [one.ok for one in opened.make("replace").check()] == [True]

    def test_what_is_told_of_a_refused_login_holds_no_secret(self, opened, s3):
        sink = opened.make("replace")
        with s3.refusing():
            self.told(sink, "refused the login", retryable=False)
        assert sink.deliver(delivery([row(1)], 1)).rows == 1

    def test_a_bucket_that_is_not_there_is_told(self, opened):
        place = next(name for name in ("uri", "path") if name in opened.config)
        opened.config[place] = "s3://absent-bucket/below"
        self.told(opened.make("replace"), "no such bucket", retryable=False)

    def test_a_store_that_is_away_is_told_to_be_tried_again(self, opened):
        opened.config["endpoint"] = "http://127.0.0.1:9"
        self.told(opened.make("replace"), "does not answer", retryable=True)

    def told(self, sink, words, *, retryable):
        with pytest.raises(DatasetError, match=words) as raised:
            sink.deliver(delivery([row(1, "private value")], 1))
        assert raised.value.retryable is retryable
        checked = [*sink.check()]
        assert [(one.ok, words in one.message) for one in checked] == [(False, True)]
        shown = repr([checked, sink, vars(sink), sink.config, sink.target("orders")])
        error = raised.value
        while error is not None:
            shown += f"{error!r} {error}"
            error = error.__cause__ or error.__context__
        assert SECRET not in shown
        assert "private value" not in shown


class FilesOnS3(ModeLaws):
    extension = ""

    @pytest.fixture
    def opened(self, s3, bucket, tmp_path):
        def table(dataset, mode):
            there = opened.make(mode, ["id"]).target(dataset).uri.removeprefix("s3://")
            here = tmp_path / "read" / Path(there).name
            if mode == "append":
                fetch_all(s3.files(), there, here)
            else:
                fetch(s3.files(), there, here)
            return read_files(str(here), self.extension, mode)

        config = {"path": f"s3://{bucket}/out", "format": self.extension, **s3.login(SECRET)}
        opened = Opened(Files, config, tmp_path, table)
        return opened

    def test_of_two_machines_at_once_the_file_of_the_last_stands(self, opened, tmp_path):
        sink = opened.make("replace")
        sink.deliver(delivery([row(1)], 1))

        def between():
            deliver_elsewhere(opened, "replace", (), 2, tmp_path / "elsewhere")
            assert opened.rows("replace") == [("2", "x")]

        sink.deliver(interrupted(delivery([row(3), row(4)], 3), between))
        assert opened.rows("replace") == [("3", "x"), ("4", "x")]
        assert sink.delivered("orders") == {"2026-11-20": 3}

    def test_nothing_begun_stays(self, opened, s3):
        sink = opened.make("replace")
        sink.deliver(delivery([row(1)], 1))
        with pytest.raises(DatasetError, match="cannot be read"):
            sink.deliver(replace(delivery([], 2), records=failing))
        below = opened.config["path"].removeprefix("s3://")
        found = s3.files().get_file_info(pafs.FileSelector(below, recursive=True))
        names = {one.path.removeprefix(f"{below}/") for one in found if one.type == pafs.FileType.File}
        assert names == {f"orders.{self.extension}", f".headwater/orders.{self.extension}.json"}


class TestParquetOnS3(StoreLaws, FilesOnS3):
    extension = "parquet"


class TestCsvOnS3(FilesOnS3):
    extension = "csv"


class TestJsonLinesOnS3(FilesOnS3):
    extension = "jsonl"


class TestDeltaOnS3(StoreLaws, ModeLaws):
    @pytest.fixture
    def opened(self, s3, bucket, tmp_path):
        def table(dataset, mode):
            sink = opened.make(mode, ["id"])
            return DeltaTable(sink.target(dataset).uri, storage_options=sink._options).to_pyarrow_table()

        opened = Opened(Delta, {"uri": f"s3://{bucket}/tables", **s3.login(SECRET)}, tmp_path, table)
        return opened

    @modes
    @pytest.mark.parametrize("there", [True, False], ids=["to a table", "to none"])
    def test_of_two_machines_at_once_the_last_is_told_to_try_again(self, opened, mode, key, there, tmp_path):
        sink = opened.make(mode, key)
        if there:
            sink.deliver(delivery([row(1)], 1, stale=[]))
        second = interrupted(
            delivery([row(3)], 3, partition="another", stale=[]),
            lambda: deliver_elsewhere(opened, mode, key, 2, tmp_path / "elsewhere"),
        )
        before = {"1"} if there and mode != "replace" else set()
        if mode == "append" and there:  # which takes nothing away: done again, it is the same
            sink.deliver(second)
        else:
            with pytest.raises(DatasetError, match="written meanwhile") as raised:
                sink.deliver(second)
            assert raised.value.retryable
            assert {one[0] for one in opened.rows(mode)} == {*before, "2"}
            sink.deliver(second)
        kept = {"2"} if mode != "replace" else set()
        assert {one[0] for one in opened.rows(mode)} == {*before, *kept, "3"}
        assert sink.delivered("orders") == {"2026-11-20": 2, "another": 3}


def fetch(files, there, here):
    here.parent.mkdir(parents=True, exist_ok=True)
    with files.open_input_stream(there) as stream:
        here.write_bytes(stream.read())


def fetch_all(files, there, here):
    for one in files.get_file_info(pafs.FileSelector(there)):
        fetch(files, one.path, here / one.base_name)
