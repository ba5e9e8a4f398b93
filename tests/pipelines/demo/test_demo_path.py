from __future__ import annotations

import io
import re
import shlex
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.cli.main import run
from pipelines.demo import SHOP
from pipelines.demo.show import PathTree, next_commands

# By hand, from the SQL in pipelines/demo/shop: for each column what its expression reads, copies included.
COLUMNS = {
    # the charts, in shop_bi/dashboards.py
    "bi/chart.running_revenue": {
        "shop.reporting.revenue_trend.month",
        "shop.reporting.revenue_trend.category",
        "shop.reporting.revenue_trend.running_revenue",
    },
    "bi/chart.gross_and_net": {
        "shop.reporting.sales_by_month.gross_revenue",
        "shop.reporting.sales_by_month.net_revenue",
    },
    # the views, in warehouse/reporting.sql; the window's columns are part of the running sum
    "shop.reporting.revenue_trend.month": {"shop.reporting.sales_by_month.month"},
    "shop.reporting.revenue_trend.category": {"shop.reporting.sales_by_month.category"},
    "shop.reporting.revenue_trend.running_revenue": {
        "shop.reporting.sales_by_month.net_revenue",
        "shop.reporting.sales_by_month.category",
        "shop.reporting.sales_by_month.month",
    },
    "shop.reporting.sales_by_month.month": {"shop.marts.fct_sales.sold_at"},
    "shop.reporting.sales_by_month.category": {"shop.marts.dim_products.category_name"},
    "shop.reporting.sales_by_month.gross_revenue": {"shop.marts.fct_sales.gross_amount"},
    "shop.reporting.sales_by_month.net_revenue": {"shop.marts.fct_sales.net_amount"},
    # dbt's models: a join and a CASE, two CTEs and their union
    "shop.marts.fct_sales.sold_at": {"shop.staging.stg_sales.sold_at"},
    "shop.marts.fct_sales.gross_amount": {"shop.staging.stg_sales.amount_cents"},
    "shop.marts.fct_sales.net_amount": {
        "shop.staging.stg_sales.amount_cents",
        "shop.staging.stg_refunds.refunded_cents",
    },
    "shop.marts.dim_products.category_name": {"shop.raw.categories.category_name"},
    "shop.staging.stg_sales.sold_at": {"shop.staging.stg_orders.ordered_at", "shop.raw.till_sales.sold_at"},
    "shop.staging.stg_sales.amount_cents": {
        "shop.raw.order_items.quantity",
        "shop.raw.order_items.unit_price_cents",
        "shop.raw.order_items.discount_cents",
        "shop.raw.till_sales.quantity",
        "shop.raw.till_sales.unit_price_cents",
    },
    "shop.staging.stg_refunds.refunded_cents": {"shop.raw.refunds.amount_cents"},
    "shop.staging.stg_orders.ordered_at": {"shop.raw.orders.ordered_at"},
    # the load, in sql/load_raw.sql
    "shop.raw.orders.ordered_at": {"app/app.main.orders.ordered_at"},
    "shop.raw.order_items.quantity": {"app/app.main.order_items.quantity"},
    "shop.raw.order_items.unit_price_cents": {"app/app.main.order_items.unit_price_cents"},
    "shop.raw.order_items.discount_cents": {"app/app.main.order_items.discount_cents"},
    "shop.raw.till_sales.sold_at": {"app/app.main.till_sales.sold_at"},
    "shop.raw.till_sales.quantity": {"app/app.main.till_sales.quantity"},
    "shop.raw.till_sales.unit_price_cents": {"app/app.main.till_sales.unit_price_cents"},
    "shop.raw.refunds.amount_cents": {"app/app.main.refunds.amount_cents"},
    "shop.raw.categories.category_name": {"app/app.main.categories.category_name"},
}

PRINTED = """
dashboard Revenue
├── chart Gross and net
│   ├── view reporting.sales_by_month.gross_revenue = sum(sales.gross_amount)
│   │   └── dbt table marts.fct_sales.gross_amount = sales.amount_cents / 100
│   │       └── dbt view staging.stg_sales.amount_cents = ((items.quantity * items.unit_price_cents…
│   │           ├── table raw.order_items.discount_cents ← app.main.order_items.discount_cents
│   │           ├── table raw.order_items.quantity ← app.main.order_items.quantity
│   │           ├── table raw.order_items.unit_price_cents ← app.main.order_items.unit_price_cents
│   │           ├── table raw.till_sales.quantity ← app.main.till_sales.quantity
│   │           └── table raw.till_sales.unit_price_cents ← app.main.till_sales.unit_price_cents
│   └── view reporting.sales_by_month.net_revenue = sum(sales.net_amount)
│       └── dbt table marts.fct_sales.net_amount = case when refunds.refunded_cents is null then sa…
│           ├── dbt view staging.stg_refunds.refunded_cents = sum(amount_cents)
│           │   └── table raw.refunds.amount_cents ← app.main.refunds.amount_cents
│           └── dbt view staging.stg_sales.amount_cents (above)
└── chart Running revenue by category
    ├── view reporting.revenue_trend.category ← reporting.sales_by_month.category
    │   └── dbt table marts.dim_products.category_name ← raw.categories.category_name
    │       └── application app.main.categories.category_name
    ├── view reporting.revenue_trend.month ← reporting.sales_by_month.month = date_trunc('month', s…
    │   └── dbt table marts.fct_sales.sold_at ← staging.stg_sales.sold_at = CAST(sold_at AS TIMESTA…
    │       ├── table raw.till_sales.sold_at ← app.main.till_sales.sold_at
    │       └── dbt view staging.stg_orders.ordered_at = CAST(ordered_at AS TIMESTAMP)
    │           └── table raw.orders.ordered_at ← app.main.orders.ordered_at
    └── view reporting.revenue_trend.running_revenue = sum(net_revenue) OVER (PARTITION BY category…
        ├── view reporting.sales_by_month.category (above)
        ├── view reporting.sales_by_month.month (above)
        └── view reporting.sales_by_month.net_revenue (above)
"""

UNRESOLVED = {
    ("ambiguous", "bi", "bi/chart.all_orders"),
    ("ambiguous_column", "bi", "bi/chart.open_payments"),
    ("not_found", "bi", "bi/chart.channels"),
    ("sql_parse_error", "scripts", "draft_cohorts.sql"),
    ("sql_unsupported", "scripts", "purge_raw.sql"),
    ("undeclared_internal", "handmade", "handmade/board_slides"),
}


def full(identifier: str) -> str:
    return identifier if "/" in identifier else f"warehouse/{identifier}"


def test_a_copy_of_the_folder_syncs_by_itself_also_when_two_start_at_once(synced):
    for sync in synced.syncs:
        assert sync.returncode == 0, sync.stdout + sync.stderr
        assert "6 unresolved references" in sync.stdout
    assert synced.demo.returncode == 0, synced.demo.stdout + synced.demo.stderr


def test_the_printed_path_is_what_the_sql_says(synced):
    assert PRINTED in "\n".join(line.rstrip() for line in synced.demo.stdout.splitlines())


def test_every_column_upstream_of_the_dashboard_comes_from_what_its_sql_reads(synced):
    found = synced.graph.upstream("bi/dashboard.revenue", columns=True)
    into: dict[str, set[str]] = {}
    for edge in found.edges:
        if edge["kind"] == "direct" and edge["level"] == "column":
            into.setdefault(edge["to"], set()).add(edge["from"])
    assert into == {full(node): {full(one) for one in upstream} for node, upstream in COLUMNS.items()}


def test_every_way_up_ends_in_the_application(synced):
    found = synced.graph.upstream("bi/dashboard.revenue", columns=True)
    fed = {edge["to"] for edge in found.edges}
    ends = {node for node in found.distances if node not in fed and node not in found.passed}
    assert ends
    assert all(node.startswith("app/app.main.") for node in ends)


def test_each_model_and_its_relation_are_one(synced):
    for model in ("stg_orders", "stg_sales", "stg_refunds", "fct_sales", "dim_products", "dim_customers"):
        schema = "staging" if model.startswith("stg") else "marts"
        resource = synced.graph.resource(f"dbt/model.shop.{model}")
        assert resource["id"] == f"warehouse/shop.{schema}.{model}"
        assert resource["aliases"] == [f"dbt/model.shop.{model}"]


def test_the_spreadsheet_hangs_from_the_views_columns(synced):
    edges = synced.graph.path("app.main.order_items.discount_cents", "handmade/forecast.expected")
    assert [edge["to"] for edge in edges][-3:] == [
        "warehouse/shop.reporting.revenue_trend.running_revenue",
        "handmade/forecast.revenue",
        "handmade/forecast.expected",
    ]


def test_what_was_put_there_on_purpose_does_not_resolve_and_nothing_else(synced):
    entries = synced.graph.unresolved()
    assert {(e["reason"], e["connection"], e["counterpart"]) for e in entries} == UNRESOLVED
    assert len(entries) == len(UNRESOLVED)
    candidates = {e["reason"]: e["candidates"] for e in entries}
    assert candidates["not_found"] == ["warehouse/shop.reporting.daily_sales"]
    assert candidates["ambiguous"] == ["app/app.main.orders", "warehouse/shop.raw.orders"]
    assert candidates["ambiguous_column"] == ["warehouse/shop.raw.orders", "warehouse/shop.raw.payments"]
    for reason, _, counterpart in UNRESOLVED:
        assert re.search(rf"^{reason} +{re.escape(counterpart)} ", synced.demo.stdout, re.MULTILINE)


def test_each_of_them_is_explained_where_it_stands():
    files = [path for path in SHOP.rglob("*") if path.suffix in (".py", ".sql", ".yaml") and path.is_file()]
    comments = [
        text for path in files for text in re.findall(r"On purpose: [^\"]*?\((\w+)", path.read_text())
    ]
    assert sorted(comments) == sorted(reason for reason, _, _ in UNRESOLVED)


def test_a_printed_name_is_enough_of_an_id(synced):
    names = re.findall(r"[a-z_]+(?:\.[a-z_]+){2,3}(?= |\n)", PRINTED)
    graph = synced.graph
    assert {graph.find_id(name) for name in names if not name.startswith("sales.")} == {
        full(node)
        for node in {*COLUMNS, *(one for upstream in COLUMNS.values() for one in upstream)}
        if "chart" not in node
    }


def test_what_it_says_to_type_next_works(synced, monkeypatch, capsys):
    monkeypatch.chdir(synced.folder)
    commands = [command for command, _ in next_commands(synced.folder)]
    assert len(commands) == 10
    for command in commands:
        program, *arguments = shlex.split(command)
        assert shutil.which(program) or Path(program).exists()
        assert command in synced.demo.stdout
        if arguments in (["ui"], ["serve"]):  # they would stay
            continue
        assert run(arguments) == 0, command
        assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("dashboard", ["stores", "orders", "customers"])
def test_the_other_dashboards_can_be_shown_too(synced, dashboard):
    console = Console(width=100, file=io.StringIO())
    console.print(PathTree(synced.graph, f"bi/dashboard.{dashboard}").tree)
    assert "app.main." in console.file.getvalue()
