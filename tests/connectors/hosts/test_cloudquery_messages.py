"""Joined messages give what each gives by itself."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.hosts.cloudquery import messages
from connectors.hosts.cloudquery.messages import Gatherer, split

SCHEMAS = [
    pa.schema([("a", pa.int32()), ("b", pa.string())], {"cq:table_name": "one"}),
    pa.schema([("a", pa.int32())], {"cq:table_name": "one"}),  # the same table, later with other columns
    pa.schema(
        [("c", pa.list_(pa.string())), ("d", pa.bool_()), ("e", pa.binary(3))], {"cq:table_name": "two"}
    ),
    pa.schema([("w", pa.dictionary(pa.int8(), pa.string())), ("n", pa.null())], {"cq:table_name": "three"}),
    pa.schema([], {"cq:table_name": "none"}),
]
VALUES = {
    "a": st.none() | st.sampled_from([-1, 0, 7]),
    "b": st.none() | st.text(max_size=9),
    "c": st.none() | st.lists(st.none() | st.text(max_size=3), max_size=3),
    "d": st.none() | st.booleans(),
    "e": st.none() | st.binary(min_size=3, max_size=3),
    "w": st.none() | st.sampled_from(["x", "y"]),
    "n": st.none(),
}
END = b"\xff\xff\xff\xff\x00\x00\x00\x00"


@st.composite
def payloads(draw):
    schema = draw(st.sampled_from(SCHEMAS))
    compression = draw(st.sampled_from([None, None, None, "zstd"]))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        for _ in range(draw(st.integers(0, 3))):
            rows = draw(st.lists(st.fixed_dictionaries({n: VALUES[n] for n in schema.names}), max_size=3))
            if schema.names:
                writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema))
    payload = sink.getvalue().to_pybytes()
    return payload[: -len(END)] if draw(st.booleans()) else payload


class Taken:
    """What a gatherer hands on: rows by table, and faults."""

    def __init__(self) -> None:
        self.rows: dict[str, list] = {}
        self.faults: list[tuple[str, str]] = []

    def give(self, name: str, batch: pa.RecordBatch) -> None:
        batch.validate(full=True)
        self.rows.setdefault(name, []).extend(
            {n: str(v) for n, v in row.items()} for row in batch.to_pylist()
        )

    def refuse(self, name: str, cause: str) -> None:
        self.faults.append((name, cause))


def gathered(given_, clock=lambda: 0.0) -> Taken:
    taken = Taken()
    gatherer = Gatherer(taken.give, taken.refuse, clock)
    for payload in given_:
        gatherer.add(payload)
    gatherer.flush()
    return taken


def each_alone(given_) -> dict[str, list]:
    taken = Taken()
    for payload in given_:
        with pa.ipc.open_stream(payload) as reader:
            name = reader.schema.metadata[b"cq:table_name"].decode()
            for batch in reader:
                if batch.num_rows:
                    taken.give(name, batch)
    return taken.rows


@settings(deadline=None, max_examples=300)
@given(st.lists(payloads(), max_size=12))
def test_joined_messages_give_what_each_gives_by_itself(given_):
    taken = gathered(given_)
    assert taken.rows == each_alone(given_)
    assert taken.faults == []


@settings(deadline=None, max_examples=300)
@given(st.lists(payloads(), max_size=6), payloads(), st.data())
def test_a_damaged_message_costs_no_other_its_rows(given_, damaged, data):
    at = data.draw(st.integers(0, max(0, len(damaged) - 1)))
    kind = data.draw(st.sampled_from(["cut", "flip"]))
    broken = damaged[:at] if kind == "cut" else damaged[:at] + bytes([damaged[at] ^ 0x41]) + damaged[at + 1 :]
    taken = gathered([*given_, broken, *given_])
    whole = each_alone([*given_, *given_])
    missing = []
    for name, rows in whole.items():
        # The damaged one may still give rows, of whatever table it now says: none of the others' may be missing.
        found = list(taken.rows.get(name, []))
        for row in rows:
            if row in found:
                found.remove(row)
            else:
                missing.append((name, row))
    assert missing == []


def test_a_body_that_ends_like_a_stream_is_whole():
    schema = pa.schema([("a", pa.int32())], {"cq:table_name": "one"})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch([pa.array([-1, 0], pa.int32())], schema=schema))
    payload = sink.getvalue().to_pybytes()[: -len(END)]
    assert payload.endswith(END)
    parts = split(payload)
    assert parts is not None
    assert (parts[0] + parts[1], parts[2]) == (payload, 2)
    assert gathered([payload] * 3).rows == {"one": [{"a": "-1"}, {"a": "0"}] * 3}


def test_rows_are_handed_on_when_enough_are_gathered():
    schema = SCHEMAS[1]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_pylist([{"a": 1}], schema=schema))
    payload = sink.getvalue().to_pybytes()
    sizes: list[int] = []
    now = [0.0]
    gatherer = Gatherer(
        lambda name, batch: sizes.append(batch.num_rows), lambda name, cause: None, lambda: now[0]
    )
    for _ in range(messages.ROWS + 5):
        gatherer.add(payload)
    assert sizes == [messages.ROWS]
    now[0] = messages.AGE_S
    gatherer.add(payload)
    assert sizes == [messages.ROWS, 6]
    gatherer.flush()
    assert sizes == [messages.ROWS, 6]
