"""Faults of a project's file around datasets: each with its line, and what to do."""

from __future__ import annotations

import pytest

from connectors.errors import ConfigError
from pipelines import load_project
from pipelines.cli.main import run

ORDERS, CUSTOMERS = "wh/wh.main.orders", "wh/wh.main.customers"
SINK = {"connector": "duckdb", "config": {"path": "./out.duckdb"}}


def operations(*given):
    return {"from": ORDERS, "transform": {"operations": list(given)}}


def fault_of(shop, load=None):
    """The one fault that reading the file raises, without its line; and the line's text in the file."""
    with pytest.raises(ConfigError) as raised:
        load() if load else shop.project
    (fault,) = raised.value.context["faults"]
    place, _, text = fault.partition(": ")
    name, _, number = place.partition(":")
    assert name == "headwater.yaml"
    lines = (shop.folder / "headwater.yaml").read_text().splitlines()
    return text, lines[int(number) - 1].strip()


@pytest.mark.parametrize(
    ("dataset", "said", "line"),
    [
        ({"from": "datasets/dobled"}, "no dataset is named dobled; did you mean doubled?", '"from": '),
        ({"from": "whh/wh.main.orders"}, "no connection is named whh; did you mean wh?", '"from": '),
        (
            {"from": "orders"},
            "datasets.bad.from: orders is no dataset; write connection/table, or datasets/<name> for a derived one",
            '"from": "orders"',
        ),
        ({"from": ORDERS, "sinks": ["uot"]}, "no sink is named uot; did you mean out?", '"uot"'),
        (
            {"from": ORDERS, "transform": "cleen"},
            "no transform is named cleen; did you mean clean?",
            '"transform": "cleen"',
        ),
        (
            {"from": ORDERS, "trasnform": "clean"},
            "datasets.bad.trasnform is not a known key; did you mean transform?",
            '"trasnform"',
        ),
        (operations({"renam": {"a": "b"}}), "there is no operation renam; did you mean rename?", '"renam"'),
        (operations({"filter": "amount >"}), None, '"filter": "amount >"'),
        (
            {"from": ORDERS, "validation": {"constraints": [{"not_nul": ["id"]}]}},
            "not_nul is not a known key; did you mean not_null?",
            '"not_nul"',
        ),
        (
            {"from": ORDERS, "validation": {"on_invalid": "quarantin"}},
            "on_invalid",
            '"on_invalid"',
        ),
        (
            operations({"lookup": {"dataset": "datasets/dobled", "on": ["id"], "take": ["id"]}}),
            "no dataset is named dobled; did you mean doubled?",
            '"bad": {',
        ),
    ],
)
def test_a_name_that_leads_nowhere_is_told_with_its_line_and_a_better_one(shop, dataset, said, line):
    shop.write(
        {"doubled": {"from": ORDERS}, "bad": dataset},
        transforms={"clean": {"operations": []}},
        sinks={"out": SINK},
    )
    text, shown = fault_of(shop)
    assert said is None or said in text
    assert shown.startswith(line)


def test_a_sinks_connector_that_nobody_knows_has_a_near_name(shop):
    shop.write({}, sinks={"out": {"connector": "duckbd", "config": {}}})
    assert fault_of(shop) == ("no sink is named duckbd; did you mean duckdb?", '"connector": "duckbd",')


def test_a_shared_transform_that_is_wrong_is_told_once_where_it_stands(shop):
    shop.write(
        {"a": {"from": ORDERS, "transform": "bad"}, "b": {"from": ORDERS, "transform": "bad"}},
        transforms={"bad": {"operations": [{"filter": "1 +"}]}},
    )
    text, shown = fault_of(shop)
    assert text.startswith("transforms.bad.operations.0.filter")
    assert shown == '"filter": "1 +"'


@pytest.mark.parametrize(
    "given",
    [
        {"a": {"from": "datasets/a"}},
        {"a": {"from": "datasets/b"}, "b": {"from": "datasets/c"}, "c": {"from": "datasets/a"}},
        {
            "a": {
                "from": ORDERS,
                "validation": {"constraints": [{"reference": {"dataset": "datasets/b", "on": ["id"]}}]},
            },
            "b": {"from": "datasets/a"},
        },
    ],
)
def test_datasets_that_are_made_of_each_other_are_refused_with_the_whole_ring(shop, given):
    shop.write(given)
    text, shown = fault_of(shop)
    assert "is made of itself: " in text
    ring = text.partition("is made of itself: ")[2].split(" -> ")
    assert ring[0] == ring[-1]
    assert set(ring) == set(given)
    assert shown.startswith(f'"{ring[0]}": ')


UNKNOWN = [
    (operations({"select": ["id", "amunt"]}), "amunt", '"amunt"'),
    (operations({"compute": {"expression": "amunt * 2", "as": "x"}}), "amunt", '"expression": "amunt * 2"'),
    (operations({"rename": {"amount": "x"}}, {"filter": "amount > 1"}), "amount", '"filter": "amount > 1"'),
    ({"from": ORDERS, "transform": {"sql": "select amunt from input"}}, "amunt", '"sql": "select amunt'),
    (
        operations({"lookup": {"dataset": CUSTOMERS, "on": {"customer_id": "idd"}, "take": ["name"]}}),
        "idd",
        '"customer_id": "idd"',
    ),
    ({"from": ORDERS, "validation": {"constraints": [{"not_null": ["amunt"]}]}}, "amunt", '"amunt"'),
    (
        {"from": ORDERS, "validation": {"constraints": [{"range": {"column": "code", "min": 1}}]}},
        "the column is string, which has no range",
        '"column": "code"',
    ),
]


@pytest.mark.parametrize(("dataset", "said", "line"), UNKNOWN)
def test_an_unknown_column_is_a_fault_once_the_columns_are_known_and_not_before(shop, dataset, said, line):
    shop.write({"bad": dataset})
    load_project(shop.folder)
    shop.extract()
    text, shown = fault_of(shop, lambda: load_project(shop.folder))
    assert said in text
    assert "as of its last sync: headwater sync wh" in text
    assert shown.startswith(line)


def test_an_unknown_column_of_a_dataset_is_known_through_the_one_before_it(shop):
    shop.write(
        {
            "next": {"from": "datasets/first", "transform": {"operations": [{"select": ["amount"]}]}},
            "first": operations({"rename": {"amount": "price"}}),
        }
    )
    shop.extract()
    text, shown = fault_of(shop, lambda: load_project(shop.folder))
    assert text.startswith("datasets.next.transform.operations.0.select.0")
    assert shown == '"amount"'


def test_all_datasets_faults_are_told_at_once(shop):
    shop.write({"a": operations({"select": ["x"]}), "b": operations({"select": ["y"]})})
    shop.extract()
    with pytest.raises(ConfigError) as raised:
        load_project(shop.folder)
    assert len(raised.value.context["faults"]) == 2


def test_a_sync_reads_the_columns_anew_instead_of_refusing_the_file(shop):
    shop.write({"d": operations({"select": ["id"]})})
    shop.extract()
    shop.write({"d": operations({"select": ["id", "extra"]})})
    with pytest.raises(ConfigError):
        load_project(shop.folder)
    shop.execute("alter table orders add column extra bigint default 4")
    assert run(["--project", str(shop.folder), "sync"]) == 0
    assert shop.records("d")[0]["extra"] == 4
    load_project(shop.folder)


def test_quarantine_of_a_dataset_that_there_is_not_says_which_there_are(shop, capsys):
    shop.write({"doubled": {"from": ORDERS}})
    quarantine = ["--project", str(shop.folder), "quarantine"]
    assert run([*quarantine, "show", "dobled"]) == 2
    assert "no dataset is named dobled; there are doubled" in capsys.readouterr().err
    assert run([*quarantine, "show", "doubled"]) == 1
    assert "nothing is stored of the dataset doubled" in capsys.readouterr().err
