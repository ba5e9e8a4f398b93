from __future__ import annotations

import datetime as dt
import json
import uuid
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import ConnectorError
from connectors.tables import InetType, JSONType, UUIDType
from connectors.tables.coercion import filler_of

UUID_TEXT = "12345678-1234-5678-1234-567812345678"
# As the SDK's side reads them: types and values in Python.
TYPES = [
    *(
        f"pa.{name}()"
        for name in ("int8", "int32", "int64", "uint8", "uint64", "float32", "float64", "bool_")
    ),
    *(f"pa.{name}()" for name in ("string", "large_string", "binary", "date32", "date64")),
    *(
        "pa.binary(2)",
        "pa.timestamp('s')",
        "pa.timestamp('us')",
        "pa.timestamp('us', 'UTC')",
        "pa.timestamp('ns')",
    ),
    *("json", "uuid"),
]
VALUES = [
    *(
        "None",
        "True",
        "False",
        "0",
        "1",
        "-1",
        "200",
        "2**40",
        "2**63",
        "2**64 - 1",
        "2**70",
        "1.0",
        "2.25",
        "-1.5e300",
    ),
    *(
        "nan",
        "inf",
        "''",
        "'7'",
        "' 7 '",
        "'2.25'",
        "'1e3'",
        "'yes'",
        "'N'",
        "'TRUE'",
        "'0'",
        "'maybe'",
        "'é'",
    ),
    *(
        "b'ab'",
        "b'\\x00\\xff'",
        "'ab'",
        "[]",
        "[1, None]",
        "{'k': [1, None, 'x']}",
        "{}",
        "'{\"a\": 1}'",
        "'[1'",
    ),
    *(
        "'2026-01-02'",
        "'2026-1-2'",
        "'2026-02-30'",
        "'2026-01-02T03:04:05Z'",
        "'2026-01-02T03:04:05.678901+02:00'",
    ),
    *("'2026-01-02 03:04:05'", "'2026-01-02T03:04'", "'20260102'", "'2026-01-02T03:04:05.123456789'"),
    *("'Fri, 02 Jan 2026 03:04:05 GMT'", "'02/01/2026 10:00'", "'now'", "'Jan 2, 2026'", "'1700000000'"),
    *("dt.datetime(2026, 1, 2, 3, 4, 5, 678)", "dt.date(2026, 1, 2)", "dt.time(1, 2)", "dt.timedelta(1)"),
    "dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone(dt.timedelta(hours=2)))",
    *(
        "'" + UUID_TEXT + "'",
        "'" + UUID_TEXT.replace("-", "") + "'",
        "uuid.UUID(int=7)",
        "b'0123456789abcdef'",
    ),
]
# Where we differ on purpose: what the SDK changes without a word is refused, what it refuses without need is taken.
REFUSED_HERE = {
    *((kind, value) for kind in TYPES if "int" in kind for value in ("2.25",)),
    *(
        (kind, value)
        for kind in TYPES
        if "time" in kind
        for value in ("'now'", "'02/01/2026 10:00'", "'Jan 2, 2026'")
    ),
    *((kind, "dt.time(1, 2)") for kind in TYPES if "time" in kind or "date" in kind),
    ("pa.float32()", "-1.5e300"),
    *((f"pa.float{size}()", "2**64 - 1") for size in (32, 64)),
    *(
        (f"pa.date{size}()", value)
        for size in (32, 64)
        for value in VALUES
        if value.startswith("dt.datetime")
    ),
}
TAKEN_HERE = {
    *(("json", value) for value in ("nan", "inf")),  # JSON has none: null, where the SDK's text is no JSON
    *((kind, "dt.date(2026, 1, 2)") for kind in TYPES if "time" in kind or "date" in kind),
    *(
        ("json", value)
        for value in ("dt.datetime(2026, 1, 2, 3, 4, 5, 678)", "dt.date(2026, 1, 2)", "dt.time(1, 2)")
    ),
    *(("json", value) for value in ("uuid.UUID(int=7)", VALUES[-5])),
}


def kind_of(text):
    return {"json": JSONType(), "uuid": UUIDType()}.get(text) or eval(text, {"pa": pa})


def value_of(text):
    return eval(text, {"dt": dt, "uuid": uuid, "nan": float("nan"), "inf": float("inf")})


def taken(kind, value):
    array, causes = filler_of(kind).array([value])
    assert array.type == kind
    storage = array.storage if isinstance(array, pa.ExtensionArray) else array
    if pa.types.is_timestamp(kind):
        storage = storage.cast(pa.int64())  # a time may be finer than Python's
    return None if causes else storage[0]


def test_every_value_becomes_what_the_sdk_makes_of_it(sdk_answers):
    answers = sdk_answers("values", {"types": TYPES, "values": VALUES})
    different = []
    for kind, row in zip(TYPES, answers, strict=True):
        for text, theirs in zip(VALUES, row, strict=True):
            ours = taken(kind_of(kind), value_of(text))
            if (kind, text) in REFUSED_HERE | TAKEN_HERE:
                continue
            if kind == "json" and ours is not None and theirs is not None and text != "None":
                same = json.loads(str(ours)) == json.loads(value_or_bytes(theirs))
            elif "binary" in kind or kind == "uuid":
                same = (ours is None) == (theirs is None) and (ours is None or str(ours) == theirs)
            else:
                same = (None if ours is None else str(ours)) == theirs
            if not same:
                different.append((kind, text, theirs, str(ours)))
    assert different == []


def value_or_bytes(text):
    value = eval(text) if text.startswith("b") else text
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize(("kind", "text"), sorted(REFUSED_HERE))
def test_what_only_a_guess_or_a_loss_would_take_is_refused(kind, text):
    assert taken(kind_of(kind), value_of(text)) is None


@pytest.mark.parametrize(("kind", "text"), sorted(TAKEN_HERE))
def test_what_fits_without_a_loss_is_taken_where_the_sdk_does_not(kind, text):
    assert taken(kind_of(kind), value_of(text)) is not None


KINDS = [
    *(pa.int8(), pa.int64(), pa.uint64(), pa.float32(), pa.float64(), pa.bool_(), pa.string(), pa.binary()),
    *(
        pa.date32(),
        pa.date64(),
        pa.timestamp("s"),
        pa.timestamp("us"),
        pa.timestamp("us", "UTC"),
        pa.timestamp("ns"),
    ),
    *(pa.timestamp("ms", "Europe/Berlin"), JSONType(), UUIDType(), InetType(), pa.decimal128(10, 2)),
    *(pa.list_(pa.int64()), pa.list_(pa.timestamp("us")), pa.struct([("a", pa.int64()), ("b", pa.string())])),
    *(
        pa.map_(pa.string(), pa.float64()),
        pa.time64("us"),
        pa.duration("us"),
        pa.binary(4),
        pa.large_string(),
    ),
]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=5),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.timezones()),
    st.times(),
    st.timedeltas(),
    st.decimals(allow_nan=True),
    st.uuids(),
    st.ip_addresses(),
    st.sampled_from(
        [
            UUID_TEXT,
            "yes",
            "2.25",
            "7",
            "2026-01-02",
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05",
            "10.0.0.1",
        ]
    ),
    st.lists(st.one_of(st.integers(), st.text(max_size=3), st.none()), max_size=3),
    st.dictionaries(
        st.text(max_size=2), st.one_of(st.integers(), st.text(max_size=2), st.none()), max_size=3
    ),
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(KINDS), st.lists(ODD, max_size=12), st.booleans())
def test_a_column_is_what_its_values_are_one_by_one(kind, values, alike):
    if alike and values:  # columns of one Python type take the fast way
        values = [value for value in values if value is None or type(value) is type(values[0])]
    filler = filler_of(kind)
    array, causes = filler.array(values)
    single = [filler_of(kind).array([value]) for value in values]
    assert {place for place, (_, faults) in enumerate(single) if faults} == set(causes)
    apart = pa.concat_arrays([one for one, _ in single]) if single else filler.array([])[0]
    assert array.equals(apart) or str(array) == str(apart)  # NaN is not equal to itself
    assert array.type == kind
    assert len(array) == len(values)
    assert all(array[place].as_py() is None for place in causes if not pa.types.is_timestamp(kind))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(KINDS), st.lists(ODD, max_size=6))
def test_a_cause_tells_no_value(kind, values):
    secret = [f"canary-{value}" if isinstance(value, str) else value for value in values]
    _, causes = filler_of(kind).array(secret)
    assert not any("canary" in cause for cause in causes.values())


def test_texts_of_times_may_change_their_form_within_a_column():
    kind = pa.timestamp("us", "UTC")
    texts = [
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05",
        "Fri, 02 Jan 2026 03:04:05 GMT",
        "2026-01-02 03:04:05+00:00",
    ]
    array, causes = filler_of(kind).array(texts)
    assert causes == {}
    assert len(set(array.to_pylist())) == 1


def test_nanoseconds_are_kept():
    array, _ = filler_of(pa.timestamp("ns")).array(
        ["2026-01-02T03:04:05.123456789Z", dt.datetime(2026, 1, 2), None]
    )
    assert array.cast(pa.int64()).to_pylist()[0] % 1000 == 789


def test_a_type_that_no_column_can_have_says_so():
    with pytest.raises(ConnectorError, match=r"month_day_nano_interval"):
        filler_of(pa.month_day_nano_interval())
    with pytest.raises(ConnectorError, match="cannot lie within another type"):
        filler_of(pa.list_(JSONType()))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.time64("us"), Decimal("1.25")),
        (pa.duration("us"), Decimal("1.25")),
        (pa.float64(), Decimal("1e400")),
        (pa.float64(), 2**53 + 1),
        (InetType(), (1, 2)),
        (InetType(), b"1234"),
        (InetType(), 5),
        (pa.map_(pa.string(), pa.int64()), ""),
        (pa.timestamp("us"), "Feb 3 2026 10:00"),
        (pa.timestamp("us"), "20 Nov 95 10:00"),
        (JSONType(), '{"a": NaN}'),
        (JSONType(), '{"a":1}'.encode("utf-16")),
        (UUIDType(), "\ud800"),
        (pa.string(), "\ud800"),
    ],
    ids=repr,
)
def test_what_would_be_changed_is_refused(kind, value):
    array, causes = filler_of(kind).array([None, value])
    assert list(causes) == [1]
    assert array.null_count == 2


class Hostile:
    def __index__(self):
        raise OSError("no")

    __float__ = __str__ = __index__


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_whatever_a_foreign_value_does_is_its_own_trouble(kind):
    _, causes = filler_of(kind).array([None, Hostile()])
    assert list(causes) == [1]


def test_decimals_keep_every_digit():
    array, causes = filler_of(pa.decimal128(10, 2)).array([Decimal("1.25"), "2.50", 3, 0.1, "1.255"])
    assert array.to_pylist()[:4] == [Decimal("1.25"), Decimal("2.50"), Decimal("3.00"), Decimal("0.10")]
    assert set(causes) == {4}
