"""Trouble while datasets are made and delivered: what goes on, what stays, and what is told."""

from __future__ import annotations

import json
import logging

import dagster as dg
import pytest

from pipelines.cli.main import run
from pipelines.keys import AssetKeys

ORDERS, CUSTOMERS = "wh/wh.main.orders", "wh/wh.main.customers"
KEYS = AssetKeys()
OUT = {"connector": "duckdb", "config": {"path": "./out.duckdb"}}
SECRET = "canary-4711"
# Checks.split turns what DuckDB says of a value into a DatasetError, which derive.py does not take for one of a value.


def operations(*given, **more):
    return {"from": ORDERS, "transform": {"operations": list(given)}, **more}


def materialized(run_id):
    """What a run has materialized."""
    with dg.DagsterInstance.get() as instance:
        records = instance.get_records_for_run(
            run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION
        ).records
    return {record.asset_key.to_user_string() for record in records}


def test_what_hangs_from_a_connection_that_failed_is_skipped_and_the_graph_is_built(shop, capsys):
    shop.write(
        {"d": operations(sinks=["out"]), "next": {"from": "datasets/d"}},
        sinks={"out": OUT},
        connections={"hand": {"connector": "duckdb", "config": {"path": "./hand.duckdb"}}},
    )
    (shop.folder / "wh.duckdb").rename(shop.folder / "hand.duckdb")
    assert run(["--project", str(shop.folder), "sync", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert not report["ok"]
    assert {one["connection"]: one["status"] for one in report["connections"]} == {
        "wh": "FAILED",
        "hand": "SUCCESS",
    }
    assert {one["name"]: one["status"] for one in report["datasets"]} == dict.fromkeys(
        ("datasets/d", "datasets/next", "sinks/out/d"), "SKIPPED"
    )
    assert report["datasets"][0]["error"] == f"wh has nothing stored for {shop.today}"
    assert report["graph"]["partition"] == shop.today
    done = materialized(report["run_id"])
    assert {"lineage_graph", "flow_runs/wh", "flow_runs/datasets/d", "flow_runs/sinks/out/d"} <= done
    assert not done & {"resources/wh", "datasets/d", "datasets/next", "sinks/out/d"}
    assert not (shop.folder / "out.duckdb").exists()


def test_what_was_made_of_an_earlier_day_stays_while_today_has_no_input(shop):
    shop.write({"d": operations(sinks=["out"])}, sinks={"out": OUT})
    shop.extract(day=shop.day(1))
    shop.made("d", shop.day(1))
    shop.delivered("out", "d", shop.day(1))
    assert (shop.derive("d").status, shop.deliver("out", "d").status) == ("SKIPPED", "SKIPPED")
    assert len(shop.records("d")) == 3
    assert shop.query("select count(*) from d", "out.duckdb") == [(3,)]
    assert "datasets/d" in {one["id"] for one in shop.graph().resources()}


@pytest.mark.parametrize(
    ("expression", "keyword", "bad"),
    [
        ({"compute": {"expression": "100 % (id - 11) + cast(code as int)", "as": "x"}}, "compute", {"c"}),
        ({"typecast": {"code": "int"}}, "typecast", {"c"}),
        ({"filter": "cast(code as int) > 0"}, "filter", {"c"}),
        ({"compute": {"expression": "cast(big as tinyint)", "as": "x"}}, "compute", {"b"}),
    ],
)
def test_a_value_that_an_expression_fails_for_goes_to_the_quarantine(shop, expression, keyword, bad):
    shop.fill(
        "r",
        "k varchar, id bigint, code varchar, big bigint",
        [("a", 1, "7", 1), ("b", 2, "8", 9000), ("c", 3, SECRET, 3)],
    )
    shop.write({"d": {"from": "wh/wh.main.r", "transform": {"operations": [expression]}}})
    shop.extract()
    outcome = shop.made("d")
    assert {row["k"] for row in shop.records("d")} == {"a", "b", "c"} - bad
    rows = shop.refused("d")
    assert {json.loads(row["record"])["k"] for row in rows} == bad
    assert {(row["stage"], row["keyword"]) for row in rows} == {("transform", keyword)}
    assert (outcome.rows, outcome.invalid, outcome.status) == (3 - len(bad), len(bad), "WARNING")
    # The record is shown to whom asks for it; what is told of it anywhere else holds no value.
    assert SECRET not in json.dumps([dict(fault) for fault in outcome.faults])
    assert SECRET not in json.dumps([row["message"] for row in rows])


def test_a_record_that_makes_an_expression_divide_by_zero_goes_to_the_quarantine(shop):
    shop.write({"d": operations({"compute": {"expression": "1 // (id - 10)", "as": "x"}})})
    shop.extract()
    assert shop.made("d").invalid == 1
    assert {row["id"]: row["x"] for row in shop.records("d")} == {11: 1, 12: 0}
    (row,) = shop.refused("d")
    assert json.loads(row["record"])["id"] == 10
    assert (row["stage"], row["keyword"], row["pointer"]) == ("transform", "compute", "/x")


def test_a_record_that_fails_in_a_later_operation_is_kept_as_it_came_into_it(shop):
    shop.fill("r", "id bigint, v varchar", [(1, "1"), (2, "x"), (3, "3")])
    shop.write(
        {
            "d": {
                "from": "wh/wh.main.r",
                "transform": {
                    "operations": [
                        {"filter": "id <> 3"},
                        {"rename": {"v": "w"}},
                        {"compute": {"expression": "cast(w as int) * 2", "as": "x"}},
                        {"select": ["x"]},
                    ]
                },
                "validation": {"constraints": [{"range": {"column": "x", "max": 1}}]},
            }
        }
    )
    shop.extract()
    outcome = shop.made("d")
    assert (outcome.rows, outcome.invalid) == (0, 2)
    found = {row["stage"]: json.loads(row["record"]) for row in shop.refused("d")}
    assert found == {"transform": {"id": 2, "w": "x"}, "validation": {"x": 2}}


@pytest.mark.parametrize(
    "sql",
    [
        "select cast(v as int) as v from input",
        "select sum(cast(v as int)) as v from input",
        "select cast(cast(length(v) * 1000 as int) as tinyint) as v from input",
    ],
)
def test_a_value_that_a_query_fails_for_is_a_clear_error_without_it(shop, sql, caplog):
    shop.fill("r", "v varchar", [("1",), (SECRET,)])
    shop.write({"d": {"from": "wh/wh.main.r", "transform": {"sql": sql}}})
    shop.extract()
    with caplog.at_level(logging.DEBUG):
        outcome = shop.derive("d")
    assert outcome.status == "FAILED"
    assert outcome.error.startswith("a record's value does not fit: ")
    assert "try_cast" in outcome.error
    assert SECRET not in outcome.error + caplog.text
    assert shop.store.snapshots.newest("datasets/d") is None


def test_a_query_that_fails_leaves_what_was_made_before(shop):
    shop.fill("r", "v varchar", [("1",)])
    shop.write({"d": {"from": "wh/wh.main.r", "transform": {"sql": "select v::int as v from input"}}})
    shop.extract()
    shop.made("d")
    shop.fill("r", "v varchar", [("x",)])
    shop.extract()
    assert shop.derive("d").status == "FAILED"
    assert shop.records("d") == [{"v": 1}]


def test_a_lookup_whose_keys_are_no_keys_is_refused_without_a_record(shop):
    shop.execute("insert into customers values (1, 'Double', 'd@example.org')")
    shop.write(
        {"d": operations({"lookup": {"dataset": CUSTOMERS, "on": {"customer_id": "id"}, "take": ["name"]}})}
    )
    shop.extract()
    outcome = shop.derive("d")
    assert outcome.status == "FAILED"
    assert "1 keys stand more than once in wh/wh.main.customers" in outcome.error


def test_a_sink_that_cannot_be_reached_fails_alone(shop):
    sinks = {
        "out": OUT,
        "gone": {
            "connector": "postgres",
            "config": {"url": f"postgresql://u:{SECRET}@127.0.0.1:1/shop", "connect_timeout": 2},
        },
        "unset": {"connector": "duckdb", "config": {"path": "${NOBODY_SET_THIS}/x.duckdb"}},
    }
    shop.write({"d": operations(sinks=list(sinks)), "next": {"from": "datasets/d"}}, sinks=sinks)
    report = shop.sync()
    assert not report.ok
    status = {one.name: one.status for one in report.made}
    assert {name for name, one in status.items() if one == "FAILED"} == {
        f"sinks/{name}/d" for name in sinks if name != "out"
    }
    assert {status[name] for name in ("datasets/d", "datasets/next", "sinks/out/d")} == {"SUCCESS"}
    assert report.graph is not None
    done = materialized(report.run_id)
    assert {"sinks/out/d", "datasets/next", "lineage_graph"} <= done
    assert not done & {KEYS.sink(name, "d")[0].to_user_string() for name in sinks if name != "out"}
    errors = {one.name: one.error for one in report.made if one.error}
    assert "NOBODY_SET_THIS" in errors["sinks/unset/d"]
    assert SECRET not in json.dumps(errors)


def test_a_table_whose_records_are_not_copied_fails_and_says_where_to_name_it(shop):
    shop.write({"d": {"from": "wh/wh.main.nothing"}})
    shop.extract()
    error = shop.derive("d").error
    assert error.startswith("wh has no records of wh.main.nothing")
    assert "it has those of wh.main.customers, wh.main.orders" in error


def test_a_reference_rule_reads_another_dataset(shop):
    shop.execute("update orders set customer_id = 99 where id = 12")
    shop.write(
        {
            "d": operations(
                validation={
                    "constraints": [{"reference": {"dataset": CUSTOMERS, "on": {"customer_id": "id"}}}]
                }
            )
        }
    )
    shop.extract()
    shop.made("d")
    assert [json.loads(row["record"])["id"] for row in shop.refused("d")] == [12]
    shop.execute("insert into customers values (99, 'New', null)")
    shop.extract()
    assert shop.replay("d").invalid == 0
    assert len(shop.records("d")) == 3


@pytest.mark.parametrize(
    "dataset",
    [
        operations({"lookup": {"dataset": ORDERS, "on": ["id"], "take": {"amount": "again"}}}),
        {
            "from": ORDERS,
            "transform": {"sql": "select a.id from input a join b using (id)", "inputs": {"b": ORDERS}},
        },
        operations(
            validation={"constraints": [{"reference": {"dataset": ORDERS, "on": {"customer_id": "id"}}}]}
        ),
    ],
)
def test_a_dataset_may_read_its_own_source_a_second_time(shop, dataset):
    shop.write({"d": dataset})
    shop.extract()
    shop.made("d")
