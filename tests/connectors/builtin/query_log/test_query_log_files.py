"""Which files are read, and how they are packed."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.builtin.query_log import QueryLog
from connectors.errors import ConnectorError, UnexpectedAnswer, Unreachable
from connectors.testing import run_connector
from connectors.testing.run import today
from tests.connectors.builtin.query_log.writing import (
    DAY,
    NOON,
    PACKED,
    WRITTEN,
    as_csv,
    entry,
    jsonl,
    parquet,
)

TWO = [
    entry(
        sql="select 'é'\n, 2",
        user_name="ann",
        duration=1.5,
        session_id="s1",
        database_name="shop",
        schema_name="sales",
        rows=3,
        query_id="q1",
    ),
    entry(
        sql="select 2",
        user_name="bob",
        duration=0,
        session_id="s2",
        database_name="shop",
        schema_name="sales",
        rows=0,
        query_id="q2",
    ),
]


@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("form", WRITTEN)
def test_every_format_is_read_in_every_packing(form, packing, write, read):
    write(f"log.{form}{packing}", PACKED[packing](WRITTEN[form](TWO)))
    found = read(dialect="duckdb")
    first, second = found.statements
    assert first.model_dump() == {
        "sql": "select 'é'\n, 2",
        "dialect": "duckdb",
        "default_database": "shop",
        "default_schema": "sales",
        "session": "s1",
        "user": "ann",
        "at": NOON,
        "duration_s": 1.5,
        "rows": 3,
        "location": "q1",
        "count": 1,
    }
    assert (second.user, second.duration_s, second.rows) == ("bob", 0.0, 0)
    assert found.report.complete


@pytest.mark.parametrize("packing", PACKED)
def test_what_a_file_is_packed_with_is_seen_in_it_whatever_its_name(packing, write, texts):
    write("a.jsonl", PACKED[packing](jsonl([entry()])))
    write("b.jsonl.gz", PACKED[packing](jsonl([entry(sql="select 2")])))
    write("c.csv", PACKED[packing](parquet([entry(sql="select 3")])))
    assert texts() == ["select 1", "select 2", "select 3"]


def test_packed_parts_that_follow_each_other_are_one_file(write, texts):
    for packing in (".gz", ".zst"):
        parts = [PACKED[packing](jsonl([entry(sql=f"select '{packing}{n}'")])) for n in (1, 2)]
        write(f"a.jsonl{packing}", b"".join(parts))
    assert texts() == [f"select '{packing}{n}'" for packing in (".gz", ".zst") for n in (1, 2)]


def test_a_pattern_chooses_hidden_files_and_those_of_no_known_format_are_left_out(write, texts):
    for name in ("a.jsonl", "deep/b.ndjson", ".c.jsonl", "README", "d.sql"):
        write(name, [entry(sql=name)])
    assert texts() == ["a.jsonl", "deep/b.ndjson"]
    assert texts(glob="*.jsonl") == ["a.jsonl"]
    assert texts(glob="d.*", format="jsonl") == ["d.sql"]
    assert texts(path="logs/d.sql", format="jsonl") == ["d.sql"]


def test_a_name_that_says_no_format_needs_the_setting(write, read):
    write("query.log", [entry()])
    with pytest.raises(ConnectorError, match=r"query\.log: its name does not say .*set `format`"):
        read()
    assert read(format="jsonl").statements


def test_a_folder_that_is_missing_is_said_and_one_without_a_match_is_partial(write, read):
    with pytest.raises(Unreachable, match="is not there"):
        read()
    write("a.jsonl", [entry()])
    assert read(glob="*.csv").report.warnings == ["logs: no file matches '*.csv'"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.jsonl.gz", "a.csv.zst"])
def test_an_empty_file_has_no_entries(name, write, read):
    write(name, b"")
    found = read()
    assert (found.statements, found.report.complete) == ([], True)


def test_files_last_modified_before_the_window_are_left_out(write, read, texts):
    write("old.jsonl", [entry(sql="select 'old'")], at=DAY.start - timedelta(hours=2))
    write("near.jsonl", [entry(sql="select 'near'")], at=DAY.start - timedelta(minutes=50))
    assert texts() == ["select 'near'"]
    assert "1 files were last modified before the window" in read().log
    assert texts(skip_older=False) == ["select 'near'", "select 'old'"]


def test_a_truncated_gzip_file_gives_what_can_be_read_and_is_warned_of(write, read):
    packed = gzip.compress(
        b"".join(jsonl([entry(sql=f"select {os.urandom(40).hex()!r}")]) for _ in range(5000))
    )
    write("a.jsonl.gz", packed[: len(packed) // 2])
    write("b.jsonl", [entry(sql="select 'whole'")])
    found = read()
    assert 1000 < len(found.statements) < 4000
    assert found.statements[-1].sql == "select 'whole'"
    assert found.report.rejects == []
    (warning,) = found.report.warnings
    assert "a.jsonl.gz is damaged" in warning
    assert "ended before the end-of-stream marker" in warning


def test_a_damaged_zstd_file_gives_what_can_be_read_and_is_warned_of(write, read):
    packed = PACKED[".zst"](
        b"".join(jsonl([entry(sql=f"select {os.urandom(99).hex()!r}")]) for _ in range(9000))
    )
    write("a.jsonl.zst", packed[: len(packed) // 2])
    write("b.csv.zst", packed[:30])
    write("c.jsonl.zst", b"\x28\xb5\x2f\xfd" + b"garbage")
    found = read()
    assert 2000 < len(found.statements) < 5000
    assert [warning.split(" is ")[0] for warning in found.report.warnings] == [
        "a.jsonl.zst",
        "b.csv.zst",
        "c.jsonl.zst",
    ]


@pytest.mark.parametrize("packing", PACKED)
def test_a_damaged_parquet_file_is_warned_of_and_the_others_go_on(packing, write, texts, read):
    whole = parquet([entry()])
    write("a.parquet" + packing, PACKED[packing](whole[:-10]))
    write("b.parquet" + packing, PACKED[packing](whole))
    assert texts() == ["select 1"]
    (warning,) = read().report.warnings
    assert f"a.parquet{packing} is damaged" in warning


@given(
    form=st.sampled_from(sorted(WRITTEN)),
    packing=st.sampled_from(sorted(PACKED)),
    place=st.floats(0, 1, exclude_max=True),
    damage=st.binary(max_size=20),
)
@settings(max_examples=200, deadline=None)
def test_no_damage_anywhere_hurts_another_file(form, packing, place, damage, tmp_path_factory):
    content = bytearray(PACKED[packing](WRITTEN[form](TWO)))
    start = int(place * len(content))
    content[start : start + len(damage) + 1] = damage
    folder = tmp_path_factory.mktemp("damaged")
    (folder / f"a.{form}{packing}").write_bytes(content)
    (folder / f"b.{form}").write_bytes(WRITTEN[form]([entry(sql="select a from intact")]))
    found = run_connector(QueryLog, {"path": str(folder), "skip_older": False}, window=DAY, folder=folder)
    assert "select a from intact" in [statement.sql for statement in found.statements]


def test_damage_in_a_later_part_of_a_parquet_file_leaves_the_parts_before(write, read):
    table = pa.Table.from_pylist([entry(sql=f"select {os.urandom(40).hex()!r}") for _ in range(2000)])
    content = bytearray(parquet(table, row_group_size=500, use_dictionary=False))
    middle = len(content) // 2
    content[middle : middle + 20_000] = b"\xff" * 20_000
    write("a.parquet", bytes(content))
    found = read()
    assert 500 <= len(found.statements) < 2000
    assert "a.parquet is damaged" in found.report.warnings[0]


def test_a_file_without_the_texts_column_does_not_cost_the_others(write, read):
    write("a.csv", as_csv([{"body": "x", "started_at": NOON}]))
    with pytest.raises(UnexpectedAnswer) as error:
        read()
    assert str(error.value) == (
        "a.csv: no column for `text`: there is none of sql, query, query_text, statement, sql_text, querytxt"
        " among body, started_at (name the column in `columns.text`)"
    )
    write("b.csv", as_csv([entry()]))
    found = read()
    assert [s.sql for s in found.statements] == ["select 1"]
    assert found.report.warnings == [str(error.value)]


def test_values_in_the_place_of_names_are_not_shown(write, read):
    write("a.csv", b"2025-11-20,\"select * from t where card = '4111'\",ann\n")
    with pytest.raises(UnexpectedAnswer, match=r"among \(no name\), \(no name\), ann"):
        read()


def test_a_file_taken_away_meanwhile_does_not_cost_the_others(tmp_path, write, read):
    write("b.jsonl", [entry()])
    (tmp_path / "logs" / "a.jsonl").symlink_to("/proc/self/mem")  # can be found, and not read
    found = read()
    assert len(found.statements) == 1
    assert not found.report.complete


def test_a_closed_file_is_said(write, read):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    write("a.jsonl", [entry()]).chmod(0)
    with pytest.raises(Unreachable, match=r"a\.jsonl cannot be read: Permission denied"):
        read()


# -- a log that is being written to


@pytest.mark.parametrize(("name", "content"), [("a.jsonl", jsonl), ("a.csv", as_csv)])
@pytest.mark.parametrize("cut", [4, 12, 30])
def test_a_line_being_written_to_is_left_for_the_next_run(name, content, cut, write, read):
    window = today()
    now = datetime.now(UTC)
    entries = [{"started_at": now.isoformat(), "sql": f"select '{n}\n', 1"} for n in (1, 2)]
    whole = content(entries)
    write(name, whole[:-cut], at=now)
    found = read(window=window)
    assert [s.sql for s in found.statements] == ["select '1\n', 1"]
    assert found.report.complete
    assert any("is yet to be written to its end" in line for line in found.log)
    write(name, whole, at=now)
    assert len(read(window=window).statements) == 2


def test_the_last_line_needs_no_end_when_it_is_whole(write, read, texts):
    write("a.jsonl", jsonl([entry()]).rstrip())
    write("b.csv", as_csv([entry(sql="select 2")]).rstrip())
    assert texts() == ["select 1", "select 2"]


def test_an_unfinished_line_of_a_log_that_no_longer_grows_is_refused(write, causes):
    write("a.jsonl", jsonl([entry(), entry()])[:-5])
    assert [location for location, _ in causes()] == ["a.jsonl:2"]
    write("a.jsonl", jsonl([entry(), entry()])[:-5], at=DAY.end)
    assert causes() == []


# -- check, fingerprint, settings


def test_a_check_says_which_columns_were_taken_of_the_newest_file(write, connect):
    write("a.jsonl", [{"nothing": 1}], at=NOON - timedelta(hours=1))
    write("b.jsonl", [entry(), entry(user_email="ann@example.com", duration_ms=4)])
    assert [(r.capability, r.ok, r.message) for r in connect(QueryLog, path="logs").check()] == [
        ("reach", True, ""),
        ("find files", True, "2 files"),
        (
            "read entries",
            True,
            "b.jsonl: text: sql, user: user_email, started: started_at, duration: duration_ms",
        ),
    ]


def test_a_check_goes_on_after_a_bad_line_and_says_it(write, connect):
    write("a.jsonl", b"{\n" + jsonl([entry()]))
    *_, result = connect(QueryLog, path="logs").check()
    assert result.ok
    assert result.message == (
        "a.jsonl: text: sql, started: started_at; 1 of the first 20 would be refused:"
        " line 1 is not JSON at character 3: unexpected end of data"
    )


def test_a_check_says_what_is_wrong(write, failed):
    assert "is not there" in failed(QueryLog, path="logs")["reach"]
    write("a.csv", as_csv([{"body": 1, "started": 2}]))
    assert "no column for `text`" in failed(QueryLog, path="logs")["read entries"]
    write("a.csv", as_csv([entry(started_at="soon")]))
    assert failed(QueryLog, path="logs") == {
        "read entries": "a.csv: 1 of the first 20 would be refused: line 2 its start is no ISO 8601 time"
    }
    write("a.csv", gzip.compress(as_csv([entry()]))[:9])
    assert "a.csv is damaged: " in failed(QueryLog, path="logs")["read entries"]
    assert failed(QueryLog, path="logs", glob="*.jsonl") == {"find files": "0 files"}


def test_the_fingerprint_changes_with_what_is_written(write, connect):
    log = connect(QueryLog, path="logs")
    assert log.fingerprint() == "absent"
    write("a.jsonl", [entry()])
    first = log.fingerprint()
    assert log.fingerprint() == first
    write("a.jsonl", [entry(), entry()])
    second = log.fingerprint()
    write("b.jsonl", [entry()])
    assert len({first, second, log.fingerprint()}) == 3


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "either path, or pg_stat_statements"),
        ({"path": "a", "pg_stat_statements": {"host": "db"}}, "either path, or pg_stat_statements"),
        (
            {"pg_stat_statements": {"host": "db"}, "glob": "*", "format": "csv"},
            "format, glob: only for files",
        ),
        ({"path": "a", "timezone": "Mars/Olympus"}, "not a time zone"),
        ({"path": "a", "timezone": "../etc"}, "not a time zone"),
        ({"path": "a", "glob": "../*"}, "below the folder"),
        ({"path": "a", "columns": {"txt": "b"}}, "Extra inputs"),
        ({"path": "a", "time_unit": "minutes"}, "'s', 'ms', 'us' or 'ns'"),
        ({"path": "a", "pg_stat_statements": {"url": "mysql://secret@db"}}, "not PostgreSQL's"),
    ],
)
def test_settings_that_are_wrong_are_said(config, said):
    with pytest.raises(ValidationError, match=said) as error:
        QueryLog.Config(**config)
    assert "secret" not in str(error.value)


def test_it_is_windowed():
    assert QueryLog.windowed
