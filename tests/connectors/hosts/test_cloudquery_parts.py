"""What of the host needs no plugin: specs and their secrets, log lines, trees of tables, columns, state."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest
from pydantic import SecretStr

from connectors.errors import ConfigError
from connectors.hosts.cloudquery.columns import our_batch, our_schema
from connectors.hosts.cloudquery.logs import read_events
from connectors.hosts.cloudquery.spec import build_spec, faults_of, secret_texts
from connectors.hosts.cloudquery.state import State
from connectors.hosts.cloudquery.tables import read_tables
from connectors.tables import Column, Table


def test_a_spec_is_plain_and_has_the_credential_in_it():
    spec = {"key": SecretStr("k-value"), "since": date(2026, 1, 2), "deep": [{"n": 1, "b": True}]}
    assert build_spec(spec, {"token": "t"}) == {
        "key": "k-value",
        "since": "2026-01-02",
        "deep": [{"n": 1, "b": True}],
        "token": "t",
    }
    with pytest.raises(ConfigError, match="key is also in the credential"):
        build_spec(spec, {"key": "other"})


def test_every_text_of_a_spec_is_secret_but_addresses_and_words():
    spec = {
        "host": "https://api.example.test:8443",
        "path": "https://api.example.test/private-path",
        "mode": "true",
        "short": "abc",
        "deep": [{"word": "some text"}],
        "rows": 1234,
        "flag": True,
        "accessKey": {"id": "http://looks-like-a-host", "number": 987654},
        "pin": 4321,
    }
    assert secret_texts(spec) == [
        "https://api.example.test/private-path",
        "some text",
        "http://looks-like-a-host",
        "987654",
        "4321",
    ]


def test_a_fault_names_its_place_and_not_its_value():
    schema = '{"properties": {"a": {"items": {"properties": {"b": {"enum": ["x"]}}}}}}'
    assert faults_of({"a": [{"b": "x"}, {"b": "hush"}]}, schema) == [
        'spec.a[1].b: the value is not one of "x"'
    ]


@pytest.mark.parametrize(
    "schema", ["{", "[]", '{"type": 7}', '{"$ref": "http://127.0.0.1:1/schema"}', '{"$ref": "#/x"}']
)
def test_a_schema_that_is_none_is_a_value_error(schema):
    with pytest.raises(ValueError, match="JSON Schema cannot be used"):
        faults_of({}, schema)


@pytest.mark.parametrize(
    ("line", "events"),
    [
        ('{"event": "e", "table": "t"}', ["e"]),
        ('printed before {"event": "e"}', ["e"]),
        ('{"a": {"event": "inner"}}', []),
        ('{"event": "one"}{"event": "two"} after', ["one", "two"]),
        ('{"event": 1}', []),
        ('{"level": "error"}', []),
        ('{broken {"event": "e"}', ["e"]),
        ('["event"]', []),
        ('{"event": ' + "[" * 100_000, []),
    ],
)
def test_the_sdk_s_events_are_found_in_a_line(line, events):
    assert [event["event"] for event in read_events(line)] == events


def _stream(name: str, parent: str = "") -> bytes:
    schema = Table(
        name, [Column("id", pa.int64())], parent=Table(parent, []) if parent else None
    ).to_arrow_schema()
    return _bytes(schema)


def _bytes(schema: pa.Schema, *batches: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def test_a_flat_list_becomes_a_tree_whatever_it_says():
    told = [("leaf", "branch"), ("branch", "root"), ("root", ""), ("lost", "nowhere"), ("a", "b"), ("b", "a")]
    roots = read_tables([_stream(*one) for one in told] + [_stream("leaf", "root")])
    assert [table.name for table in roots] == ["root", "lost", "a", "b"]
    assert [table.name for table in roots[0].relations] == ["branch"]
    [leaf] = roots[0].relations[0].relations
    assert (leaf.name, leaf.parent.name if leaf.parent else None) == ("leaf", "branch")


def test_rows_with_values_that_cannot_be_are_left_out():
    key = {b"cq:extension:primary_key": b"true"}
    theirs = pa.schema(
        [
            pa.field("id", pa.int64(), metadata=key),
            pa.field("tags", pa.binary(), metadata={b"ARROW:extension:name": b"json"}),
        ]
    )
    batch = pa.record_batch([pa.array([1, 2, None]), pa.array([b"{}", b"\xff", b"{}"])], schema=theirs)
    rows, faults = our_batch(batch, our_schema(theirs))
    assert rows.to_pylist() == [{"id": 1, "tags": "{}"}]
    assert sorted((fault.column, fault.cause) for fault in faults) == [
        ("id", "is null"),
        ("tags", "is not UTF-8"),
    ]


def test_a_batch_is_taken_by_the_names_of_its_columns():
    ours = pa.schema([("a", pa.int64()), ("b", pa.string()), ("c", pa.float64())])
    batch = pa.record_batch([pa.array(["x"]), pa.array([1], pa.int8())], names=["b", "a"])
    assert our_batch(batch, ours)[0].to_pylist() == [{"a": 1, "b": "x", "c": None}]
    with pytest.raises(pa.ArrowInvalid):
        our_batch(pa.record_batch([pa.array(["x"])], names=["a"]), ours)


def test_state_is_staged_beside_what_was_committed():
    committed = {"cq_state": {"since": "1"}}
    schema = pa.schema(
        [("key", pa.string()), ("value", pa.string()), ("version", pa.uint64())],
        {"cq:table_name": "cq_state"},
    )
    state = State(committed)
    state.stage(_bytes(schema, pa.record_batch([["since", "other"], ["2", "x"], [1, 1]], schema=schema)))
    assert state.staged == {"cq_state": {"since": "2", "other": "x"}}
    assert committed == {"cq_state": {"since": "1"}}
    with pa.ipc.open_stream(state.read(_bytes(schema))) as reader:
        assert reader.read_all().to_pylist()[0] == {"key": "since", "value": "2", "version": None}
    with pytest.raises(ValueError, match="state cannot be read"):
        state.stage(b"nothing of the kind")
