from __future__ import annotations

import json
import math
import pickle
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import jsonschema
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.datasets.json_schema import JsonSchema
from connectors.datasets.json_values import AllNulls, json_values
from connectors.datasets.json_verdicts import JsonVerdicts
from connectors.datasets.rules import Rules
from connectors.errors import DatasetError


def batch(records, schema=None):
    return pa.RecordBatch.from_pylist(records, schema)


def refused(schema, records):
    """Of each record, whether the schema refuses it; those that it does have a fault."""
    verdicts = JsonVerdicts(JsonSchema(schema), records.schema)
    wrong = verdicts.wrong(records).tolist()
    assert [bool(faults) for faults in verdicts.faults(records)] == wrong
    return wrong


def faults(schema, records):
    verdicts = JsonVerdicts(JsonSchema(schema), records.schema)
    return [[(fault.keyword, fault.pointer) for fault in several] for several in verdicts.faults(records)]


def test_arrow_values_are_told_as_json_has_them():
    assert json_values(pa.array([date(2026, 1, 31)]), AllNulls()) == ["2026-01-31"]
    moments = pa.array([datetime(2026, 1, 31, 10), datetime(2026, 1, 31, 10, 0, 0, 500000), None])
    assert json_values(moments, AllNulls()) == ["2026-01-31T10:00:00", "2026-01-31T10:00:00.500000", None]
    zoned = pa.array([datetime(2026, 1, 31, 10, tzinfo=UTC)], pa.timestamp("ms", "Europe/Amsterdam"))
    assert json_values(zoned, AllNulls()) == ["2026-01-31T10:00:00Z"]
    assert json_values(pa.array([time(10, 30)]), AllNulls()) == ["10:30:00"]
    assert json_values(pa.array([b"\x00\xff"]), AllNulls()) == ["AP8="]
    assert json_values(pa.array([Decimal("1.50")]), AllNulls()) == [Decimal("1.50")]
    assert json_values(pa.array(["a", "b", "a"]).dictionary_encode(), AllNulls()) == ["a", "b", "a"]
    maps = pa.array([[("a", 1)], None, [], [("b", 2), ("c", None)]], pa.map_(pa.string(), pa.int8()))
    assert json_values(maps, AllNulls()) == [{"a": 1}, None, {}, {"b": 2, "c": None}]
    assert json_values(maps[3:], AllNulls()) == [{"b": 2, "c": None}]
    nested = [
        {"a": [1, None], "b": None},
        None,
        {"a": None, "b": {"c": date(2026, 1, 1)}},
        {"a": [], "b": None},
    ]
    told = json_values(pa.array(nested), AllNulls())
    assert told == [
        {"a": [1, None], "b": None},
        None,
        {"a": None, "b": {"c": "2026-01-01"}},
        {"a": [], "b": None},
    ]
    assert json_values(pa.array(nested)[2:], AllNulls()) == told[2:]


NULLABLE = {
    "its type": {"type": ["string", "null"]},
    "a reference": {"$ref": "#/$defs/text"},
    "an alternative": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    "one of several": {"oneOf": [{"type": "string"}, {"const": None}]},
    "all of several": {"allOf": [{"$ref": "#/$defs/text"}, {"maxLength": 9}]},
    "nothing said": {"description": "anything"},
}


@pytest.mark.parametrize("way", NULLABLE)
def test_a_null_is_told_to_a_subschema_that_accepts_it(way):
    text = {"$defs": {"text": {"type": ["string", "null"]}}}
    schema = {**text, "properties": {"a": NULLABLE[way]}, "required": ["a"]}
    assert refused(schema, batch([{"a": None}, {"a": "x"}], pa.schema([("a", pa.string())]))) == [
        False,
        False,
    ]


def test_a_null_is_a_missing_property_to_a_subschema_that_does_not_accept_it():
    records = batch([{"a": None}, {"a": "x"}], pa.schema([("a", pa.string())]))
    assert refused({"properties": {"a": {"type": "string"}}}, records) == [False, False]
    required = {"properties": {"a": {"type": "string"}}, "required": ["a"]}
    assert refused(required, records) == [True, False]
    assert faults(required, records)[0] == [("required", "")]
    assert refused({"required": ["a"]}, records) == [True, False]
    assert refused({"required": ["b"]}, records) == [True, True]


def test_nulls_of_nested_fields_follow_their_own_subschemas():
    kind = pa.struct([("x", pa.int64()), ("y", pa.int64())])
    records = batch([{"o": {"x": None, "y": None}}, {"o": {"x": 1, "y": None}}], pa.schema([("o", kind)]))
    inner = {
        "properties": {"x": {"type": "integer"}, "y": {"type": ["integer", "null"]}},
        "required": ["x", "y"],
    }
    assert refused({"properties": {"o": inner}}, records) == [True, False]
    listed = batch(
        [{"l": [{"x": None, "y": 1}]}, {"l": [{"x": 1, "y": 1}]}], pa.schema([("l", pa.list_(kind))])
    )
    assert refused({"properties": {"l": {"items": inner}}}, listed) == [True, False]


def test_nan_and_infinity_are_no_numbers():
    records = batch([{"a": math.nan, "b": math.nan}, {"a": math.inf, "b": 1.0}, {"a": 1.0, "b": 1.0}])
    for schema in ({"properties": {"a": {}}}, {"properties": {"a": {}}, "anyOf": [True]}):
        assert refused(schema, records) == [True, True, False]
        assert faults(schema, records)[:2] == [[("type", "/a")]] * 2
    nested = batch([{"o": {"l": [1.0, math.nan]}}, {"o": {"l": [1.0]}}])
    number = {"properties": {"o": {"properties": {"l": {"items": {"type": "number"}}}}}}
    assert faults(number, nested) == [[("type", "/o/l/1")], []]
    assert refused(number, nested) == [True, False]


def test_whole_numbers_are_integers_and_formats_are_annotations():
    assert refused({"properties": {"a": {"type": "integer"}}}, batch([{"a": 1.0}, {"a": 1.5}])) == [
        False,
        True,
    ]
    decimals = batch([{"a": Decimal("1.00")}, {"a": Decimal("1.10")}])
    assert refused({"properties": {"a": {"type": "integer"}}}, decimals) == [False, True]
    for draft in ("draft/2020-12/schema", "draft-07/schema#"):
        host = "http" if "-07" in draft else "https"
        schema = {"$schema": f"{host}://json-schema.org/{draft}", "properties": {"a": {"format": "email"}}}
        assert refused(schema, batch([{"a": "x"}])) == [False]


def test_the_draft_is_the_one_that_is_named():
    old = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "properties": {"a": {"maximum": 1, "exclusiveMaximum": True}},
    }
    assert refused(old, batch([{"a": 1}, {"a": 0}])) == [True, False]
    seven = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"a": {"type": "integer"}},
        "properties": {"a": {"$ref": "#/definitions/a", "maximum": 0}},
    }
    assert refused(seven, batch([{"a": 1}])) == [False]
    assert refused(
        {**seven, "$schema": "https://json-schema.org/draft/2020-12/schema"}, batch([{"a": 1}])
    ) == [True]


def test_references_to_anchors_escaped_names_and_parts_of_their_own_name_are_followed():
    names = {"a b/c~d": {"type": "integer"}}
    schema = {"$id": "https://x.test/s", "$defs": names, "properties": {"a": {"$ref": "#/$defs/a%20b~1c~0d"}}}
    assert refused(schema, batch([{"a": 1}, {"a": None}])) == [False, False]
    assert refused(schema, batch([{"a": "x"}])) == [True]
    anchored = {
        "$defs": {"x": {"$anchor": "n", "type": ["integer", "null"]}},
        "properties": {"a": {"$ref": "#n"}},
        "required": ["a"],
    }
    assert refused(anchored, batch([{"a": 1}, {"a": None}])) == [False, False]
    own = {"$defs": {"x": {"$id": "urn:x", "type": "integer", "$defs": {"y": {}}}}, "$ref": "urn:x"}
    assert refused(own, batch([{"a": 1}])) == [True]
    around = {"properties": {"o": {"$ref": "#"}, "n": {"type": "integer"}}, "additionalProperties": False}
    assert refused(around, batch([{"o": {"n": 1}, "n": 1}, {"o": {"n": 1}, "n": 2}])) == [False, False]
    assert refused(around, batch([{"o": {"m": 1}, "n": 1}])) == [True]


@pytest.mark.parametrize(
    "schema", [True, False, {}, {"type": "array"}, {"type": ["object", "null"]}, {"maxProperties": 0}]
)
def test_schemas_that_hold_for_all_records_or_none(schema):
    expected = [not jsonschema.Draft202012Validator(schema).is_valid({"a": 1})]
    assert refused(schema, batch([{"a": 1}])) == expected


def test_messages_hold_no_value_of_a_record():
    kind = pa.schema([("a", pa.string()), ("m", pa.map_(pa.string(), pa.int8()))])
    records = batch([{"a": "secret-1", "m": [("secret-2", 1)]}], kind)
    for rule in (
        {"type": "integer"}, {"enum": ["x"]}, {"const": "x"}, {"pattern": "^x"}, {"maxLength": 2}, {"not": {}},
        {"anyOf": [{"type": "integer"}, {"maxLength": 1}]}, {"oneOf": [True, True]}, False,
    ):  # fmt: skip
        ofmap = {"additionalProperties": {"type": "string"}, "propertyNames": {"maxLength": 2}}
        for m in (
            ofmap,
            {"additionalProperties": False},
            {"unevaluatedProperties": False},
            {"maxProperties": 0},
        ):
            schema = {"properties": {"a": rule, "m": m}}
            (several,) = JsonVerdicts(JsonSchema(schema), kind).faults(records)
            assert len(several) >= 2
            assert "secret" not in repr(several)


@pytest.mark.parametrize(
    ("schema", "path", "said"),
    [
        ({"type": "text"}, ("schema", "type"), "not valid"),
        ({"properties": {"a": {"pattern": "("}}}, ("schema", "properties", "a", "pattern"), "regex"),
        ({"$ref": "https://example.com/a.json"}, ("schema",), "parts of itself"),
        ({"$ref": "file:///etc/hostname"}, ("schema",), "parts of itself"),
        ({"$ref": "other.json"}, ("schema",), "parts of itself"),
        ({"properties": {"a": {"$ref": "other.json#/x"}}}, ("schema",), "parts of itself"),
        ({"$ref": "#/$defs/none"}, ("schema",), "/$defs/none"),
        ({"$schema": "https://example.com/draft"}, ("schema",), "2020-12"),
        ({"const": date(2026, 1, 1)}, ("schema",), "JSON's types"),
        (3, ("schema",), "write a file's name"),
        ("absent.json", ("schema",), "cannot be read"),
        ("broken.json", ("schema",), "no JSON"),
        ("nan.json", ("schema",), "NaN"),
        ("list.json", ("schema",), "object"),
    ],
)
def test_a_schema_that_cannot_be_used_says_where_and_what_to_do(schema, path, said, tmp_path):
    (tmp_path / "broken.json").write_text('{"type": ')
    (tmp_path / "nan.json").write_text('{"const": NaN}')
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(DatasetError) as raised:
        Rules.read({"schema": schema}, tmp_path)
    assert raised.value.context["path"][: len(path)] == path
    assert said in str(raised.value)


def test_a_schema_is_read_from_a_file_beside_and_pickled(tmp_path):
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "order.json").write_text(json.dumps({"required": ["a"]}))
    rules = pickle.loads(pickle.dumps(Rules.read({"schema": "./schemas/order.json"}, tmp_path)))
    assert rules.json_schema.document == {"required": ["a"]}
    assert Rules.read({}, Path()).json_schema is None


INNER = pa.struct([("x", pa.int64()), ("y", pa.float64())])
COLUMNS = pa.schema(
    {"i": pa.int64(), "f": pa.float64(), "s": pa.string(), "b": pa.bool_(), "l": pa.list_(pa.int64())}
    | {"o": INNER, "d": pa.decimal128(12, 2)}
)
WHOLE = st.integers(-3, 5)
FLOATS = st.sampled_from([-1.5, 0.0, 1.0, 2.0, 2.5, 1e300, math.nan, math.inf])
RECORD = st.fixed_dictionaries(
    {
        "i": st.none() | WHOLE,
        "f": st.none() | FLOATS,
        "s": st.none() | st.text("abé😀\n", max_size=4),
        "b": st.none() | st.booleans(),
        "l": st.none() | st.lists(st.none() | WHOLE, max_size=3),
        "o": st.none() | st.fixed_dictionaries({"x": st.none() | WHOLE, "y": st.none() | FLOATS}),
        "d": st.none() | st.integers(-300, 500).map(lambda cents: Decimal(cents) / 100),
    }
)
SIMPLE = [
    {},
    True,
    False,
    {"type": "integer"},
    {"type": "number"},
    {"type": "string"},
    {"type": ["string", "null"]},
    {"type": ["integer", "null"], "minimum": 0},
    {"minimum": 1},
    {"maximum": 2.0},
    {"exclusiveMinimum": 1},
    {"type": "number", "exclusiveMaximum": 2},
    {"enum": [1, "a", None, True]},
    {"enum": [1.0, "ab", 0]},
    {"const": 1},
    {"pattern": "^a"},
    {"type": "string", "pattern": "b$"},
    {"maxLength": 1},
    {"minLength": 2, "type": "string"},
    {"type": "boolean"},
    {"const": False},
    {"type": "array", "items": {"type": "integer"}},
    {"type": "null"},
    {"items": {"type": ["integer", "null"], "minimum": 0}, "maxItems": 2},
    {"uniqueItems": True},
    {"contains": {"const": 1}},
    {"type": "object", "required": ["x"], "properties": {"x": {"type": "integer"}}},
    {"not": {"type": "integer"}},
    {"properties": {"x": {"type": ["integer", "null"]}}, "required": ["x"]},
    {"minProperties": 1},
    {"multipleOf": 2},
    {"anyOf": [{"type": "null"}, {"minimum": 2}]},
    {"oneOf": [{"type": "number"}, {"minimum": 2}]},
    {"allOf": [{"type": ["number", "null"]}, {"maximum": 1}]},
    {"$ref": "#/$defs/n"},
    {"$ref": "#/$defs/n", "minimum": 2},
    {"type": "object", "additionalProperties": False, "properties": {"x": {"$ref": "#/$defs/n"}}},
]
NAMES = st.sampled_from(COLUMNS.names)
EXTRAS = st.sampled_from(
    [
        {},
        {},
        {},
        {"type": "object"},
        {"additionalProperties": False},
        {"additionalProperties": {"type": ["integer", "null"]}},
        {"minProperties": 3},
        {"if": {"required": ["i"]}, "then": {"required": ["s"]}},
        {"dependentRequired": {"s": ["f"]}},
        {"anyOf": [{"required": ["f"]}, {"required": ["b"]}]},
        {"propertyNames": {"enum": ["i", "f", "s"]}},
        {"allOf": [{"required": ["b"]}, {"type": "object"}]},
        {"not": {"required": ["i", "f"]}},
        {"type": ["object", "string"]},
    ]
)
SCHEMAS = st.builds(
    lambda properties, required, extra: {
        "$defs": {"n": {"type": ["integer", "null"]}},
        "properties": properties,
        "required": required,
        **extra,
    },
    st.dictionaries(NAMES, st.sampled_from(SIMPLE), max_size=5),
    st.lists(NAMES, unique=True, max_size=2),
    EXTRAS,
)


class Oracle:
    """The verdict of python-jsonschema on a record told by hand."""

    def __init__(self, schema):
        self.schema = schema
        self.validator = jsonschema.Draft202012Validator(schema)

    def accepts_null(self, subschema):
        return self.validator.evolve(schema=self.linked(subschema)).is_valid(None)

    def linked(self, subschema):
        return {**subschema, "$defs": self.schema["$defs"]} if isinstance(subschema, dict) else subschema

    def refuses(self, record):
        told, endless = {}, False
        for name, value in record.items():
            rest = self.schema.get("additionalProperties")
            own = self.schema["properties"].get(name, rest if isinstance(rest, dict) else None)
            if value is None and (own is None or not self.accepts_null(own)):
                continue
            told[name] = self.nested(value, own)
            everything = {"additionalProperties", "minProperties", "propertyNames", "not"} & set(self.schema)
            named = {"if": ("i", "s"), "dependentRequired": ("s", "f"), "anyOf": ("f", "b")}
            seen = own is not None or everything
            if self.whole() and not seen:
                seen = name in self.schema["required"] or any(
                    name in named[key] for key in named if key in self.schema
                )
            endless = endless or bool(seen and self.endless(value))
        return endless or not self.validator.is_valid(told)

    def whole(self):
        return not {"if", "dependentRequired", "anyOf"}.isdisjoint(self.schema)

    def nested(self, value, own):
        if isinstance(value, Decimal):
            return int(value) if value == int(value) else float(value)
        if not isinstance(value, dict):
            return value
        parts = own if isinstance(own, dict) else {}
        inner = {name: parts.get("properties", {}).get(name) for name in value}
        return {
            name: one
            for name, one in value.items()
            if one is not None or (inner[name] is not None and self.accepts_null(inner[name]))
        }

    def endless(self, value):
        values = value.values() if isinstance(value, dict) else [value]
        return any(isinstance(one, float) and not math.isfinite(one) for one in values)


@settings(max_examples=400, deadline=None)
@given(SCHEMAS, st.lists(RECORD, min_size=1, max_size=8))
def test_verdicts_are_those_of_python_jsonschema(schema, records):
    oracle = Oracle(schema)
    assert refused(schema, batch(records, COLUMNS)) == [oracle.refuses(record) for record in records]


@settings(max_examples=200, deadline=None)
@given(SCHEMAS, st.lists(RECORD, min_size=1, max_size=8))
def test_verdicts_by_column_are_those_of_each_record_alone(schema, records):
    together = {**schema, "anyOf": [True, {"required": ["nowhere"]}]} if "anyOf" not in schema else schema
    finite = [
        record
        for record in records
        if not Oracle(schema).endless(record) and not Oracle(schema).endless(record["o"])
    ]
    if finite:
        assert refused(schema, batch(finite, COLUMNS)) == refused(together, batch(finite, COLUMNS))
