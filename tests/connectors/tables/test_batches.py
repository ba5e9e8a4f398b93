from __future__ import annotations

import json
from types import SimpleNamespace

import pyarrow as pa

from connectors import Column, Table
from connectors.tables import JSONType
from connectors.tables.batches import Batches

COLUMNS = [
    Column("id", pa.int64(), primary_key=True),
    Column("name", pa.string(), not_null=True),
    Column("tags", JSONType()),
]
TABLE = Table("items", COLUMNS)


def built(rows, **limits):
    return Batches(TABLE, **limits).build(rows, 0)


def rows_of(made):
    return [row for batch in made.batches for row in batch.to_pylist()]


def test_rows_that_do_not_fit_are_told_apart_and_the_others_stay():
    made = built(
        [
            {"id": 1, "name": "a", "tags": {"x": 1}},
            {"id": "2", "name": 5},
            {"id": None, "name": "c"},
            {"id": 4, "name": None},
            {"id": 5, "name": "e", "tags": "no json"},
            {"id": 6, "name": "f"},
        ]
    )
    assert [row["id"] for row in rows_of(made)] == [1, 6]
    assert made.refused_rows == 4
    assert [(one.key, one.column, one.value_type, one.cause) for one in made.refused] == [
        ('{"id":"2"}', "name", "int", "does not fit string: no text"),
        ("row 3", "id", "NoneType", "is null, and must not be"),
        ('{"id":4}', "name", "NoneType", "is null, and must not be"),
        ('{"id":5}', "tags", "str", "does not fit extension<arrow.json>"),
    ]
    assert json.loads(made.refused[0].row) == {"id": "2", "name": 5}


def test_every_value_of_a_row_that_does_not_fit_is_told():
    made = built([{"id": "x", "name": 1, "tags": "{"}])
    assert [one.column for one in made.refused] == ["id", "name", "tags"]
    assert made.refused_rows == 1


def test_rows_may_be_objects_and_mappings_of_any_kind():
    class Row(dict):
        pass

    given = [
        SimpleNamespace(id=1, name="a", tags=None),
        Row(id=2, name="b"),
        {"id": 3, "name": "c", "more": 1},
    ]
    assert [row["name"] for row in rows_of(built(given))] == ["a", "b", "c"]


def test_what_is_no_row_is_refused_once():
    made = built([{"id": 1, "name": "a"}, "text", 7, None, ["list"]])
    assert [row["id"] for row in rows_of(made)] == [1]
    assert made.refused_rows == 4
    assert [(one.value_type, one.column) for one in made.refused] == [
        ("str", ""),
        ("int", ""),
        ("NoneType", ""),
        ("list", ""),
    ]


def test_a_row_that_json_cannot_tell_is_kept_as_text():
    row = {"id": "x", "name": "a", "tags": object()}
    made = built([row])
    assert "object object" in made.refused[0].row


def test_batches_are_bound_by_rows():
    batches = Batches(TABLE, rows=3)
    assert not batches.add([{"id": 1, "name": "a"}] * 2)
    assert batches.cut() is None
    assert batches.add([{"id": 1, "name": "a"}] * 2)
    rows, first = batches.cut()
    assert (len(rows), first) == (4, 0)
    batches.add([{"id": 1, "name": "a"}])
    assert batches.cut() is None
    assert batches.cut(rest=True)[1] == 4


def test_batches_are_bound_by_bytes():
    batches = Batches(TABLE, size_bytes=1 << 20)
    row = {"id": 1, "name": "x" * 100_000}
    made = batches.build([row] * 100, 0)
    assert max(batch.nbytes for batch in made.batches) < 2 << 20
    assert sum(batch.num_rows for batch in made.batches) == 100
    assert batches.limit <= 10


def test_the_next_batch_grows_slowly():
    batches = Batches(TABLE)
    before = batches.limit
    batches.build([{"id": 1, "name": "a"}] * before, 0)
    assert batches.limit == before * 8


def test_no_rows_make_no_batch():
    made = built([])
    assert (made.batches, made.refused) == ([], [])
