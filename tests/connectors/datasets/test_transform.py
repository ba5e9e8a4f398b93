"""What each operation does to records, and what is said of one that does not fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from connectors.datasets.engine import open_engine
from connectors.datasets.plan import Plan, find_doubles
from connectors.datasets.transform import Transform
from connectors.errors import DatasetError

ORDERS = pa.table(
    {
        "id": pa.array([1, 2, 2, 3], pa.int64()),
        "text": ["10", "20", "x", None],
        "address": [{"city": "Oslo", "geo": {"lat": 59.9}}, None, {"city": None, "geo": None}, None],
        "tags": [["a", "b"], [], None, ["c"]],
    }
)
CUSTOMERS = pa.table(
    {"key": pa.array([1, 3, 3, None, None], pa.int64()), "name": ["Ada", "Bob", "Ben", "No", "Ne"]}
)


def planned(given: Mapping[str, Any], table: pa.Table = ORDERS, **sources: pa.Table) -> Plan:
    return Transform.parse(given).plan(table.schema, {name: one.schema for name, one in sources.items()})


def ran(sql: str, table: pa.Table, **sources: pa.Table) -> pa.Table:
    engine = open_engine(threads=1)
    for name, one in {"input": table, **sources}.items():
        engine.register(name, one)
    return engine.sql(sql).to_arrow_table()


def records(operations: list[Any], table: pa.Table = ORDERS, **sources: pa.Table) -> list[dict[str, Any]]:
    """What the operations give, in the order of its JSON; the guarded form must give the same."""
    plan = planned({"operations": operations}, table, **sources)
    plain, guarded = (ran(sql, table, **sources) for sql in (plan.sql, plan.guarded_sql or ""))
    assert plain.schema == guarded.schema == plan.schema
    found = [
        sorted(one.to_pylist(), key=lambda record: json.dumps(record, default=str))
        for one in (plain, guarded)
    ]
    assert found[0] == found[1]
    assert ran(plan.faults_sql or "", table, **sources).num_rows == 0
    return found[0]


def test_no_operation_is_the_identity() -> None:
    plan = planned({"operations": []})
    assert ran(plan.sql, ORDERS).equals(ORDERS)
    assert plan.schema == ORDERS.schema
    assert plan.expressions == {"id": "id", "text": '"text"', "address": "address", "tags": "tags"}


def test_rename_keeps_place_and_swaps() -> None:
    found = records([{"rename": {"id": "text", "text": "id"}}, {"select": ["text", "id"]}])
    assert found[0] == {"text": 1, "id": "10"}


def test_map_keeps_only_what_it_names_in_its_order() -> None:
    plan = planned({"operations": [{"map": {"text": "amount", "id": "key"}}]})
    assert plan.schema.names == ["amount", "key"]
    assert plan.expressions == {"amount": '"text"', "key": "id"}


def test_compute_replaces_in_place_or_adds_at_the_end() -> None:
    plan = planned(
        {
            "operations": [
                {"compute": {"expression": "id * 2", "as": "id"}},
                {"compute": {"expression": "ID + 1", "as": "next"}},
            ]
        }
    )
    assert plan.schema.names == ["id", "text", "address", "tags", "next"]
    assert plan.expressions["next"] == "(id * 2) + 1"
    found = ran(plan.sql, ORDERS).to_pylist()
    assert sorted((record["id"], record["next"]) for record in found) == [(2, 3), (4, 5), (4, 5), (6, 7)]


def test_filter_keeps_what_is_true_and_nothing_unknown() -> None:
    assert [one["id"] for one in records([{"filter": "text <> 'x'"}, {"select": ["id"]}])] == [1, 2]
    assert len(records([{"filter": {"condition": "id > 1 -- most"}}])) == 3
    assert records([{"filter": "text > 'x' or null"}]) == []


def test_typecast_changes_types() -> None:
    plan = planned({"operations": [{"typecast": {"id": "decimal(10, 2)"}}, {"typecast": {"id": "text"}}]})
    assert plan.schema.field("id").type == pa.string()
    assert sorted(ran(plan.sql, ORDERS).column("id").to_pylist()) == ["1.00", "2.00", "2.00", "3.00"]


def test_select_orders_and_drop_leaves() -> None:
    assert planned({"operations": [{"select": ["text", "id"]}]}).schema.names == ["text", "id"]
    assert planned({"operations": [{"drop": ["text", "tags"]}]}).schema.names == ["id", "address"]


def test_flatten_puts_the_fields_of_a_struct_in_its_place() -> None:
    found = records([{"flatten": {"path": "address"}}, {"flatten": "address_geo"}, {"drop": ["tags"]}])
    assert found[0] == {"id": 1, "text": "10", "address_city": "Oslo", "address_geo_lat": 59.9}
    assert found[1] == {"id": 2, "text": "20", "address_city": None, "address_geo_lat": None}


def test_flatten_of_a_field_adds_columns() -> None:
    plan = planned({"operations": [{"flatten": {"path": "address.geo", "alias": "at"}}]})
    assert plan.schema.names == ["id", "text", "address", "tags", "at_lat"]
    assert plan.expressions["at_lat"] == "address.geo.lat"


def test_flatten_of_a_list_gives_a_record_for_each_element_and_keeps_those_without() -> None:
    found = records([{"flatten": {"path": "tags", "alias": "tag"}}, {"select": ["id", "tag"]}])
    assert found == [
        {"id": 1, "tag": "a"},
        {"id": 1, "tag": "b"},
        {"id": 2, "tag": None},
        {"id": 2, "tag": None},
        {"id": 3, "tag": "c"},
    ]


def test_flatten_of_a_list_of_structs_and_then_the_structs() -> None:
    table = pa.table({"id": [1], "lines": [[{"sku": "a", "n": 1}, {"sku": "b", "n": 2}]]})
    found = records([{"flatten": {"path": "lines", "alias": "line"}}, {"flatten": "line"}], table)
    assert found == [{"id": 1, "line_sku": "a", "line_n": 1}, {"id": 1, "line_sku": "b", "line_n": 2}]


def test_flatten_of_a_list_within_a_struct() -> None:
    table = pa.table({"id": [1, 2], "s": [{"l": [1, 2]}, None]})
    found = records([{"flatten": "s.l"}, {"drop": ["s"]}], table)
    assert found == [{"id": 1, "l": 1}, {"id": 1, "l": 2}, {"id": 2, "l": None}]


def test_deduplicate_without_columns_keeps_one_of_equal_records() -> None:
    table = pa.table({"a": [1, 1, 2, None, None], "l": [[1], [1], [1], None, None]})
    assert len(records([{"deduplicate": []}], table)) == 3
    assert len(records([{"deduplicate": {}}], table)) == 3


def test_deduplicate_keeps_the_first_or_last_in_order() -> None:
    table = pa.table({"id": [1, 1, 1, 2], "at": [3, None, 5, 1], "x": ["a", "b", "c", "d"]})
    by = {"by": ["id"], "order_by": ["at desc"]}
    assert [one["x"] for one in records([{"deduplicate": by}], table)] == ["c", "d"]
    assert [one["x"] for one in records([{"deduplicate": {**by, "keep": "last"}}], table)] == ["b", "d"]
    assert [one["x"] for one in records([{"deduplicate": ["id"]}], table)] == ["a", "d"]


def test_deduplicate_breaks_ties_by_all_other_columns() -> None:
    table = pa.table({"id": [1] * 6, "at": [1] * 6, "x": list("cabfed"), "l": [[3], [1], [2], None, [], [0]]})
    given = [{"deduplicate": {"by": ["id"], "order_by": ["at"]}}]
    assert (
        records(given, table)
        == records(given, table.take([5, 4, 3, 2, 1, 0]))
        == records(given, table.slice(1))
    )


def test_lookup_joins_what_is_there_and_says_what_must_be_unique() -> None:
    operation = {
        "lookup": {"dataset": "warehouse/customers", "on": {"id": "key"}, "take": {"name": "customer"}}
    }
    transform = Transform.parse({"operations": [operation, {"select": ["id", "customer"]}]})
    assert transform.sources == {"lookup_1": "warehouse/customers"}
    unique = CUSTOMERS.slice(0, 2)
    found = records([operation, {"select": ["id", "customer"]}], lookup_1=unique)
    assert found == [
        {"customer": "Ada", "id": 1},
        {"id": 2, "customer": None},
        {"id": 2, "customer": None},
        {"id": 3, "customer": "Bob"},
    ]
    plan = transform.plan(ORDERS.schema, {"lookup_1": CUSTOMERS.schema})
    assert plan.unique == (("lookup_1", ("key",)),)
    assert plan.expressions["customer"] == 'lookup_1."name"'


def test_two_lookups_have_relations_of_their_own() -> None:
    one = {"lookup": {"dataset": "w/c", "on": {"id": "key"}, "take": {"name": "first"}}}
    two = {"lookup": {"dataset": "w/c", "on": {"id": "key"}, "take": {"name": "second"}}}
    assert Transform.parse({"operations": [one, two]}).sources == {"lookup_1": "w/c", "lookup_2": "w/c"}


def test_doubles_are_keys_that_stand_twice_and_are_not_null() -> None:
    engine = open_engine(threads=1)
    engine.register("lookup_1", CUSTOMERS)
    assert find_doubles(engine, "lookup_1", ["key"]) == 1
    assert find_doubles(engine, "lookup_1", ["key", "name"]) == 0


def test_a_query_reads_its_inputs() -> None:
    given = {
        "sql": "select i.id, c.name from input i join customers c on i.id = c.key;",
        "inputs": {"customers": "warehouse/customers"},
    }
    assert Transform.parse(given).sources == {"customers": "warehouse/customers"}
    plan = planned(given, customers=CUSTOMERS)
    found = ran(plan.sql, ORDERS, customers=CUSTOMERS)
    assert sorted(found.to_pylist(), key=str) == [
        {"id": 1, "name": "Ada"},
        {"id": 3, "name": "Ben"},
        {"id": 3, "name": "Bob"},
    ]
    assert (found.schema, plan.guarded_sql, plan.faults_sql, plan.expressions) == (
        plan.schema,
        None,
        None,
        {},
    )


@pytest.mark.parametrize(
    "text",
    [
        "select * from input",
        "from input",
        "with a as (from input) select id from a -- end",
        "(select id from input)",
        "select id from input union select key from customers order by id",
        "values (1)",
        "select count(*) from input",
        "select sum(id) over (order by id) as s from input",
    ],
)
def test_queries_of_many_forms_run_as_planned(text: str) -> None:
    plan = planned({"sql": text, "inputs": {"customers": "w/c"}}, customers=CUSTOMERS)
    assert ran(plan.sql, ORDERS, customers=CUSTOMERS).schema == plan.schema


def test_types_of_many_kinds_come_out_as_planned() -> None:
    table = pa.table(
        {
            "small": pa.array([1, None], pa.int8()),
            "wide": pa.array([2**63, None], pa.uint64()),
            "large": pa.array(["a", None], pa.large_string()),
            "view": pa.array(["a", None], pa.string_view()),
            "bytes": pa.array([b"\xff", None], pa.binary()),
            "money": pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)),
            "day": pa.array([date(2026, 11, 20), None]),
            "at": pa.array([datetime(2026, 11, 20, tzinfo=UTC), None]),
            "ns": pa.array([1000, None], pa.timestamp("ns")),
            "clock": pa.array([time(1, 2), None]),
            "code": pa.array(["a", None]).dictionary_encode(),
            "none": pa.nulls(2),
            "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
            "deep": pa.array([[{"a": [1.5]}], None]),
            "half": pa.array([1.5, float("nan")], pa.float32()),
            "fixed": pa.array([[1, 2], None], pa.list_(pa.int64(), 2)),
            "odd \"name\" 'x'": [True, None],
        }
    )
    plan = planned({"operations": []}, table)
    found = ran(plan.sql, table)
    assert found.schema == plan.schema
    assert [str(one) for one in found.to_pylist()] == [
        str(one) for one in ran(plan.guarded_sql or "", table).to_pylist()
    ]
    failing = planned({"operations": [{"compute": {"expression": "1 // 0", "as": "never"}}]}, table)
    faults = ran(failing.faults_sql or "", table).to_pylist()
    assert [(one["operation"], one["column"]) for one in faults] == [(0, "never")] * 2
    assert set(json.loads(faults[0]["record"])) == set(table.column_names)


def test_a_record_that_fails_is_told_and_the_others_stay() -> None:
    given = {
        "operations": [
            {"select": ["id", "text"]},
            {"rename": {"text": "amount"}},
            {"typecast": {"amount": "integer"}},
            {"compute": {"expression": "100 // (amount - 20)", "as": "share"}},
            {"filter": "share < 0"},
        ]
    }
    plan = planned(given)
    assert ran(plan.guarded_sql or "", ORDERS).to_pylist() == [{"id": 1, "amount": 10, "share": -10}]
    faults = sorted(ran(plan.faults_sql or "", ORDERS).to_pylist(), key=lambda one: one["operation"])
    assert [(one["operation"], one["column"], json.loads(one["record"])) for one in faults] == [
        (2, "amount", {"id": 2, "amount": "x"}),
        (3, "share", {"id": 2, "amount": 20}),
    ]


def test_a_condition_that_fails_is_told_of_the_columns_it_reads() -> None:
    plan = planned({"operations": [{"filter": "text::int > 10 and id > 0"}]})
    assert [one["id"] for one in ran(plan.guarded_sql or "", ORDERS).to_pylist()] == [2]
    faults = ran(plan.faults_sql or "", ORDERS).to_pylist()
    assert [(one["column"], json.loads(one["record"])["text"]) for one in faults] == [("id, text", "x")]


def test_the_faults_of_many_operations_are_told_in_time() -> None:
    table = pa.table({"n": pa.array(range(1000), pa.int64())})
    operations = [{"compute": {"expression": f"n + 0 // (n - {place})", "as": "n"}} for place in range(150)]
    faults = ran(planned({"operations": operations}, table).faults_sql or "", table).to_pylist()
    assert sorted((one["operation"], one["record"]) for one in faults) == [
        (place, f'{{"n":{place}}}') for place in range(150)
    ]


def test_an_overflow_is_a_fault_and_a_null_is_none() -> None:
    table = pa.table({"n": pa.array([2**62, 1, None], pa.int64())})
    plan = planned({"operations": [{"compute": {"expression": "n * 4", "as": "n"}}]}, table)
    assert sorted(ran(plan.guarded_sql or "", table).column("n").to_pylist(), key=str) == [4, None]
    assert len(ran(plan.faults_sql or "", table).to_pylist()) == 1


def test_what_is_computed_from_much_keeps_its_own_terms() -> None:
    operations = [{"compute": {"expression": "a + a + a", "as": "a"}} for _ in range(8)]
    plan = planned({"operations": operations}, pa.table({"a": [1]}))
    assert plan.expressions["a"].count("a") <= 500


def test_the_fingerprint_follows_the_meaning_and_not_the_layout() -> None:
    def fingerprint(*operations: Any) -> str:
        return Transform.parse({"operations": list(operations)}).fingerprint

    assert fingerprint({"filter": "a>1"}) == fingerprint({"filter": {"condition": "( a > 1 ) -- x"}})
    assert fingerprint({"deduplicate": ["a", "b"]}) == fingerprint(
        {"deduplicate": {"by": ["b", "a"], "keep": "first"}}
    )
    assert fingerprint({"rename": {"a": "x", "b": "y"}}) == fingerprint({"rename": {"b": "y", "a": "x"}})
    assert fingerprint({"map": {"a": "x", "b": "y"}}) != fingerprint({"map": {"b": "y", "a": "x"}})
    assert fingerprint({"filter": "a > 1"}) != fingerprint({"filter": "a > 2"})
    assert fingerprint({"drop": ["a"]}) != fingerprint({"select": ["a"]})
    one, two = ("select  id from input", "SELECT id\nFROM input;")
    assert Transform.parse({"sql": one}).fingerprint == Transform.parse({"sql": two}).fingerprint
    assert (
        Transform.parse({"sql": one}).fingerprint
        != Transform.parse({"sql": "select id as x from input"}).fingerprint
    )


WRITTEN_WRONG = [
    ({}, (), "needs operations"),
    ({"operation": []}, ("operation",), "did you mean operations"),
    ({"operations": {}}, ("operations",), "has to be a list"),
    ({"operations": [[]]}, ("operations", "0"), "operations 0 has to be a mapping"),
    ({"operations": [{"rename": {"a": "b"}, "drop": ["c"]}]}, ("operations", "0"), "has one key"),
    ({"operations": [{"renam": {}}]}, ("operations", "0", "renam"), "did you mean rename"),
    (
        {"operations": [{"compute": {"expresion": "1", "as": "a"}}]},
        ("operations", "0", "compute", "expresion"),
        "did you mean expression",
    ),
    ({"operations": [{"compute": {"expression": "1"}}]}, ("operations", "0", "compute"), "needs as"),
    (
        {"operations": [{"drop": []}, {"compute": {"expression": "lower(", "as": "a"}}]},
        ("operations", "0", "drop"),
        "names no column",
    ),
    (
        {"operations": [{"compute": {"expression": "lower(a", "as": "b"}}]},
        ("operations", "0", "compute", "expression"),
        "at its end",
    ),
    (
        {"operations": [{"compute": {"expression": "lowr(a)", "as": "b"}}]},
        ("operations", "0", "compute", "expression"),
        "did you mean lower",
    ),
    (
        {"operations": [{"filter": {"condition": "now() > a"}}]},
        ("operations", "0", "filter", "condition"),
        "now may not",
    ),
    (
        {"operations": [{"typecast": {"a": "intger"}}]},
        ("operations", "0", "typecast", "a"),
        "did you mean integer",
    ),
    ({"operations": [{"map": {"a": "x", "b": "X"}}]}, ("operations", "0", "map"), "differ in case only"),
    ({"operations": [{"rename": {"a": "_headwater_x"}}]}, ("operations", "0", "rename"), "reserved"),
    (
        {"operations": [{"deduplicate": {"by": ["a"], "keep": "newest"}}]},
        ("operations", "0", "deduplicate", "keep"),
        "first or last",
    ),
    (
        {"operations": [{"deduplicate": {"order_by": ["a"]}}]},
        ("operations", "0", "deduplicate"),
        "only with `by`",
    ),
    (
        {"operations": [{"lookup": {"dataset": "d", "on": ["a"]}}]},
        ("operations", "0", "lookup"),
        "needs take",
    ),
    ({"operations": [], "inputs": {"a": "b"}}, ("inputs",), "use a lookup"),
    ({"sql": "select 1", "operations": []}, ("operations",), "not a key"),
    ({"sql": ["select 1"]}, ("sql",), "has to be a text"),
    ({"sql": "select * from x"}, ("sql",), "no table x"),
    ({"sql": "select 1", "inputs": {"input": "d"}}, ("inputs", "input"), "is taken"),
    ({"sql": "select 1", "inputs": {"a b": "d"}}, ("inputs", "a b"), "no name for an input"),
    ({"sql": "select 1", "inputs": {"a": ""}}, ("inputs", "a"), "has to be a text"),
]


@pytest.mark.parametrize(("given", "path", "said"), WRITTEN_WRONG, ids=[said for _, _, said in WRITTEN_WRONG])
def test_what_is_written_wrong_is_told_where_it_stands(given: Any, path: tuple[str, ...], said: str) -> None:
    with pytest.raises(DatasetError, match=said) as caught:
        Transform.parse(given)
    assert caught.value.context["path"] == path


DOES_NOT_FIT = [
    ({"rename": {"idd": "x"}}, ("rename", "idd"), "did you mean id"),
    ({"rename": {"id": "text"}}, ("rename",), "would stand twice"),
    ({"rename": {"id": "TEXT"}}, ("rename",), "differ in case only"),
    ({"compute": {"expression": "1", "as": "Id"}}, ("compute",), "differ in case only"),
    ({"compute": {"expression": "idd + 1", "as": "x"}}, ("compute", "expression"), "did you mean id"),
    ({"compute": {"expression": "text + 1", "as": "x"}}, ("compute", "expression"), "No function matches"),
    ({"compute": {"expression": "address.town", "as": "x"}}, ("compute", "expression"), "town"),
    ({"filter": "rowid > 1"}, ("filter",), "no column rowid"),
    ({"filter": "input.id > 1"}, ("filter",), "no column input"),
    ({"filter": "id"}, ("filter",), "not boolean"),
    ({"filter": {"condition": "lower(id) = 'a'"}}, ("filter", "condition"), "No function matches"),
    ({"typecast": {"tagz": "text"}}, ("typecast", "tagz"), "did you mean tags"),
    ({"select": ["id", "x"]}, ("select", "1"), "no column x"),
    ({"drop": ["id", "text", "address", "tags"]}, ("drop",), "no column is left"),
    ({"flatten": "id"}, ("flatten", "path"), "nothing to flatten"),
    ({"flatten": {"path": "address.town"}}, ("flatten", "path"), "has no field town"),
    (
        {"deduplicate": {"by": ["id"], "order_by": ["at desc"]}},
        ("deduplicate", "order_by", "0"),
        "no column at",
    ),
    (
        {"lookup": {"dataset": "d", "on": {"idd": "key"}, "take": ["name"]}},
        ("lookup", "on", "idd"),
        "did you mean id",
    ),
    (
        {"lookup": {"dataset": "d", "on": {"id": "keyy"}, "take": ["name"]}},
        ("lookup", "on", "id"),
        "did you mean key",
    ),
    (
        {"lookup": {"dataset": "d", "on": {"text": "key"}, "take": ["name"]}},
        ("lookup", "on", "text"),
        "typecast",
    ),
    (
        {"lookup": {"dataset": "d", "on": {"id": "key"}, "take": ["nam"]}},
        ("lookup", "take", "nam"),
        "did you mean name",
    ),
    (
        {"lookup": {"dataset": "d", "on": {"id": "key"}, "take": {"name": "text"}}},
        ("lookup",),
        "would stand twice",
    ),
]


@pytest.mark.parametrize(
    ("operation", "path", "said"), DOES_NOT_FIT, ids=[said + str(at) for _, at, said in DOES_NOT_FIT]
)
def test_what_does_not_fit_the_columns_is_told_where_it_stands(
    operation: Any, path: tuple[str, ...], said: str
) -> None:
    transform = Transform.parse({"operations": [{"rename": {"tags": "tags"}}, operation]})
    with pytest.raises(DatasetError, match=said) as caught:
        transform.plan(ORDERS.schema, dict.fromkeys(transform.sources, CUSTOMERS.schema))
    assert caught.value.context["path"] == ("operations", "1", *path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("select idd from input", "idd"),
        ("select id, id from input", "twice"),
        ("select id, 1 as ID from input", "case only"),
        ("select lower(id) from input", "No function matches"),
    ],
)
def test_a_query_that_does_not_fit_is_told(text: str, said: str) -> None:
    with pytest.raises(DatasetError, match=said) as caught:
        planned({"sql": text})
    assert caught.value.context["path"] == ("sql",)


def test_columns_of_the_input_that_differ_in_case_only_are_refused() -> None:
    with pytest.raises(DatasetError, match="differ in case only"):
        planned({"operations": []}, pa.table({"a": [1], "A": [1]}))


def test_a_source_without_a_schema_is_told() -> None:
    with pytest.raises(DatasetError, match="the columns of d are not known"):
        planned({"operations": [{"lookup": {"dataset": "d", "on": ["id"], "take": ["name"]}}]})
