"""What is taken of an entry, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.builtin.query_log.columns import COMMON_NAMES
from connectors.builtin.query_log.moments import EPOCH, BadEntry, Clock
from connectors.errors import UnexpectedAnswer
from tests.connectors.builtin.query_log.writing import DAY, NOON, as_csv, entry, jsonl, parquet

NOON_S = int(NOON.timestamp())


@pytest.fixture
def starts(write, read):
    """The moments taken of entries with these starts."""

    def starts(*values, **config):
        write("a.jsonl", [entry(started_at=value) for value in values])
        return [s.at for s in read(**config).statements]

    return starts


# -- bad lines


def test_a_bad_line_is_refused_by_its_number_and_the_others_go_on(write, read, causes):
    good = jsonl([entry()])
    bad = [
        b"{\n",
        b"[1]\n",
        b"17\n",
        b'{"started_at": "2025-11-20"}\n',
        jsonl([entry(sql=None)]),
        jsonl([entry(sql="  ")]),
        jsonl([entry(sql=["select 1"])]),
        b'{"sql": "select \xff"}\n',
        b'{"sql": "select \\ud800"}\n',
        jsonl([entry(started_at="yesterday")]),
        jsonl([entry(started_at=True)]),
        jsonl([entry(started_at=None)]),
        jsonl([entry(duration="long")]),
        jsonl([entry(duration="inf")]),
        jsonl([entry(duration=[1])]),
        jsonl([entry(rows=1.5)]),
        jsonl([entry(rows=2**63)]),
        jsonl([entry(user={"name": "ann"})]),
    ]
    write("a.jsonl", b"".join(line + b"\n" + good for line in bad))
    assert [location for location, _ in causes()] == [f"a.jsonl:{1 + 3 * n}" for n in range(len(bad))]
    assert [cause for _, cause in causes()] == [
        "is not JSON at character 3: unexpected end of data",
        "is not a JSON object",
        "is not a JSON object",
        "no column for `text`: there is none of sql, query, query_text, statement, sql_text, querytxt"
        " among started_at",
        "has no SQL",
        "has no SQL",
        "its SQL is not text",
        "is not UTF-8 at byte 16",
        "is not JSON at character 17: no low surrogate in string",
        "its start is no ISO 8601 time",
        "its start is neither text nor a number nor a time, but bool",
        "has no start; `undated: window` takes it as of the window",
        "duration is not a number",
        "duration is not finite",
        "duration is not a number",
        "rows is not a whole number of 64 bits",
        "rows is not a whole number of 64 bits",
        "user is neither text nor a whole number",
    ]
    report = read().report
    assert (report.attempted, report.succeeded, report.failed) == (len(bad) * 2, len(bad), len(bad))


def test_a_bad_record_of_csv_is_refused_by_its_line_and_the_others_go_on(write, read):
    head, good = b"sql,started_at\n", b'"select ""a"",\n1",2025-11-20T12:00:00\n'
    bad = [b"select 1\n", b'"select"x,2025-11-20\n', b"select \xff,2025-11-20\n", b",2025-11-20\n"]
    write("a.csv", head + b"\n".join(line + good for line in bad))
    found = read()
    assert [s.sql for s in found.statements] == ['select "a",\n1'] * 4
    assert [(r.location, r.cause) for r in found.report.rejects] == [
        ("a.csv:2", "has 1 fields, and there are 2 columns"),
        ("a.csv:6", "is not CSV: ',' expected after '\"'"),
        ("a.csv:10", "is not UTF-8 at byte 7 of line 10"),
        ("a.csv:14", "has no SQL"),
    ]


def test_a_quote_that_is_never_closed_is_refused(write, causes):
    write("a.csv", as_csv([entry()]) + b'"select 1,2025-11-20\nselect 2,2025-11-20\n')
    assert causes() == [("a.csv:3", "is not CSV: unexpected end of data")]


def test_a_text_of_parquet_that_is_not_utf8_is_refused_and_the_others_go_on(write, read):
    texts = pa.array([b"select 1", b"select \xff", b"select 3"]).view(pa.string())
    write("a.parquet", parquet(pa.table({"sql": texts, "started": [NOON] * 3})))
    found = read()
    assert [s.sql for s in found.statements] == ["select 1", "select 3"]
    assert [(r.location, r.cause) for r in found.report.rejects] == [
        ("a.parquet:2", "the SQL is not UTF-8 at byte 7")
    ]


@pytest.mark.parametrize("size", [5000, 3_000_000])
def test_what_is_too_long_is_refused_and_the_others_go_on(size, write, read):
    huge = entry(sql=f"select '{'x' * size}'")
    quoted = entry(sql='select "' + "x" * size + '"\n, 2')
    for form, content in (("jsonl", jsonl), ("csv", as_csv), ("parquet", parquet)):
        write(f"a.{form}", content([entry(), huge, quoted, entry(sql="select 2")]))
    found = read(max_statement_mib=0.004)
    assert [s.sql for s in found.statements] == ["select 1", "select 2"] * 3
    assert all("longer than `max_statement_mib`" in r.cause for r in found.report.rejects)
    assert [r.location for r in found.report.rejects] == [
        *("a.csv:3", "a.csv:4", "a.jsonl:2", "a.jsonl:3", "a.parquet:2", "a.parquet:3")
    ]
    assert len(read().statements) == 12


def test_a_limit_is_of_bytes_and_just_reached_is_taken(write, texts):
    write("a.parquet", parquet([entry(sql="é" * 512), entry(sql="é" * 513)]))
    assert texts(max_statement_mib=1 / 1024) == ["é" * 512]


def test_blank_lines_and_a_byte_order_mark_are_nothing(write, read):
    write("a.jsonl", b"\xef\xbb\xbf\n\n" + jsonl([entry()]) + b"  \n\r\n")
    write("b.csv", b"\xef\xbb\xbf" + as_csv([entry()]) + b"\r\n\r\n")
    found = read()
    assert (len(found.statements), found.report.complete) == (2, True)


# -- the window and times


def test_the_windows_start_is_in_and_its_end_is_out(starts, read):
    first, last = DAY.start, DAY.end - timedelta(microseconds=1)
    moments = [first - timedelta(microseconds=1), first, last, DAY.end]
    assert starts(*(moment.isoformat() for moment in moments)) == [first, last]
    assert "2 entries started outside of the window" in read().log
    assert read().report.complete


@pytest.mark.parametrize(
    "text",
    [
        *("2025-11-20T12:00:00Z", "2025-11-20 12:00:00", "2025-11-20T13:00:00+01:00", "2025-11-20 07:00-05"),
        *(
            "2025-11-20 12:00:00.000000",
            "2025-11-20T12:00:00.0000000Z",
            "2025-11-20 12:00:00 UTC",
            "20251120T120000Z",
        ),
    ],
)
def test_iso_times_are_read_with_and_without_a_zone(text, starts):
    assert starts(text) == [NOON]
    assert starts(text)[0].tzinfo is UTC


def test_a_time_without_a_zone_is_in_the_configured_one(starts, write, read):
    assert starts("2025-11-20T13:00:00", timezone="Europe/Amsterdam") == [NOON]
    assert starts("2025-11-20T12:00:00Z", timezone="Europe/Amsterdam") == [NOON]
    naive = pa.table(
        {"sql": ["select 1"], "started": pa.array([datetime(2025, 11, 20, 13)], pa.timestamp("ms"))}
    )
    write("a.jsonl", b"")
    write("a.parquet", parquet(naive))
    assert [s.at for s in read(timezone="Europe/Amsterdam").statements] == [NOON]


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        *((NOON_S, "s"), (float(NOON_S), "s"), (str(NOON_S), "s"), (f"{NOON_S}.0", "s")),
        *((NOON_S * 1000, "ms"), (NOON_S * 10**6, "us"), (NOON_S * 10**9, "ns"), (str(NOON_S * 10**9), "ns")),
    ],
)
def test_numbers_are_times_in_the_configured_unit_and_none_without_it(value, unit, starts, causes):
    assert starts(value, time_unit=unit) == [NOON]
    ((_, cause),) = causes()
    assert "its start is a number; say in `time_unit`" in cause


def test_a_time_beyond_the_calendar_is_refused(starts, causes):
    assert starts(10**18, "9999-12-31T23:00:00-09:00", time_unit="s") == []
    assert {cause for _, cause in causes(time_unit="s")} == {"its start is outside of the calendar"}


@given(st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC)))
def test_a_moment_is_the_same_however_it_is_written(moment):
    clock = Clock(UTC, "us")
    microseconds = (moment - EPOCH) // timedelta(microseconds=1)
    for written in (
        moment.isoformat(),
        moment.replace(tzinfo=None).isoformat(" "),
        microseconds,
        str(microseconds),
    ):
        assert clock.moment(written) == moment


@given(st.text(max_size=30) | st.integers() | st.floats() | st.dates() | st.datetimes())
def test_any_value_is_a_moment_in_utc_or_none_or_refused(value):
    try:
        moment = Clock(UTC, "ns").moment(value)
    except BadEntry:
        return
    assert moment is None or moment.tzinfo is UTC


def test_entries_without_a_time_are_taken_as_of_the_window_only_when_that_is_said(write, read):
    write("a.jsonl", [{"sql": "select 1"}, entry(started_at="", sql="select 2")])
    assert read().statements == []
    assert read().report.failed == 2
    found = read(undated="window")
    assert [(s.sql, s.at) for s in found.statements] == [("select 1", None), ("select 2", None)]
    write("a.jsonl", b"")
    write("b.csv", as_csv([{"sql": "select 1"}]))
    with pytest.raises(UnexpectedAnswer, match=r"no column for `started`.*or take .* with `undated: window`"):
        read(path="logs/b.csv")
    assert len(read(undated="window").statements) == 1


# -- columns


@pytest.mark.parametrize(("role", "name"), [(r, n) for r, names in COMMON_NAMES.items() for n in names])
def test_common_names_are_known_in_upper_case_too(role, name, write, read):
    field = {"text": "sql", "started": "at", "duration": "duration_s", "query_id": "location"}
    field |= {"database": "default_database", "schema": "default_schema"}
    given = NOON.isoformat() if role == "started" else 7 if role in ("duration", "rows") else "x"
    values = {name.upper(): given} | ({} if role == "text" else {"sql": "select 1"})
    values |= {} if role == "started" else {"started": NOON.isoformat()}
    write("a.jsonl", [values])
    write("b.csv", as_csv([values]))
    taken = [getattr(s, field.get(role, role)) for s in read().statements]
    per_second = {"duration_ms": 1e3, "duration_us": 1e6, "duration_ns": 1e9}.get(name, 1)
    assert taken == [{"started": NOON, "duration": 7 / per_second}.get(role, given)] * 2


def test_configured_columns_are_taken_before_common_names(write, read):
    line = {
        "query": "select 1",
        "body": "select 2",
        "begin": NOON.isoformat(),
        "took": 1500,
        "who": 7,
        "db": "shop",
    }
    write("a.jsonl", [line])
    columns = {"text": "Body", "started": "begin", "duration": "took", "user": "who", "database": "db"}
    (found,) = read(
        columns=columns, duration_unit="ms", default_database="x", default_schema="public"
    ).statements
    assert (found.sql, found.at, found.duration_s, found.user) == ("select 2", NOON, 1.5, "7")
    assert (found.default_database, found.default_schema) == ("shop", "public")


def test_a_configured_column_that_a_file_lacks_is_said(write, read):
    write("a.csv", as_csv([entry()]))
    with pytest.raises(
        UnexpectedAnswer, match=r"no column for `user`: there is no login among sql, started_at"
    ):
        read(columns={"user": "login"})


def test_an_entrys_own_dialect_goes_before_the_configured_one(write, read):
    write("a.jsonl", [entry(dialect="snowflake"), entry(dialect=None), entry()])
    assert [s.dialect for s in read(dialect="duckdb").statements] == ["snowflake", "duckdb", "duckdb"]


def test_each_line_of_json_has_columns_of_its_own(write, read):
    lines = [entry(), {"started": NOON.isoformat(), "query": "select 2"}, entry(user="ann", extra={"a": [1]})]
    write("a.jsonl", lines + [entry(sql=f"select {n}", **{f"key{n}": n}) for n in range(1000)])
    found = read()
    assert [s.user for s in found.statements[:3]] == [None, None, "ann"]
    assert len(found.statements) == 1003


def test_csv_may_have_other_separators_and_no_row_of_names(write, texts):
    write("a.tsv", b"sql\tstarted\nselect 1, 2\t2025-11-20\n")
    write("b.csv", b"sql;started\nselect 2, 3;2025-11-20\n")
    assert texts(path="logs/a.tsv") == ["select 1, 2"]
    assert texts(path="logs/b.csv", delimiter=";") == ["select 2, 3"]
    write("b.csv", b"2025-11-20,ann,select 3\n")
    assert texts(path="logs/b.csv", header=["started", "user", "sql"]) == ["select 3"]


# -- Parquet's types


@pytest.mark.parametrize(
    "started",
    [
        *(pa.array([NOON], pa.timestamp(unit, "Europe/Amsterdam")) for unit in ("s", "ms", "us", "ns")),
        pa.array([NOON.replace(tzinfo=None)], pa.timestamp("ns")),
        pa.array([NOON.isoformat()]),
        pa.array([NOON.isoformat()]).dictionary_encode(),
    ],
)
def test_parquets_times_are_read_in_all_their_types(started, write, read):
    write("a.parquet", parquet(pa.table({"sql": ["select 1"], "started": started})))
    assert [s.at for s in read().statements] == [NOON]


def test_parquets_other_types_are_read_too(write, read):
    table = pa.table(
        {
            "sql": pa.array([b"select 1"], pa.binary()),
            "started": pa.array([date(2025, 11, 20)]),
            "duration": pa.array([timedelta(seconds=2)]),
            "rows": pa.array([5.0]),
            "session": pa.array([2**63], pa.uint64()),
        }
    )
    write("a.parquet", parquet(table))
    odd = table.set_column(2, "duration", pa.array([Decimal("1.5")])).set_column(
        3, "rows", pa.array([float("nan")])
    )
    write("b.parquet", parquet(odd))
    first, second = read().statements
    assert (first.at, first.duration_s, first.rows, first.session) == (DAY.start, 2.0, 5, str(2**63))
    assert (second.duration_s, second.rows) == (1.5, None)


def test_nanoseconds_and_moments_that_python_cannot_hold_do_not_cost_the_others(write, read):
    ns = pa.array([NOON_S * 10**9 + 1], pa.timestamp("ns", "UTC"))
    far = pa.array([2**60, NOON_S * 10**6], pa.timestamp("us", "UTC"))
    write("a.parquet", parquet(pa.table({"sql": ["select 1"], "started": ns})))
    write("b.parquet", parquet(pa.table({"sql": ["select 2", "select 3"], "started": far})))
    found = read()
    assert [s.sql for s in found.statements] == ["select 1", "select 3"]
    assert [r.location for r in found.report.rejects] == ["b.parquet:1"]


def test_row_groups_outside_of_the_window_are_not_read_but_those_without_a_time_are(write, read):
    days = [NOON + timedelta(days=day) for day in range(-3, 4)]
    table = pa.table({"sql": [str(day) for day in days] + ["none"], "started": pa.array([*days, None])})
    write("a.parquet", parquet(table, row_group_size=1))
    found = read()
    assert [s.sql for s in found.statements] == [str(NOON)]
    assert [r.location for r in found.report.rejects] == ["a.parquet:8"]
    # Those of the day before and after are opened, as clocks may have been put back or forward.
    assert "2 entries started outside of the window" in found.log


def test_json_numbers_of_any_size_do_not_end_the_run(write, read):
    write("a.jsonl", [entry(rows=10**400), entry(duration=10**30), entry()])
    found = read()
    assert len(found.statements) + found.report.failed == 3
    assert found.statements[-1].sql == "select 1"
    assert json.dumps(found.statements[0].duration_s)
